//! `demo`: the main job, with nothing to prepare.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use maskrank::golden::{Bound, Case};
use maskrank::records::{
    BlockReader, Compression, RandomRecords, ReadOptions, RecordBlock, Schema, TweetIds,
};
use maskrank::{Batch, Model, Outputs, ScoreOptions, ScoreWeights, Scorer, Scores, truth};

use crate::select::BackendArguments;
use crate::{Outcome, cache, output, random, score, select};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    backend: BackendArguments,
    /// Candidates of the one request
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    candidates: u32,
    /// Where the model and the records are kept. Default: a cache folder that is printed
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Candidates that are compared with the f64 reference
    #[arg(long, default_value_t = 8)]
    sample: usize,
}

const SEED: u64 = 1;
const BEST: usize = 10;
/// Long enough for a steady figure, short enough to wait for.
const TIMED: Duration = Duration::from_secs(2);

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    arguments.backend.check_present()?;
    let folder = match &arguments.cache {
        Some(folder) => folder.clone(),
        None => cache::folder()?,
    };
    let model_folder = folder.join(format!("production-seed-{SEED}"));
    let records = folder.join(format!("random-seed-{SEED}-{}.tfrecord", arguments.candidates));
    prepare_model(&model_folder)?;
    prepare_records(&records, arguments.candidates)?;
    println!("model    {}", model_folder.display());
    println!("records  {}", records.display());

    let opened = Instant::now();
    let model = Model::open(&model_folder)?;
    let scorer = arguments
        .backend
        .apply(Scorer::builder(&model))
        .max_candidates(arguments.candidates as usize)
        .build()?;
    println!("{}", select::describe(&scorer));
    println!("ready in {:.2} s", opened.elapsed().as_secs_f64());

    let layout = score::layout(&model, &model_folder.join("segdense.json"))?;
    let mut block = RecordBlock::new(&layout, arguments.candidates as usize)?;
    let mut reader = BlockReader::new(vec![records], layout, ReadOptions::default());
    reader.read_into(&mut block)?;

    let weights = ScoreWeights::default().resolve(model.tasks())?;
    let outputs = Outputs { logits: true, calibrated_probabilities: true, top_k: BEST, ..Outputs::default() };
    let requests = score::requests(&block);
    let batch = Batch { requests: &requests };
    let mut scores = Scores::default();
    scorer.score(batch, &ScoreOptions::new(&weights).with_outputs(outputs), &mut scores)?;
    print_best(&scorer, &block, &scores);
    time(&scorer, batch, &weights)?;
    let agrees = compare(arguments, &model, &weights, &block, &scores, &scorer)?;
    println!(
        "The weights are seeded, not trained: this ranking has no meaning, its speed and its numbers do."
    );
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The model folder appears whole or not at all.
fn prepare_model(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    if folder.join("model.safetensors").is_file() {
        return Ok(());
    }
    let bar =
        spinner(format!("first run: writing the seeded production model (192 MB) to {}", folder.display()));
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    random::write_production(folder, SEED)?;
    bar.finish_and_clear();
    Ok(())
}

fn prepare_records(path: &Path, candidates: u32) -> Result<(), Box<dyn std::error::Error>> {
    if path.is_file() {
        return Ok(());
    }
    let bar = spinner(format!("first run: writing {candidates} random records to {}", path.display()));
    let records = RandomRecords {
        seed: SEED,
        records: candidates.into(),
        records_per_request: candidates.into(),
        tweet_ids: TweetIds::Numbered,
    };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    records.write(&Schema::released(), Path::new(&partial), Compression::None)?;
    std::fs::rename(&partial, path)?;
    bar.finish_and_clear();
    Ok(())
}

fn spinner(message: String) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(message.clone());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} [{elapsed}]").expect("a constant template"));
    if bar.is_hidden() {
        eprintln!("{message}");
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn print_best(scorer: &Scorer, block: &RecordBlock, scores: &Scores) {
    let tasks = scorer.tasks();
    println!("\ncalibrated probabilities of");
    for (index, task) in tasks.iter().enumerate() {
        println!("  p{:<2} {}", index + 1, output::short_name(task));
    }
    print!("\n{:>4} {:>12} {:>11}", "rank", "tweet", "score");
    (1..=tasks.len()).for_each(|index| print!(" {:>8}", format!("p{index}")));
    println!();
    for (rank, &row) in scores.top_k.iter().enumerate() {
        let row = row as usize;
        print!("{:>4} {:>12} {:>11.5}", rank + 1, block.tweet_ids()[row], scores.scores[row]);
        let probabilities = &scores.calibrated_probabilities[row * tasks.len()..(row + 1) * tasks.len()];
        probabilities.iter().for_each(|p| print!(" {p:>8.6}"));
        println!();
    }
    println!();
}

fn time(scorer: &Scorer, batch: Batch<'_>, weights: &[f32]) -> Result<(), Box<dyn std::error::Error>> {
    let options = ScoreOptions::new(weights);
    let mut scores = Scores::default();
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < 3 || started.elapsed() < TIMED {
        let start = Instant::now();
        scorer.score(batch, &options, &mut scores)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let rate = batch.candidates() as f64 / median;
    let decimals = if rate < 100.0 { 2 } else { 0 };
    println!(
        "{rate:.decimals$} candidates/s: {} candidates in {:.2} ms (median of {}, fastest {:.2} ms, slowest {:.2} ms)",
        batch.candidates(),
        median * 1e3,
        times.len(),
        times[0] * 1e3,
        times[times.len() - 1] * 1e3,
    );
    Ok(())
}

/// Holds a sample of logits against the f64 reference.
fn compare(
    arguments: &Arguments,
    model: &Model,
    weights: &[f32],
    block: &RecordBlock,
    scores: &Scores,
    scorer: &Scorer,
) -> Result<bool, Box<dyn std::error::Error>> {
    let rows = arguments.sample.min(block.len());
    let score_weights: Vec<f64> = weights.iter().map(|&w| w.into()).collect();
    let case = Case::from_block(model, block, rows, score_weights)?;
    let expected = case.expected("logits");
    let flavour = case.truth(truth::flavour(scorer.precision()))?;
    let pairs = || expected.iter().zip(flavour.logits.values());
    let rounding = match scorer.precision() {
        maskrank::Precision::F32 => 0.0,
        _ => 2.0 * pairs().map(|(t, f)| (t - f).abs()).fold(0.0, f64::max),
    };
    let bound = Bound { rounding };
    let mut worst = (0.0_f64, 0.0_f64);
    let mut agrees = true;
    for (expected, &found) in expected.iter().zip(&scores.logits) {
        let error = (f64::from(found) - expected).abs();
        agrees &= error <= bound.logit(*expected);
        worst.0 = worst.0.max(error);
    }
    for (expected, &found) in case.expected("score").iter().zip(&scores.scores) {
        worst.1 = worst.1.max((f64::from(found) - expected).abs());
    }
    println!(
        "largest difference from the f64 reference on {rows} candidates: logit {:.2e}, score {:.2e} ({})",
        worst.0,
        worst.1,
        if agrees { "within bounds" } else { "OUT OF BOUNDS" }
    );
    Ok(agrees)
}
