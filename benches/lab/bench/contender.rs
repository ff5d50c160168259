//! Our side of a comparison with other libraries, as a long-lived process: the same protocol as theirs.
//!
//! ```text
//! contender BACKEND PRECISION THREADS FOLDER     serves commands until its input ends
//!     score N CALLS      seconds of each call, after one that is not counted
//!     outputs N FILE     logits and scores of the first N rows, f32, written to FILE
//!     share N SECONDS    share of the machine's limit that a call of N in that time reaches, and the limit
//!     limits             multiply rate (FLOP/s) and read bandwidth (B/s) as measured so far
//!     peak               most memory held so far, bytes
//! contender BACKEND PRECISION THREADS FOLDER --once [PACKED]     one first score, from a packed file where one is named
//! prepare FOLDER                                 writes what every contender reads
//! ```

use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use maskrank::plan::Cost;
use maskrank::weights::seeded::SeededInputs;
use maskrank::{Backend, Batch, Model, Outputs, Precision, ScoreOptions, Scorer, Scores, Split};
use serde_json::json;

use super::Target;
use super::limits::{Limits, Work};
use super::subject::{self, CANDIDATES, Inputs, SEED, TRUTH_ROWS, Truth};
use super::target::Setup;

/// Candidates of the first call, whose time is part of a cold start.
pub(crate) const COLD_CANDIDATES: usize = 32;
/// Raised when the folder's contents change.
const VERSION: u64 = 1;
const INPUTS: [&str; 5] =
    ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"];

/// The prepared folder, made when it is not there.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn folder() -> Result<PathBuf, String> {
    let folder = own_folder();
    if !is_prepared() {
        write_folder(&folder)?;
    }
    Ok(folder)
}

fn own_folder() -> PathBuf {
    subject::cache().join(format!("contenders-v{VERSION}"))
}

/// Whether it is there already.
pub(crate) fn is_prepared() -> bool {
    own_folder().join("facts.json").is_file()
}

/// `prepare FOLDER`, or the folder of its own where none is named; prints it.
///
/// # Errors
/// When the golden case cannot be read or the folder cannot be written.
pub(crate) fn prepare(words: &[String]) -> Result<(), String> {
    let folder = match words.first() {
        Some(folder) => {
            write_folder(Path::new(folder))?;
            PathBuf::from(folder)
        }
        None => folder()?,
    };
    println!("prepared {}", folder.display());
    Ok(())
}

/// Facts come last: a folder with them is whole.
fn write_folder(folder: &Path) -> Result<(), String> {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(folder.join("inputs")).map_err(|error| format!("{}: {error}", folder.display()))?;
    let case = subject::production()?;
    let golden = subject::root().join("tests/golden/production");
    let config = fs::read(golden.join("config.yaml")).map_err(|error| error.to_string())?;
    write("config.yaml", &config)?;
    case.model.weights().write(folder.join("model.safetensors")).map_err(|error| error.to_string())?;
    let inputs = Inputs::new(&case.model, CANDIDATES);
    let truth = Truth::of(&case.name, &case.model, &case.score_weights, &inputs)?;
    let [user, engagement, author] = &inputs.values.embeddings;
    let arrays = [&inputs.values.continuous, &inputs.values.binary, user, engagement, author];
    for (name, values) in INPUTS.into_iter().zip(arrays) {
        write(&format!("inputs/{name}.f32"), bytemuck::cast_slice(values))?;
    }
    let truth_bytes: Vec<u8> =
        truth.logits.iter().chain(&truth.scores).flat_map(|v| v.to_le_bytes()).collect();
    write("truth.f64", &truth_bytes)?;
    let (model, cost) = (&case.model, subject::cost(&case.model));
    let widths: serde_json::Map<String, serde_json::Value> =
        model.widths().named().into_iter().map(|(name, width)| (name.to_owned(), width.into())).collect();
    let features = &model.config().featurization;
    let blocks = model.weights().names().filter(|n| n.ends_with("._hidden_layer.weight")).count();
    let flavour = |precision| flavour_error(&case, &inputs, &truth, precision);
    let facts = json!({
        "seed": SEED,
        "rows": CANDIDATES,
        "truth_rows": TRUTH_ROWS,
        "cold_candidates": COLD_CANDIDATES,
        "flops": cost.flops,
        "weights": cost.weights,
        "widths": widths,
        "mask_blocks": blocks,
        "tasks": model.tasks().iter().map(|task| task.name.clone()).collect::<Vec<_>>(),
        "calibration_ratios": model.tasks().iter().map(|task| task.calibration_ratio).collect::<Vec<_>>(),
        "score_weights": case.score_weights,
        "clip_magnitude": features.clip_magnitude,
        "feature_epsilon": features.layer_norm.as_ref().map(|norm| norm.epsilon),
        // Largest error of a logit that the reference makes when it rounds where a precision rounds.
        "rounding": { "f32": 0.0, "bf16": flavour(Precision::Bf16)? },
    });
    let case_file = json!({ "seed": SEED, "rows": CANDIDATES, "shapes": facts["widths"], "score_weights": case.score_weights });
    write("case.json", case_file.to_string().as_bytes())?;
    write("facts.json", format!("{facts:#}\n").as_bytes())
}

