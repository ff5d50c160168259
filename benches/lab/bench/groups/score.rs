//! Whole calls of the production model: by number of candidates, on one thread, ragged, and with columns given once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use maskrank::golden::Case;
use maskrank::{Backend, Batch, Precision, Request, ScoreOptions, Scorer, Scores, Split};
use maskrank_rows::Row;

use super::{Planned, guess, guess_check, is_quickest, is_slow};
use crate::bench::limits::Work;
use crate::bench::quality::Quality;
use crate::bench::subject::{self, CANDIDATES};
use crate::bench::target::{self, Setup};
use crate::bench::{Session, Target};

const SIZES: [usize; 4] = [1, 32, 256, CANDIDATES];
/// Candidates that fill a GPU: its share of the peak is judged there. The inputs are given several times, as requests.
const WIDE: usize = 8192;
/// Candidates of the requests of a ragged batch: 1,500 in all, none a multiple of a tile.
const RAGGED: [usize; 12] = [1, 7, 33, 61, 90, 101, 127, 150, 173, 211, 247, 299];

/// One row of this group.
struct Variant {
    id: String,
    threads: usize,
    candidates: usize,
    requests: Vec<usize>,
    split: Split,
}

fn variants(session: &Session, target: &Target) -> Vec<Variant> {
    let threads = session.threads;
    let plain = |candidates: usize, threads: usize| Variant {
        id: match target.backend {
            Backend::Cpu => format!("score/{}/n{candidates}_t{threads}", target.name()),
            _ => format!("score/{}/n{candidates}", target.name()),
        },
        threads,
        candidates,
        requests: in_requests(candidates),
        split: Split::default(),
    };
    let is_slow = is_slow(session, target);
    let mut variants: Vec<Variant> =
        sizes(target.backend, is_slow).into_iter().map(|n| plain(n, threads)).collect();
    // A quick run looks closely at one precision of a backend; f16 is computed as f32 on most processors.
    let is_plain = match session.arguments.quick {
        true => !is_quickest(session, target),
        false => target.backend == Backend::Cpu && target.precision == Precision::F16,
    };
    if is_slow || is_plain {
        return variants;
    }
    if target.backend == Backend::Cpu {
        let fewer = std::iter::successors(Some(1), |threads| Some(2 * threads)).take_while(|&t| t < threads);
        let fewer = fewer.filter(|&t| t == 1 || !session.arguments.quick);
        variants.extend(fewer.map(|threads| plain(CANDIDATES, threads)));
    }
    let shape = |op: &str, shape: &str| format!("{op}/{}/{shape}_t{threads}", target.name());
    variants.push(Variant {
        id: shape("score_ragged", &format!("n{CANDIDATES}_r{}", RAGGED.len())),
        requests: RAGGED.to_vec(),
        ..plain(CANDIDATES, threads)
    });
    variants.push(Variant {
        id: shape("score_reuse", &format!("n{CANDIDATES}")),
        split: Split::user_embeddings(),
        ..plain(CANDIDATES, threads)
    });
    variants
}

/// Sizes of a backend's rows: a few that show that it is right where a call takes seconds.
fn sizes(backend: Backend, is_slow: bool) -> Vec<usize> {
    let mut sizes: Vec<usize> = SIZES.into_iter().filter(|&n| !(is_slow && n > 32)).collect();
    if backend != Backend::Cpu && !is_slow {
        sizes.push(WIDE);
    }
    sizes
}

/// Candidates as requests of the inputs that there are, all of them but for the last.
fn in_requests(candidates: usize) -> Vec<usize> {
    let whole = std::iter::repeat_n(CANDIDATES, candidates / CANDIDATES);
    whole.chain([candidates % CANDIDATES]).filter(|&n| n > 0).collect()
}

pub(super) fn plan(session: &Session, targets: &[Target]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for target in targets {
        let mut last: Option<(usize, Split)> = None;
        for variant in variants(session, target).into_iter().filter(|v| session.arguments.wants(&v.id)) {
            let slower = session.threads as f64 / variant.threads as f64;
            let call = guess(session, target, variant.candidates) * slower;
            let own = (variant.threads, variant.split);
            // Another number of threads or another split is another scorer.
            let check = if last.as_ref() == Some(&own) { 0.0 } else { guess_check(session, target) * slower };
            last = Some(own);
            planned.push(Planned::new(variant.id, session.effort.estimate(call) + check));
        }
    }
    planned
}

