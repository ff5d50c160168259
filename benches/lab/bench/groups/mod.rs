//! The groups of rows, in the order in which they run.

mod cold;
mod kernels;
mod records;
mod reference;
pub(crate) mod score;
mod sizes;
mod steps;

use std::collections::BTreeMap;
use std::time::Instant;

use maskrank::{Backend, Batch, Device, Error, Precision, ScoreOptions, Scores, Split};

use super::quality::Quality;
use super::subject::{CANDIDATES, TRUTH_ROWS};
use super::target::{self, Setup};
use super::{Arguments, Session, Target, load, output};
pub(crate) use score::checked;

/// Seconds that a quick run may take, with a little to spare: what does not fit is left out, and said.
const QUICK_SECONDS: f64 = 165.0;
/// Seconds that a full run should take: load has what the other rows leave of them.
const FULL_SECONDS: f64 = 1_140.0;
/// Candidates of the call from which the length of a run is estimated.
const PROBE: usize = 32;

/// A row that may be run.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) id: String,
    /// Seconds that it takes, about.
    pub(crate) seconds: f64,
    /// Rows that are measured by the same calls: all of them are run, or none.
    pub(crate) part: String,
}

impl Planned {
    pub(crate) fn new(id: String, seconds: f64) -> Self {
        Self { part: id.clone(), id, seconds }
    }
}

/// Runs everything that was asked for.
///
/// # Errors
/// Nothing could be prepared, the record could not be written, or something was refused.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let mut session = Session::new(arguments)?;
    let run = &session.recorder.run;
    println!(
        "{}, commit {}{}",
        run.device,
        run.commit,
        match run.load_average {
            Some(load) if load > 0.5 =>
                format!("; load average {load}: other work disturbs what is measured"),
            _ => String::new(),
        }
    );
    let mut targets = present(&mut session);
    if arguments.quick {
        // A software GPU is slow in every precision alike: one shows that it is right.
        let out: Vec<Target> =
            targets.extract_if(.., |t| t.precision != Precision::F32 && is_slow(&session, t)).collect();
        for target in out {
            session.rates.remove(&target.name());
            session.absent(format!("{}: of a slow device a quick run takes f32 alone", target.name()));
        }
    }
    let slow =
        targets.iter().filter(|t| is_slow(&session, t)).map(Target::name).collect::<Vec<_>>().join(", ");
    if !slow.is_empty() {
        session.absent(format!(
            "more than 32 candidates on {slow}: seconds a call, so a few show that they are right"
        ));
    }
    for reason in load::left_out(&session, &targets) {
        session.absent(reason);
    }
    session.absent(
        "pipeline stages: a bench of their own, cargo bench -p maskrank-pipeline --bench funnel".to_owned(),
    );
    let planned = plan(&mut session, &targets)?;
    session.ahead = planned.iter().map(|row| (row.id.clone(), row.seconds)).collect();
    let seconds: f64 = session.ahead.values().sum::<f64>() + session.seconds();
    println!("{} rows, about {}", planned.len(), output::length(seconds));
    if arguments.list {
        planned.iter().for_each(|row| println!("  {:<52} {:.1} s", row.id, row.seconds));
        return Ok(());
    }
    if let Some(folder) = session.recorder.folder() {
        println!("every row is kept in {} as soon as it is measured", folder.display());
    }
    let threads = session.threads;
    // Caches of a core, of all cores, and memory.
    session
        .limits
        .measure_memory(threads, &[1 << 20, 16 << 20, if arguments.quick { 256 << 20 } else { 1 << 30 }]);
    reference::run(&mut session)?;
    score::run(&mut session, &targets)?;
    steps::run(&mut session, &targets)?;
    kernels::run(&mut session, &targets)?;
    sizes::run(&mut session, &targets)?;
    cold::run(&mut session, &targets)?;
    records::run(&mut session, &targets)?;
    load::run(&mut session, &targets)?;
    session.finish()
}

/// What will be run. What a quick run has no time for is taken out of it, the longest first, and listed.
fn plan(session: &mut Session, targets: &[Target]) -> Result<Vec<Planned>, String> {
    let mut planned = Vec::new();
    planned.extend(reference::plan(session));
    planned.extend(score::plan(session, targets));
    planned.extend(steps::plan(session, targets));
    planned.extend(kernels::plan(session, targets));
    planned.extend(sizes::plan(session, targets));
    planned.extend(cold::plan(session, targets));
    planned.extend(records::plan(session, targets));
    if !session.arguments.quick && session.arguments.words.is_empty() {
        let others = planned.iter().map(|row| row.seconds).sum::<f64>() + session.seconds();
        session.longest_load = load::longest(session, targets, FULL_SECONDS - others);
    }
    planned.extend(load::plan(session, targets));
    if planned.is_empty() {
        return Err(match session.arguments.resume {
            true => "every row that is asked for is there already".to_owned(),
            false => format!("no row's id contains any of {:?}", session.arguments.words),
        });
    }
    if session.arguments.quick && session.arguments.words.is_empty() {
        let budget = QUICK_SECONDS - session.seconds();
        while planned.len() > 1 && planned.iter().map(|row| row.seconds).sum::<f64>() > budget {
            let mut parts: BTreeMap<&str, f64> = BTreeMap::new();
            planned.iter().for_each(|row| *parts.entry(&row.part).or_default() += row.seconds);
            let Some((longest, seconds)) = parts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)) else {
                break;
            };
            let longest = longest.to_owned();
            session.absent(format!("{longest}: it would take {seconds:.0} s; a full run has it"));
            let (out, rest) = planned.into_iter().partition::<Vec<_>, _>(|row| row.part == longest);
            session.arguments.without.extend(out.into_iter().map(|row| row.id));
            planned = rest;
        }
    }
    Ok(planned)
}

