//! Cold start: from a model's folder, or its packed file, to the first scores, in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use maskrank::{Backend, Model, Precision, Scorer};
use maskrank_rows::Summary;

use super::{Planned, guess, guess_check, is_quickest, is_slow, quality};
use crate::bench::contender::{self, COLD_CANDIDATES};
use crate::bench::{Session, Target, timing};

/// What a process starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Configuration and safetensors, packed at every start.
    Folder,
    /// One file, packed beforehand.
    Packed,
}

fn id(session: &Session, target: &Target, source: Source) -> String {
    let op = if source == Source::Packed { "cold_start_packed" } else { "cold_start" };
    match target.backend {
        Backend::Cpu => format!("{op}/{}/n{COLD_CANDIDATES}_t{}", target.name(), session.threads),
        _ => format!("{op}/{}/n{COLD_CANDIDATES}", target.name()),
    }
}

/// Every row: of a quick run, and of a software GPU, packed files of the quickest precision only.
fn rows(session: &Session, targets: &[Target]) -> Vec<(Target, Source, String)> {
    let mut rows = Vec::new();
    for target in targets {
        for source in [Source::Folder, Source::Packed] {
            let can_be_packed = target.precision != Precision::Tf32;
            let is_brief = session.arguments.quick || is_slow(session, target);
            let is_wanted = !is_brief || is_quickest(session, target);
            if source == Source::Folder || can_be_packed && is_wanted {
                rows.push((*target, source, id(session, target, source)));
            }
        }
    }
    rows.retain(|(.., id)| session.arguments.wants(id));
    rows
}

fn rounds(session: &Session) -> usize {
    if session.arguments.quick { 3 } else { 5 }
}

pub(super) fn plan(session: &Session, targets: &[Target]) -> Vec<Planned> {
    let mut planned: Vec<Planned> = rows(session, targets)
        .into_iter()
        .map(|(target, source, id)| {
            let own = if source == Source::Packed { 0.6 } else { 1.2 };
            let start = own + guess(session, &target, COLD_CANDIDATES);
            let check = if session.arguments.words.is_empty() { 0.0 } else { guess_check(session, &target) };
            let pack = if source == Source::Packed { 2.0 } else { 0.0 };
            Planned::new(id, rounds(session) as f64 * start + check + pack)
        })
        .collect();
    if let Some(first) = planned.first_mut().filter(|_| !contender::is_prepared()) {
        // The files that processes read are written first.
        first.seconds += 12.0;
    }
    planned
}

pub(super) fn run(session: &mut Session, targets: &[Target]) -> Result<(), String> {
    for (target, source, id) in rows(session, targets) {
        let folder = contender::folder()?;
        let packed = match source {
            Source::Folder => None,
            Source::Packed => match pack(&target, &folder) {
                Ok(file) => Some(file),
                Err(reason) => {
                    session.refuse(format!("{id}: {reason}"));
                    continue;
                }
            },
        };
        let outcome = row(session, &target, &id, &folder, packed.as_deref());
        if let Some(file) = packed {
            // Large, and made anew for every run: packing is part of the code that is measured.
            let _gone = std::fs::remove_file(file);
        }
        if let Err(reason) = outcome {
            session.refuse(format!("{id}: {reason}"));
        }
    }
    Ok(())
}

/// The folder's model packed for a target.
fn pack(target: &Target, folder: &Path) -> Result<PathBuf, String> {
    let text = |error: maskrank::Error| error.to_string();
    let file = folder.join(format!("{}-{}.packed", target.backend, target.precision));
    let model = Model::open(folder).map_err(text)?;
    let builder = Scorer::builder(&model).backend(target.backend).precision(target.precision);
    builder.pack(&file).map_err(text)?;
    Ok(file)
}

fn row(
    session: &mut Session,
    target: &Target,
    id: &str,
    folder: &Path,
    packed: Option<&Path>,
) -> Result<(), String> {
    let (quality, device) = quality(session, target)?;
    let program = std::env::current_exe().map_err(|error| format!("this program's own path: {error}"))?;
    let steady = timing::steady();
    let (mut samples, mut memory) = (Vec::new(), 0.0f64);
    for _ in 0..rounds(session) {
        let clock = Instant::now();
        let output = Command::new(&program)
            .args(["contender", &target.backend.to_string(), &target.precision.to_string()])
            .arg(target.threads.to_string())
            .arg(folder)
            .arg("--once")
            .args(packed)
            .output()
            .map_err(|error| format!("cannot start a process: {error}"))?;
        let elapsed: Duration = clock.elapsed();
        let text = String::from_utf8_lossy(&output.stdout);
        let peak = text.lines().find_map(|line| line.strip_prefix("peak ")?.trim().parse::<f64>().ok());
        if !output.status.success() || !text.contains("ready") {
            return Err(format!("the process failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        samples.push(elapsed.as_secs_f64());
        memory = memory.max(peak.unwrap_or_default());
    }
    let drift = timing::drift(steady);
    let mut row = quality.fill(session.row(id, &device)).timed(&Summary::of(&samples, drift));
    row.kind = "start".to_owned();
    row.l2 = "cold".to_owned();
    row.memory_mb = Some(memory / 1e6);
    row.note = match packed {
        None => {
            "a fresh process: open and check the files (in the page cache), pack, self-test, score once, end"
        }
        Some(_) => {
            "a fresh process: open and check the packed file (in the page cache), self-test, score once, end"
        }
    }
    .into();
    session.push(row)
}
