//! Cold start: from a model's folder to the first scores, in a process of its own.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use maskrank::Backend;
use maskrank_rows::Summary;

use super::{Planned, guess};
use crate::bench::contender::{self, COLD_CANDIDATES};
use crate::bench::target::{self, Setup};
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
    let seconds =
        |target: &Target| rounds(session) as f64 * (1.2 + guess(target, session.cost.flops, COLD_CANDIDATES));
    targets
        .iter()
        .map(|target| Planned { id: id(session, target), seconds: seconds(target) })
        .filter(|row| session.arguments.wants(&row.id))
        .collect()
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
    let scorer = target.scorer(&session.case.model, &Setup::of(64)).map_err(|error| error.to_string())?;
    target::check(&session.case, &scorer, id)?;
    let kernel = scorer.device().kernel.clone();
    drop(scorer);
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
    let drift = (timing::steady() / steady - 1.0).abs();
    let mut row = session.row(id, target, &kernel).timed(&Summary::of(&samples, drift));
    row.kind = "start".to_owned();
    row.l2 = "cold".to_owned();
    row.memory_mb = Some(memory / 1e6);
    row.note =
        "a fresh process: open and check the files (in the page cache), pack, self-test, score once, end"
            .into();
    session.push(row)
}