pub(super) fn run(session: &mut Session, targets: &[Target]) -> Result<(), String> {
    for target in targets {
        let variants: Vec<Variant> =
            variants(session, target).into_iter().filter(|v| session.arguments.wants(&v.id)).collect();
        // Variants of one scorer follow one another; each scorer is checked before anything of it is timed.
        let mut made: Option<(usize, Split, Scorer, Quality)> = None;
        let mut whole: Option<f64> = None;
        for variant in variants {
            let fits = made.as_ref().is_some_and(|(t, s, ..)| *t == variant.threads && *s == variant.split);
            if !fits {
                // The one before goes first: two would hold twice the memory.
                drop(made.take());
                let target = Target { threads: variant.threads, ..*target };
                match checked(session, &target, &variant.split) {
                    Ok((scorer, quality)) => {
                        made = Some((variant.threads, variant.split.clone(), scorer, quality))
                    }
                    Err(reason) => {
                        // The target's other rows would be refused for the same reason.
                        session.refuse(reason);
                        break;
                    }
                }
            }
            let Some((.., scorer, quality)) = &made else { continue };
            let target = Target { threads: variant.threads, ..*target };
            match row(session, &target, &variant, scorer) {
                Ok(mut row) => {
                    let is_plain = variant.id.starts_with("score/") && variant.threads == session.threads;
                    if is_plain && variant.candidates == CANDIDATES {
                        whole = Some(row.median_us);
                    } else if let (Some(whole), false) = (whole, variant.id.starts_with("score/")) {
                        (row.baseline, row.ratio) =
                            ("one request, every column a candidate".into(), Some(whole / row.median_us));
                    }
                    session.push(quality.fill(row))?;
                }
                Err(reason) => session.refuse(format!("{}: {reason}", variant.id)),
            }
        }
    }
    Ok(())
}

/// A scorer whose answers are right: the golden case first, then the rows that will be timed.
pub(crate) fn checked(
    session: &mut Session,
    target: &Target,
    split: &Split,
) -> Result<(Scorer, Quality), String> {
    let name = target.name();
    let most = sizes(target.backend, is_slow(session, target)).into_iter().max().unwrap_or_default();
    let make = |split: &Split| {
        let setup = Setup { split: split.clone(), ..Setup::of(most.max(CANDIDATES)) };
        target.scorer(&session.case.model, &setup).map_err(|error| format!("{name}: {error}"))
    };
    if *split == Split::default() || !session.qualities.contains_key(&target.key()) {
        let plain = make(&Split::default())?;
        target::check(&session.case, &plain, &name)?;
        let quality = Quality::measure(&plain, &session.inputs, &session.weights(), &session.truth)?;
        session.qualities.insert(target.key(), (quality, plain.device().clone()));
        if *split == Split::default() {
            return Ok((plain, quality));
        }
    }
    let Some(&(quality, _)) = session.qualities.get(&target.key()) else {
        return Err(format!("{name}: its scores were not compared"));
    };
    let scorer = make(split)?;
    once(session, &scorer, &name)?;
    Ok((scorer, quality))
}

/// Columns given once against the reference, which gets them repeated; within the bounds of the precision.
fn once(session: &mut Session, scorer: &Scorer, name: &str) -> Result<(), String> {
    const ROWS: usize = 16;
    let split = scorer.split().clone();
    if session.repeated.is_none() {
        session.repeated = Some(repeated(session, &split, ROWS)?);
    }
    let Some(case) = &session.repeated else { return Err("no case".to_owned()) };
    let request = session.inputs.request(0, ROWS, &split);
    let comparison = case
        .check_with(scorer, |options, scores| scorer.score(Batch { requests: &[request] }, options, scores))
        .map_err(|error| format!("{name}: {error}"))?;
    if comparison.passed() {
        return Ok(());
    }
    Err(format!(
        "{name}: wrong answers where columns are given once, so no time is given: {}",
        comparison.failures()
    ))
}