/// What rounding alone does to a logit, over the first rows.
fn flavour_error(
    case: &maskrank::golden::Case,
    inputs: &Inputs,
    truth: &Truth,
    precision: Precision,
) -> Result<f64, String> {
    const ROWS: usize = 16;
    let (values, widths) = (&inputs.values, inputs.widths);
    let embedding = |at: usize| &values.embeddings[at][..ROWS * widths.embeddings()[at]];
    let given = maskrank_reference::Inputs {
        rows: ROWS,
        continuous: &values.continuous[..ROWS * widths.continuous],
        binary: &values.binary[..ROWS * widths.binary],
        user_embedding: embedding(0),
        user_eng_embedding: embedding(1),
        author_embedding: embedding(2),
    };
    let flavour = maskrank::truth::flavour(precision);
    let output = maskrank::truth::forward(&case.model, &given, &case.score_weights, flavour)
        .map_err(|error| error.to_string())?;
    let errors = output.logits.values().iter().zip(&truth.logits).map(|(a, b)| (a - b).abs());
    Ok(errors.fold(0.0, f64::max))
}

/// Serves commands.
///
/// # Errors
/// Arguments without meaning; a model that cannot be opened; an answer that cannot be written.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let began = Instant::now();
    let [backend, precision, threads, folder, rest @ ..] = words else {
        return Err("contender BACKEND PRECISION THREADS FOLDER [--once [PACKED]]".to_owned());
    };
    let folder = Path::new(folder);
    let target = target(backend, precision, threads)?;
    let once = rest.iter().any(|word| word == "--once");
    // A packed file in the model's place; inputs are the folder's.
    let packed = rest.iter().find(|word| *word != "--once").map(Path::new);
    let model = Model::open(packed.unwrap_or(folder)).map_err(|error| error.to_string())?;
    let mut out = io::stdout().lock();
    let failed = |error: io::Error| format!("cannot answer: {error}");
    // As many as are asked for: buffers of a cold start are those of its own call.
    let most = if once { COLD_CANDIDATES } else { CANDIDATES };
    let scorer = match target.scorer(&model, &Setup::of(most)) {
        Ok(scorer) => scorer,
        Err(error) => return writeln!(out, "absent {error}").map_err(failed),
    };
    let inputs = read_inputs(&model, folder, most)?;
    let weights = read_weights(folder)?;
    let (cost, limits) = (subject::cost(&model), Limits::new(&model));
    let scores = Scores::default();
    let mut contender = Contender { scorer, inputs, weights, scores, target, cost, limits };
    let build = began.elapsed().as_secs_f64();
    let first = contender.score(COLD_CANDIDATES)?;
    let device = contender.scorer.device();
    let hello = json!({
        "settings": [
            format!("maskrank {}, {} threads", env!("CARGO_PKG_VERSION"), target.threads),
            format!("kernel {}", device.kernel),
            "whole calls from f32 rows to scores and logits' head, one scorer, one call at a time",
        ],
        "build_s": build,
        "first_score_s": first,
        "kernel": device.kernel,
        "device": device.name,
    });
    writeln!(out, "ready {hello}").map_err(failed)?;
    if once {
        return writeln!(out, "peak {}", peak()).map_err(failed);
    }
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("cannot read a command: {error}"))?;
        let answer = contender.answer(&line).unwrap_or_else(|error| format!("error {error}"));
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(failed)?;
    }
    Ok(())
}

fn target(backend: &str, precision: &str, threads: &str) -> Result<Target, String> {
    let backend = [Backend::Cpu, Backend::Cuda, Backend::Wgpu].into_iter().find(|b| b.to_string() == backend);
    let precisions = [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16];
    let precision = precisions.into_iter().find(|p| p.to_string() == precision);
    match (backend, precision, threads.parse()) {
        (Some(backend), Some(precision), Ok(threads)) => {
            Ok(Target { backend, precision, threads, fault: false })
        }
        _ => Err("expected a backend, a precision and a number of threads".to_owned()),
    }
}

