//! `score`: record files in, one line a candidate out.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use maskrank::records::{
    BlockReader, LayoutSpec, Missing, OnBad, Position, ReadOptions, RecordBlock, RecordLayout, Schema,
};
use maskrank::{
    Binary, Columns, Error, Features, Model, Outputs, Request, ScoreOptions, ScoreWeights, Scorer,
};

use crate::columns::RequestColumns;
use crate::output::Sink;
use crate::select::BackendArguments;
use crate::{Outcome, select};

mod checkpoint;
mod input;
mod parquet_in;
mod parquet_out;
mod parted;
mod rows;
mod safetensors_in;
mod stream;

use checkpoint::{Checkpoints, Making, Start};
use input::{Input, TableReader};
use rows::{Format, Rows};
use stream::{Counts, Output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a packed model's file
    #[arg(long)]
    model: PathBuf,
    /// Files, read in this order: TFRecord of tf.Example, gzip or not; or tables, .parquet or .safetensors, with columns
    /// continuous, binary, user_embedding, user_eng_embedding, author_embedding, user_id, author_id, tweet_id
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
    /// Columns that come once a request, as with `pack`; or @FILE that holds them. Gives the bits of a scorer that
    /// declares the same, and computes what a request's records share once
    #[arg(long, value_name = "COLUMNS|@FILE")]
    request_columns: Option<RequestColumns>,
    /// Only the best K candidates of each request, best first
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,
    /// Where to write. Default: standard output
    #[arg(long)]
    out: Option<PathBuf>,
    /// Default: JSON lines when --out ends in .jsonl or .json, Parquet when in .parquet, else CSV
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// Most candidates of one batch
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Take zero for a feature that a record does not have
    #[arg(long)]
    fill_missing: bool,
    /// Go on where an earlier run with the same settings and --out stopped, if there was one
    #[arg(long, requires = "out")]
    resume: bool,
    /// Seconds between the points from which --resume can go on
    #[arg(long, default_value_t = 5.0)]
    checkpoint: f64,
    /// Leave broken records out and count them, rather than stop
    #[arg(long)]
    skip_bad: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Csv,
    Jsonl,
    Parquet,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut model = Model::options();
    if let Some(schema) = &arguments.schema {
        model = model.schema(schema);
    }
    let model = model.open(&arguments.model)?;
    let are_tables = input::are_tables(&arguments.records)?;
    let schema = schema_path(arguments, &model)?;
    // Tables name their columns themselves; records need a schema.
    let layout = if are_tables { None } else { Some(layout(&model, &schema)?) };
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
    let split = arguments.request_columns.as_ref().map(|columns| columns.of(model.widths()));
    let builder = arguments.backend.apply(Scorer::builder(&model)).max_candidates(arguments.batch as usize);
    let scorer = builder.split(split.unwrap_or_default()).build()?;
    eprintln!("{}", select::describe(&scorer));

    let options = ReadOptions {
        missing: if arguments.fill_missing { Missing::FillZero } else { Missing::Refuse },
        on_bad: if arguments.skip_bad { OnBad::Skip } else { OnBad::Stop },
        ..ReadOptions::default()
    };
    let format = format(arguments);
    let mut rows = Rows::new(format, scorer.tasks(), arguments.top);
    if format == Format::Parquet && arguments.out.is_none() {
        return Err("--format parquet: expected --out FILE, found standard output".into());
    }
    let making = match format {
        Format::Parquet => Making::Table(rows.tasks().to_vec()),
        Format::Csv | Format::JsonLines => Making::Renaming,
    };
    let mut checkpoints = arguments.out.as_deref().map(|out| {
        let every = Duration::from_secs_f64(arguments.checkpoint.clamp(0.0, 1e6));
        Checkpoints::new(out, making, every, settings(arguments, &schema, &scorer, &weights))
    });
    let start = match &mut checkpoints {
        Some(checkpoints) if arguments.resume => checkpoints.start()?,
        _ => Start::Anew,
    };
    let (mut before, mut position, mut input_before) = (Counts::default(), Position::default(), 0);
    let sink = match (start, arguments.out.as_deref()) {
        (Start::Complete(state), _) => {
            eprintln!("{} candidates scored by an earlier run", state.candidates);
            return Ok(ExitCode::SUCCESS);
        }
        (Start::From(state), Some(out)) => {
            eprintln!("going on after {} candidates", state.candidates);
            position = state.position;
            input_before = input_before_position(&arguments.records, position);
            before.candidates = state.candidates;
            (before.records_skipped, before.files_cut) = state.skipped;
            rows.resume(state.open);
            Sink::resume(out, state.output_bytes)?
        }
        (_, out) => {
            if let Some(checkpoints) = &checkpoints {
                checkpoints.clear()?;
            }
            let mut sink = Sink::open(out)?;
            rows.header(&mut sink)?;
            sink
        }
    };
    let bar = progress(bytes, arguments.out.is_some());
    let outputs = Outputs {
        calibrated_probabilities: true,
        top_k: arguments.top.map_or(0, |k| k as usize),
        ..Outputs::default()
    };
    let records = arguments.records.clone();
    let reader = match layout {
        Some(layout) => {
            Input::Records(Box::new(BlockReader::resume(records, layout, options, position).read_ahead()))
        }
        None => Input::Tables(Box::new(TableReader::new(records, model.widths(), position))),
    };
    let output = Output { rows, sink, checkpoints, bar, input_before };
    let score_options = ScoreOptions::new(&weights).with_outputs(outputs);
    let counts = stream::run(reader, arguments.batch as usize, &scorer, &score_options, output, &before)
        .map_err(plain)?;
    eprintln!("{} candidates scored", counts.candidates);
    if counts.records_skipped > 0 {
        eprintln!(
            "{} broken records left out, {} files cut short:",
            counts.records_skipped, counts.files_cut
        );
        counts.errors.iter().for_each(|error| eprintln!("  {error}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// An error of another thread is an error like any other.
fn plain(error: Box<dyn std::error::Error + Send + Sync>) -> Box<dyn std::error::Error> {
    error
}

/// `--schema`, else the model folder's own, else the one that the configuration names.
fn schema_path(arguments: &Arguments, model: &Model) -> Result<PathBuf, Error> {
    let beside = arguments.model.join("segdense.json");
    match &arguments.schema {
        Some(path) => Ok(path.clone()),
        // A packed model has its schema in it.
        None if beside.is_file() || model.schema_text().is_some() => Ok(beside),
        None => Ok(model.config().records.schema_path()?.filter(|path| path.is_file()).unwrap_or(beside)),
    }
}

/// What the output's bytes depend on: a run may only go on with the output of one that has the same.
fn settings(
    arguments: &Arguments,
    schema: &Path,
    scorer: &Scorer,
    weights: &[f32],
) -> BTreeMap<String, String> {
    let stamp = |path: &Path| {
        let Ok(file) = std::fs::metadata(path) else { return "nothing".to_owned() };
        let changed = file.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        format!("{} bytes, changed at {:?}", file.len(), changed.unwrap_or_default())
    };
    let mut settings = BTreeMap::new();
    let mut set = |name: String, value: String| settings.insert(name, value);
    if arguments.model.is_file() {
        set("model".into(), stamp(&arguments.model));
    }
    for name in ["config.yaml", "model.safetensors"] {
        let path = arguments.model.join(name);
        set(format!("model {name}"), stamp(&path));
    }
    set("schema".into(), format!("{}, {}", schema.display(), stamp(schema)));
    for (index, path) in arguments.records.iter().enumerate() {
        set(format!("records {index}"), format!("{}, {}", path.display(), stamp(path)));
    }
    set("weights".into(), format!("{weights:?}"));
    let device = scorer.device();
    set("backend".into(), format!("{}, {}, {}", device.backend, device.kernel, scorer.precision()));
    set("request columns".into(), format!("{:?}", scorer.split()));
    set("format".into(), format!("{:?}", format(arguments)));
    set("top".into(), format!("{:?}", arguments.top));
    set("fill-missing".into(), arguments.fill_missing.to_string());
    set("skip-bad".into(), arguments.skip_bad.to_string());
    settings
}

/// Bytes of input before a position: exact for plain files, the files before it for compressed ones.
fn input_before_position(records: &[PathBuf], position: Position) -> u64 {
    let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    let files: u64 = records.iter().take(position.file).map(length).sum();
    let is_gzip = records.get(position.file).is_some_and(|path| path.extension().is_some_and(|e| e == "gz"));
    files + if is_gzip { 0 } else { position.offset }
}

/// How a model's records are laid out: its schema, renames and truncations.
pub(crate) fn layout(model: &Model, schema: &Path) -> Result<RecordLayout, Error> {
    let schema = match (schema.is_file(), model.schema_text()) {
        (true, _) => Schema::open(schema)?,
        (false, Some(text)) => Schema::parse(text.as_bytes(), schema)?,
        (false, None) => {
            return Err(Error::Argument {
                argument: "schema",
                expected: "a segdense.json in the model folder, or --schema FILE".into(),
                found: format!("no {}", schema.display()),
            });
        }
    };
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
        (Some(FormatName::Parquet), _) | (None, Some("parquet")) => Format::Parquet,
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