/// The first rows of the inputs as a case, the embeddings that a split takes once repeated in every row.
fn repeated(session: &Session, split: &Split, rows: usize) -> Result<Case, String> {
    let (values, widths) = (&session.inputs.values, session.inputs.widths);
    let mut inputs = BTreeMap::from([
        ("continuous".to_owned(), values.continuous[..rows * widths.continuous].to_vec()),
        ("binary".to_owned(), values.binary[..rows * widths.binary].to_vec()),
    ]);
    for (at, name) in maskrank::config::EMBEDDINGS.into_iter().enumerate() {
        let width = widths.embeddings()[at];
        let all = &values.embeddings[at];
        let own = if split.embeddings[at] { all[..width].repeat(rows) } else { all[..rows * width].to_vec() };
        inputs.insert(name.to_owned(), own);
    }
    let weights = session.case.score_weights.clone();
    Case::from_inputs("given once", &session.case.model, rows, weights, inputs)
        .map_err(|error| error.to_string())
}

fn row(session: &mut Session, target: &Target, variant: &Variant, scorer: &Scorer) -> Result<Row, String> {
    let (weights, candidates) = (session.weights(), variant.candidates);
    let bytes = session.cost.weights * target.weight_bytes();
    let is_known = session.limits.knows(target.precision, target.threads, bytes);
    if target.backend == Backend::Cpu && !(session.arguments.quick && is_known) {
        session.limits.measure(target.precision, target.threads, bytes);
    }
    let inputs = Arc::clone(&session.inputs);
    let mut start = 0;
    let requests: Vec<Request<'_>> = variant
        .requests
        .iter()
        .map(|&candidates| {
            if start + candidates > CANDIDATES {
                start = 0;
            }
            let request = inputs.request(start, candidates, &variant.split);
            start += candidates;
            request
        })
        .collect();
    let (options, mut scores) = (ScoreOptions::new(&weights), Scores::default());
    let summary = session.time(&variant.id, || {
        let clock = Instant::now();
        scorer
            .score(Batch { requests: &requests }, &options, &mut scores)
            .map_err(|error| error.to_string())?;
        Ok(clock.elapsed())
    })?;
    if !scores.scores.iter().all(|score| score.is_finite()) {
        return Err("a score is not a number".to_owned());
    }
    // What is computed once a request is not counted again for each candidate.
    let cost = subject::cost_for(&session.case.model, &variant.split);
    let flops = cost.flops * candidates as f64 + cost.request_flops * variant.requests.len() as f64;
    let mut row = session.row(&variant.id, scorer.device()).timed(&summary);
    row = row.rated(candidates, flops, bytes as f64);
    match target.backend {
        Backend::Cpu => {
            let (precision, threads, seconds) = (target.precision, target.threads, summary.median);
            let work = Work { precision, threads, depth: None, flops, bytes, region: bytes, seconds };
            session.share(&mut row, &work);
        }
        Backend::Wgpu => session.share_of_adapter(&mut row, flops, bytes, bytes),
        Backend::Cuda => session.share_of_gpu(&mut row, target.precision, (flops, bytes as f64)),
        _ => {}
    }
    Ok(row)
}

#[cfg(test)]
#[allow(
    dead_code,
    unused_imports,
    reason = "a bench without a harness runs no tests; tests/bench_refuses.rs runs these"
)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_that_is_no_program_is_filled() {
        assert_eq!(sizes(Backend::Wgpu, false), [1, 32, 256, 1500, 8192]);
        assert_eq!(sizes(Backend::Cuda, false), [1, 32, 256, 1500, 8192]);
        assert_eq!(sizes(Backend::Wgpu, true), [1, 32]);
        assert_eq!(sizes(Backend::Cpu, false), [1, 32, 256, 1500]);
        assert_eq!(in_requests(WIDE), [1500, 1500, 1500, 1500, 1500, 692]);
        assert_eq!(in_requests(CANDIDATES), [1500]);
        assert_eq!(in_requests(1), [1]);
    }
}