/// Why whole calls of every target were refused, and how many rows were timed all the same. For tests.
///
/// # Errors
/// Nothing could be prepared.
#[allow(dead_code, reason = "what tests/bench_refuses.rs asks for")]
pub(crate) fn refused(arguments: &Arguments) -> Result<(Vec<Target>, Vec<String>, usize), String> {
    let mut session = Session::new(arguments)?;
    let targets = present(&mut session);
    score::run(&mut session, &targets)?;
    Ok((targets, session.refused, session.recorder.run.rows.len()))
}

/// The targets that are here; the others are listed with the reason.
pub(crate) fn present(session: &mut Session) -> Vec<Target> {
    let mut targets = Vec::new();
    for (backend, precision) in target::all() {
        let target =
            Target { backend, precision, threads: session.threads, fault: session.arguments.planted_fault };
        let probe = Target { fault: false, ..target };
        match probe.scorer(&session.case.model, &Setup::of(PROBE)) {
            Ok(scorer) => {
                match rate(session, &scorer) {
                    Ok(rate) => _ = session.rates.insert(target.name(), rate),
                    Err(reason) => {
                        session.absent(format!("{}: {reason}", target.name()));
                        continue;
                    }
                }
                targets.push(target);
            }
            // A backend that is here but does not offer the precision: by design, nothing is missing.
            Err(Error::Unsupported { .. }) => {}
            Err(error) if precision == Precision::F32 => session.absent(format!("{backend}: {error}")),
            // Where a backend has not even f32, that was said.
            Err(error) if targets.iter().any(|t| t.backend == backend) => {
                session.absent(format!("{}: {error}", target.name()));
            }
            Err(_) => {}
        }
    }
    targets
}

/// FLOP/s of the second of two small calls.
fn rate(session: &Session, scorer: &maskrank::Scorer) -> Result<f64, String> {
    let weights = session.weights();
    let requests = [session.inputs.request(0, PROBE, &Split::default())];
    let (options, mut scores, mut seconds) = (ScoreOptions::new(&weights), Scores::default(), f64::NAN);
    for _ in 0..2 {
        let clock = Instant::now();
        scorer
            .score(Batch { requests: &requests }, &options, &mut scores)
            .map_err(|error| error.to_string())?;
        seconds = clock.elapsed().as_secs_f64();
    }
    Ok(session.cost.flops * PROBE as f64 / seconds)
}

/// Seconds that a call of the production model takes, roughly: only for telling how long a run will be.
pub(crate) fn guess(session: &Session, target: &Target, candidates: usize) -> f64 {
    guess_flops(session, target, session.cost.flops * candidates as f64)
}

/// The same, of a number of FLOPs.
pub(crate) fn guess_flops(session: &Session, target: &Target, flops: f64) -> f64 {
    flops / session.rates.get(&target.name()).unwrap_or(&1e11) + 0.002
}

/// What it takes to make a scorer and to hold it against the reference.
pub(crate) fn guess_check(session: &Session, target: &Target) -> f64 {
    0.5 + guess(session, target, TRUTH_ROWS + 16)
}

/// Whether it is a software GPU, which takes seconds a call: enough to see that it is right.
pub(crate) fn is_slow(session: &Session, target: &Target) -> bool {
    target.backend != Backend::Cpu && guess(session, target, CANDIDATES) > 5.0
}

/// The precision that is the quickest on its backend here.
pub(crate) fn is_quickest(session: &Session, target: &Target) -> bool {
    let own = session.rates.get(&target.name()).copied().unwrap_or_default();
    let prefix = format!("{}/", target.backend);
    session.rates.iter().all(|(name, &rate)| !name.starts_with(&prefix) || rate <= own)
}

/// How good a target's scores are: known from before, or found out now.
///
/// # Errors
/// The scores are wrong: nothing of this target may be timed.
pub(crate) fn quality(session: &mut Session, target: &Target) -> Result<(Quality, Device), String> {
    match session.qualities.get(&target.key()) {
        Some(known) => Ok(known.clone()),
        None => {
            let (scorer, quality) = checked(session, target, &Split::default())?;
            Ok((quality, scorer.device().clone()))
        }
    }
}
