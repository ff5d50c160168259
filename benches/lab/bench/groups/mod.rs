//! The groups of rows, in the order in which they run.

mod cold;
mod records;
pub(crate) mod score;
mod sizes;
mod steps;

use maskrank::{Backend, Error, Precision};

use super::target::{self, Setup};
use super::{Arguments, Session, Target, load, subject};
pub(crate) use score::checked;

/// A row that may be run.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) id: String,
    /// Seconds that it takes, about.
    pub(crate) seconds: f64,
}

/// Runs everything that was asked for.
///
/// # Errors
/// Nothing could be prepared, the record could not be written, or something was refused.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let name = if arguments.quick { "bench-quick" } else { "bench" };
    let mut session = Session::new(arguments, name)?;
    let mut targets = present(&mut session);
    if arguments.quick {
        // A software GPU is slow in every precision alike: one shows that it is right.
        let flops = session.cost.flops;
        targets.retain(|t| t.precision == Precision::F32 || guess(t, flops, subject::CANDIDATES) < 5.0);
    }
    session.absent("pipeline stages: a bench of their own, cargo bench -p maskrank-pipeline".to_owned());

    let mut planned = Vec::new();
    planned.extend(score::plan(&session, &targets));
    planned.extend(steps::plan(&session, &targets));
    planned.extend(sizes::plan(&session, &targets));
    planned.extend(cold::plan(&session, &targets));
    planned.extend(records::plan(&session, &targets));
    planned.extend(load::plan(&session, &targets));
    if planned.is_empty() {
        return Err(format!("no row's id contains any of {:?}", arguments.words));
    }
    let seconds: f64 = planned.iter().map(|row| row.seconds).sum();
    println!(
        "{} rows, about {:.0} minutes and {:.0} seconds",
        planned.len(),
        (seconds / 60.0).floor(),
        seconds % 60.0
    );
    if arguments.list {
        planned.iter().for_each(|row| println!("  {:<44} {:.1} s", row.id, row.seconds));
        return Ok(());
    }

    let threads = session.threads;
    // Caches of a core, of all cores, and memory.
    session
        .limits
        .measure_memory(threads, &[1 << 20, 16 << 20, if arguments.quick { 256 << 20 } else { 1 << 30 }]);
    score::run(&mut session, &targets)?;
    steps::run(&mut session, &targets)?;
    sizes::run(&mut session, &targets)?;
    cold::run(&mut session, &targets)?;
    records::run(&mut session, &targets)?;
    load::run(&mut session, &targets)?;
    session.finish()
}

/// Why whole calls of every target were refused, and how many rows were timed all the same. For tests.
///
/// # Errors
/// Nothing could be prepared.
#[allow(dead_code, reason = "what tests/bench_refuses.rs asks for")]
pub(crate) fn refused(arguments: &Arguments) -> Result<(Vec<String>, usize), String> {
    let mut session = Session::new(arguments, "refused")?;
    let targets = present(&mut session);
    score::run(&mut session, &targets)?;
    Ok((session.refused, session.recorder.run.rows.len()))
}

/// The targets that are here; the others are listed with the reason.
pub(crate) fn present(session: &mut Session) -> Vec<Target> {
    let mut targets = Vec::new();
    for (backend, precision) in target::all() {
        let target =
            Target { backend, precision, threads: session.threads, fault: session.arguments.planted_fault };
        let probe = Target { fault: false, ..target };
        match probe.scorer(&session.case.model, &Setup::of(1)) {
            Ok(_) => targets.push(target),
            // A backend that is here but does not offer the precision: by design, nothing is missing.
            Err(Error::Unsupported { .. }) => {}
            Err(error) if precision == Precision::F32 => session.absent(format!("{backend}: {error}")),
            Err(_) => {}
        }
    }
    targets
}

/// Seconds that a call takes, roughly: only for telling how long a run will be.
pub(crate) fn guess(target: &Target, flops: f64, candidates: usize) -> f64 {
    let rate = match (target.backend, target.precision) {
        (Backend::Cpu, Precision::Bf16) => 1e12,
        (Backend::Cpu, _) => 1.5e11,
        (Backend::Wgpu, _) => 8e9,
        _ => 5e13,
    };
    flops * candidates as f64 / rate + 0.004
}
