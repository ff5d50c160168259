//! Cold start: from a model's folder to the first scores, in a process of its own.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use maskrank::Backend;
use maskrank_rows::Summary;

use super::{Planned, guess, guess_check, quality};
use crate::bench::contender::{self, COLD_CANDIDATES};
use crate::bench::{Session, Target, timing};

fn id(session: &Session, target: &Target) -> String {
    match target.backend {
        Backend::Cpu => format!("cold_start/{}/n{COLD_CANDIDATES}_t{}", target.name(), session.threads),
        _ => format!("cold_start/{}/n{COLD_CANDIDATES}", target.name()),
    }
}

fn rounds(session: &Session) -> usize {
    if session.arguments.quick { 3 } else { 7 }
}

pub(super) fn plan(session: &Session, targets: &[Target]) -> Vec<Planned> {
    let mut planned: Vec<Planned> = targets
        .iter()
        .map(|target| {
            let start = 1.2 + guess(session, target, COLD_CANDIDATES);
            let check = if session.arguments.words.is_empty() { 0.0 } else { guess_check(session, target) };
            Planned::new(id(session, target), rounds(session) as f64 * start + check)
        })
        .filter(|row| session.arguments.wants(&row.id))
        .collect();
    if let Some(first) = planned.first_mut().filter(|_| !contender::is_prepared()) {
        // The files that processes read are written first.
        first.seconds += 12.0;
    }
    planned
}

pub(super) fn run(session: &mut Session, targets: &[Target]) -> Result<(), String> {
    for target in targets {
        let id = id(session, target);
        if !session.arguments.wants(&id) {
            continue;
        }
        let folder = contender::folder()?;
        if let Err(reason) = row(session, target, &id, &folder) {
            session.refuse(format!("{id}: {reason}"));
        }
    }
    Ok(())
}

fn row(session: &mut Session, target: &Target, id: &str, folder: &Path) -> Result<(), String> {
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
    row.note =
        "a fresh process: open and check the files (in the page cache), pack, self-test, score once, end"
            .into();
    session.push(row)
}
