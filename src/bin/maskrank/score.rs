//! `score`: record files in, one line a candidate out.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use maskrank::records::{
    BlockReader, LayoutSpec, Missing, OnBad, ReadOptions, RecordBlock, RecordLayout, Schema,
};
use maskrank::{
    Batch, Binary, Columns, Error, Features, Model, Outputs, Request, ScoreOptions, ScoreWeights, Scorer,
    Scores,
};

use crate::output::Sink;
use crate::select::BackendArguments;
use crate::{Outcome, select};

mod rows;

use rows::{Format, Rows};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder
    #[arg(long)]
    model: PathBuf,
    /// Record files (TFRecord of tf.Example, gzip or not), read in this order
    #[arg(long, num_args = 1.., required = true)]
    records: Vec<PathBuf>,
    /// Score weights, YAML or JSON. Default: those published in April 2023
    #[arg(long)]
    weights: Option<PathBuf>,
    /// A segdense schema. Default: segdense.json in the model folder
    #[arg(long)]
    schema: Option<PathBuf>,
    #[command(flatten)]
    backend: BackendArguments,
    /// Only the best K candidates of each request, best first
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,
    /// Where to write. Default: standard output
    #[arg(long)]
    out: Option<PathBuf>,
    /// Default: JSON lines when --out ends in .jsonl or .json, else CSV
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// Most candidates of one batch
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Take zero for a feature that a record does not have
    #[arg(long)]
    fill_missing: bool,
    /// Leave broken records out and count them, rather than stop
    #[arg(long)]
    skip_bad: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Csv,
    Jsonl,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut model = Model::options();
    if let Some(schema) = &arguments.schema {
        model = model.schema(schema);
    }
    let model = model.open(&arguments.model)?;
    let schema = schema_path(arguments, &model)?;
    let layout = layout(&model, &schema)?;
    let weights = match &arguments.weights {
        Some(path) => ScoreWeights::read(path)?,
        None => ScoreWeights::default(),
    }
    .resolve(model.tasks())?;
    let mut bytes = 0;
    for path in &arguments.records {
        // A path that is not there is found before anything is scored.
        let file =
            std::fs::metadata(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        bytes += file.len();
    }
    let scorer =
        arguments.backend.apply(Scorer::builder(&model)).max_candidates(arguments.batch as usize).build()?;
    eprintln!("{}", select::describe(&scorer));

    let mut sink = Sink::open(arguments.out.as_deref())?;
    let mut rows = Rows::new(format(arguments), scorer.tasks(), arguments.top);
    rows.header(&mut sink)?;

    let options = ReadOptions {
        missing: if arguments.fill_missing { Missing::FillZero } else { Missing::Refuse },
        on_bad: if arguments.skip_bad { OnBad::Skip } else { OnBad::Stop },
        ..ReadOptions::default()
    };
    let bar = progress(bytes, arguments.out.is_some());
    let outputs = Outputs {
        calibrated_probabilities: true,
        top_k: arguments.top.map_or(0, |k| k as usize),
        ..Outputs::default()
    };
    // Two blocks travel in a circle: one is read while the other is scored and written.
    let (full_out, full_in) = sync_channel::<Filled>(1);
    let (empty_out, empty_in) = sync_channel::<RecordBlock>(2);
    for _ in 0..2 {
        let block = RecordBlock::new(&layout, arguments.batch as usize)?;
        empty_out.send(block).map_err(|_| "the reader stopped")?;
    }
    let reader = BlockReader::new(arguments.records.clone(), layout, options);
    let reading = std::thread::spawn(move || read(reader, &empty_in, &full_out));
    let mut scores = Scores::default();
    let mut candidates = 0u64;
    let score_options = ScoreOptions::new(&weights).with_outputs(outputs);
    let mut failure = None;
    for filled in full_in {
        let FilledBlock { block, input_bytes } = match filled {
            Ok(filled) => filled,
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        let requests = requests(&block);
        scorer.score(Batch { requests: &requests }, &score_options, &mut scores)?;
        rows.write(&block, &scores, &mut sink)?;
        candidates += block.len() as u64;
        bar.set_position(input_bytes.min(bytes));
        bar.set_message(format!(
            "{candidates} candidates, {:.0}/s",
            candidates as f64 / bar.elapsed().as_secs_f64()
        ));
        // The reader has ended when it no longer takes blocks.
        let _ = empty_out.send(block);
    }
    drop(empty_out);
    let skipped = reading.join().map_err(|_| "the reading thread failed")?;
    if let Some(error) = failure {
        // What was scored before the broken record stays: the caller can go on from there.
        sink.flush()?;
        return Err(error.into());
    }
    rows.finish(&mut sink)?;
    sink.finish()?;
    bar.finish_and_clear();
    eprintln!("{candidates} candidates scored");
    if skipped.0 > 0 {
        eprintln!("{} broken records left out, {} files cut short:", skipped.0, skipped.1);
        skipped.2.iter().for_each(|error| eprintln!("  {error}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// `--schema`, else the model folder's own, else the one that the configuration names.
fn schema_path(arguments: &Arguments, model: &Model) -> Result<PathBuf, Error> {
    let beside = arguments.model.join("segdense.json");
    match &arguments.schema {
        Some(path) => Ok(path.clone()),
        None if beside.is_file() => Ok(beside),
        None => Ok(model.config().records.schema_path()?.filter(|path| path.is_file()).unwrap_or(beside)),
    }
}

type Filled = Result<FilledBlock, Error>;

struct FilledBlock {
    block: RecordBlock,
    input_bytes: u64,
}

/// Reads until the end, an error, or until nobody takes blocks any more. Returns what was left out.
fn read(
    mut reader: BlockReader,
    empty: &Receiver<RecordBlock>,
    full: &SyncSender<Filled>,
) -> (u64, u64, Vec<String>) {
    while let Ok(mut block) = empty.recv() {
        let filled = match reader.read_into(&mut block) {
            Ok(false) => break,
            Ok(true) => Ok(FilledBlock { block, input_bytes: reader.input_bytes() }),
            Err(error) => Err(error),
        };
        let failed = filled.is_err();
        if full.send(filled).is_err() || failed {
            break;
        }
    }
    let skipped = reader.skipped();
    (skipped.records, skipped.files_cut, skipped.errors.iter().map(ToString::to_string).collect())
}

/// How a model's records are laid out: its schema, renames and truncations.
pub(crate) fn layout(model: &Model, schema: &Path) -> Result<RecordLayout, Error> {
    if !schema.is_file() {
        return Err(Error::Argument {
            argument: "schema",
            expected: "a segdense.json in the model folder, or --schema FILE".into(),
            found: format!("no {}", schema.display()),
        });
    }
    let schema = Schema::open(schema)?;
    // Labels are for training: a record without them is scored all the same.
    let spec = LayoutSpec { labels: Vec::new(), ..model.config().records.layout_spec() };
    RecordLayout::new(&schema, &spec, model.widths())
}

/// A block's requests, every column given per candidate.
pub(crate) fn requests(block: &RecordBlock) -> Vec<Request<'_>> {
    let widths = block.widths();
    let rows = |range: &std::ops::Range<usize>, width: usize| range.start * width..range.end * width;
    block
        .requests()
        .map(|range| Request {
            candidates: range.len(),
            request: Columns::default(),
            candidate: Columns {
                continuous: Features::F32(&block.continuous()[rows(&range, widths.continuous)]),
                binary: Binary::Bytes(&block.binary()[rows(&range, widths.binary)]),
                user_embedding: Features::F32(&block.user_embedding()[rows(&range, widths.user_embedding)]),
                user_eng_embedding: Features::F32(
                    &block.user_eng_embedding()[rows(&range, widths.user_eng_embedding)],
                ),
                author_embedding: Features::F32(
                    &block.author_embedding()[rows(&range, widths.author_embedding)],
                ),
            },
        })
        .collect()
}

fn format(arguments: &Arguments) -> Format {
    let extension = arguments.out.as_deref().and_then(Path::extension).and_then(|e| e.to_str());
    match (arguments.format, extension) {
        (Some(FormatName::Jsonl), _) | (None, Some("jsonl" | "json")) => Format::JsonLines,
        _ => Format::Csv,
    }
}

/// A bar on a terminal, unless the results go there too.
fn progress(bytes: u64, to_file: bool) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let template = "{bar:30} {bytes}/{total_bytes} {msg}, {eta} left";
    bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
    if !to_file && std::io::stdout().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
