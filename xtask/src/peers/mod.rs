//! `cargo xtask peers`: our CPU backend beside PyTorch, ONNX Runtime and OpenVINO, on the same weights and inputs.
//!
//! Every contender is a process that stays alive; they take turns (A B C A B C …) inside one run, and whoever is not
//! measured is stopped (SIGSTOP), so that no library's spinning threads cost another one time. Outputs are compared
//! with the f64 truth before any time is taken. What was measured is kept after every size.

mod contender;
mod environment;
mod quality;
mod rounds;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use maskrank_rows::{Limit, Place, Recorder, Row};

pub(crate) use table::targets;

use contender::Contender;
use quality::Facts;
use rounds::Session;

/// What to compare.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Threads of every contender; default: all
    #[arg(long)]
    threads: Option<usize>,
    /// Rounds in which everybody has a turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of one turn
    #[arg(long, default_value_t = 0.4)]
    turn: f64,
    /// Only these peers: torch-eager, torch-compile, onnxruntime, openvino; "none" leaves ours and the limits
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these precisions
    #[arg(long, value_delimiter = ',', default_values = ["f32", "bf16"])]
    precisions: Vec<String>,
    /// Numbers of candidates
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 256, 1500])]
    sizes: Vec<usize>,
    /// Write nothing to benches/record/
    #[arg(long)]
    no_record: bool,
}

/// The peers, in the order in which they take turns.
const PEERS: [&str; 4] = ["torch-eager", "torch-compile", "onnxruntime", "openvino"];

/// Runs the comparison.
///
/// # Errors
/// Our own side cannot be built, gives wrong answers or goes beyond a limit; the record cannot be written.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let lab = build(root)?;
    let folder = prepare(&lab)?;
    let facts = Facts::read(&folder)?;
    let wanted: Vec<&str> = PEERS
        .into_iter()
        .filter(|peer| arguments.only.is_empty() || arguments.only.iter().any(|only| only == peer))
        .collect();
    let python = match wanted.is_empty() {
        true => Err("no peer was asked for".to_owned()),
        false => environment::ensure(root),
    };
    let threads =
        arguments.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let mut session = Session::new(root, arguments, facts, folder, threads);
    if let Err(reason) = &python {
        session.absent(format!("peers: {reason}"));
    }
    println!(
        "{} threads each, {} rounds of turns of {} s, N = {:?}; about {:.0} minutes",
        threads,
        arguments.rounds,
        arguments.turn,
        arguments.sizes,
        session.estimate(if python.is_ok() { wanted.len() } else { 0 }) / 60.0
    );
    let mut failures = Vec::new();
    for precision in &arguments.precisions {
        let peers = python.as_ref().map_or(&[] as &[&str], |_| wanted.as_slice());
        let python = python.as_deref().unwrap_or(Path::new("python3"));
        if let Err(problem) = session.compare(precision, &lab, python, peers) {
            eprintln!("{precision}: {problem}");
            failures.push(format!("{precision}: {problem}"));
        }
    }
    session.recorder.run.complete = failures.is_empty();
    session.write()?;
    println!("\n{}", targets(&session.recorder.run.rows, threads));
    if let Some(folder) = session.recorder.folder() {
        println!("kept in {}", folder.display());
    }
    println!("took {:.0} s", session.seconds());
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Builds the benches and finds their program.
fn build(root: &Path) -> Result<PathBuf, String> {
    println!("building the benches (release)");
    let output = Command::new("cargo")
        .args(["bench", "-p", "maskrank", "--bench", "lab", "--no-run", "--message-format=json"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("the benches do not build".to_owned());
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "lab")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .ok_or_else(|| "cargo names no program of the benches".to_owned())
}

/// Lets the benches write what every contender reads.
fn prepare(lab: &Path) -> Result<PathBuf, String> {
    let output = Command::new(lab)
        .arg("prepare")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", lab.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let folder = text.lines().find_map(|line| line.strip_prefix("prepared "));
    match (output.status.success(), folder) {
        (true, Some(folder)) => Ok(PathBuf::from(folder)),
        _ => Err("the weights and inputs could not be prepared".to_owned()),
    }
}

/// A run's own place in the records.
fn recorder(root: &Path, device: &str, keep: bool) -> Recorder {
    Recorder::new("peers", &Place::here(root, device), keep)
}

/// A limit that our side measured.
fn limit(name: &str, threads: usize, value: f64, unit: &str) -> Limit {
    Limit {
        name: name.to_owned(),
        threads,
        value,
        unit: unit.to_owned(),
        how: "by our side between its turns; see benches/lab/bench/limits".to_owned(),
    }
}

/// The columns that every row of a contender has.
fn row(op: &str, contender: &Contender, shape: String) -> Row {
    Row {
        op: op.to_owned(),
        backend: contender.name.clone(),
        dtype: contender.precision.clone(),
        shape,
        l2: "warm".to_owned(),
        kind: "score".to_owned(),
        driver: contender.settings.first().cloned().unwrap_or_default(),
        ..Row::default()
    }
}