fn read_inputs(model: &Model, folder: &Path, rows: usize) -> Result<Inputs, String> {
    let widths = model.widths();
    let mut read = widths.named().into_iter().map(|(name, width)| {
        let path = folder.join("inputs").join(format!("{name}.f32"));
        let bytes = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let values: Vec<f32> =
            bytes.as_chunks::<4>().0.iter().take(rows * width).map(|&b| f32::from_le_bytes(b)).collect();
        match values.len() == rows * width {
            true => Ok(values),
            false => Err(format!("{}: expected {rows} rows of {width}", path.display())),
        }
    });
    let mut next = || read.next().unwrap_or_else(|| Err("an input is missing".to_owned()));
    let (continuous, binary) = (next()?, next()?);
    let embeddings = [next()?, next()?, next()?];
    Ok(Inputs { widths, values: SeededInputs { continuous, binary, embeddings } })
}

fn read_weights(folder: &Path) -> Result<Vec<f32>, String> {
    let path = folder.join("facts.json");
    let text =
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let facts: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let weights = facts["score_weights"].as_array().ok_or("facts.json has no score weights")?;
    Ok(weights.iter().filter_map(serde_json::Value::as_f64).map(|weight| weight as f32).collect())
}

struct Contender {
    scorer: Scorer,
    inputs: Inputs,
    weights: Vec<f32>,
    scores: Scores,
    target: Target,
    cost: Cost,
    limits: Limits,
}

impl Contender {
    /// Bytes of the stored weights.
    fn region(&self) -> usize {
        self.cost.weights * self.target.weight_bytes()
    }

    fn call(&mut self, candidates: usize, outputs: Outputs) -> Result<f64, String> {
        let requests = [self.inputs.request(0, candidates, &Split::default())];
        let options = ScoreOptions::new(&self.weights).with_outputs(outputs);
        let clock = Instant::now();
        self.scorer
            .score(Batch { requests: &requests }, &options, &mut self.scores)
            .map_err(|error| error.to_string())?;
        Ok(clock.elapsed().as_secs_f64())
    }

    /// Logits too: the other libraries' graphs give both.
    fn score(&mut self, candidates: usize) -> Result<f64, String> {
        self.call(candidates, Outputs { logits: true, ..Outputs::default() })
    }

    fn answer(&mut self, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<usize>().map_err(|error| format!("{word}: {error}"));
        match words.as_slice() {
            ["score", candidates, calls] => {
                let (candidates, calls) = (number(candidates)?, number(calls)?);
                self.score(candidates)?;
                let times =
                    (0..calls).map(|_| self.score(candidates)).collect::<Result<Vec<f64>, String>>()?;
                let words: Vec<String> = times.iter().map(f64::to_string).collect();
                Ok(format!("times {}", words.join(" ")))
            }
            ["outputs", candidates, file] => {
                self.score(number(candidates)?)?;
                let mut bytes: Vec<u8> = bytemuck::cast_slice(&self.scores.logits).to_vec();
                bytes.extend_from_slice(bytemuck::cast_slice(&self.scores.scores));
                fs::write(file, bytes).map_err(|error| format!("cannot write {file}: {error}"))?;
                Ok("written".to_owned())
            }
            ["share", candidates, seconds] => {
                let seconds: f64 = seconds.parse().map_err(|error| format!("{seconds}: {error}"))?;
                let region = self.region();
                // A round more each time: the limits are the best of the whole run.
                self.limits.measure(self.target.precision, self.target.threads, region);
                let share = self.limits.share(&Work {
                    precision: self.target.precision,
                    threads: self.target.threads,
                    depth: None,
                    flops: self.cost.flops * number(candidates)? as f64,
                    bytes: region,
                    region,
                    seconds,
                })?;
                Ok(format!("share {} {}", share.of_limit, share.limit))
            }
            ["limits"] => {
                let Target { precision, threads, .. } = self.target;
                let bandwidth = self.limits.bandwidth(threads, self.region());
                Ok(format!("limits {} {bandwidth}", self.limits.multiply(precision, threads)))
            }
            ["peak"] => Ok(format!("peak {}", peak())),
            _ => Err(format!("no command is called {line:?}")),
        }
    }
}

/// Most memory that this process held, bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
