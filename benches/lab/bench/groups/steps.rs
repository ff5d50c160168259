//! Each step inside whole calls: featurize, each product with its epilogue, norms, the head. In place, so that caches
//! are as they are in use. On the CPU a step's time is its threads' time over the number of threads; on a GPU it is what
//! the device's own timestamps say.

use std::sync::Arc;

use maskrank::plan::{Epilogue, Folding, Plan, Step};
use maskrank::{Backend, Batch, Precision, ScoreOptions, Scores, Split};
use maskrank_rows::Summary;

use super::{Planned, guess, guess_check, is_slow, score};
use crate::bench::limits::Work;
use crate::bench::quality::Quality;
use crate::bench::subject::CANDIDATES;
use crate::bench::{Session, Target, timing};

const SIZES: [usize; 2] = [32, CANDIDATES];

/// Name, shape, FLOPs and weights of each step.
struct Named {
    op: &'static str,
    shape: String,
    flops: f64,
    weights: usize,
    depth: Option<usize>,
}

fn steps(session: &Session) -> Vec<Named> {
    let model = &session.case.model;
    let plan = Plan::build(model.config(), model.widths(), model.weights(), 32, Folding::Weights);
    plan.steps
        .iter()
        .map(|step| {
            let cost = plan.step_cost(step);
            let (op, shape, depth) = match step {
                Step::Featurize(_) => ("featurize", String::new(), None),
                Step::LayerNorm(_) => ("layer_norm", String::new(), None),
                Step::Head(head) => ("head", format!("g{}_", head.tasks.len()), None),
                Step::Gemm(groups) => {
                    let first = &groups[0].linear;
                    let op = match groups[0].epilogue {
                        Epilogue::Bias => "gemm",
                        Epilogue::BiasRelu => "gemm_relu",
                        Epilogue::BiasMultiply(_) => "gemm_multiply",
                        Epilogue::BiasLayerNorm(_) => "gemm_layer_norm",
                    };
                    let shape = format!("g{}_k{}_o{}_", groups.len(), first.in_features, first.out_features);
                    (op, shape, Some(first.in_features.next_multiple_of(32)))
                }
            };
            Named { op, shape, flops: cost.flops, weights: cost.weights, depth }
        })
        .collect()
}

fn id(session: &Session, target: &Target, step: &Named, candidates: usize) -> String {
    match target.backend {
        Backend::Cpu => {
            format!("{}/{}/{}n{candidates}_t{}", step.op, target.name(), step.shape, session.threads)
        }
        _ => format!("{}/{}/{}n{candidates}", step.op, target.name(), step.shape),
    }
}

/// Calls of one size: as many as fit into a time, within limits.
fn calls(session: &Session, target: &Target, candidates: usize) -> usize {
    let seconds = if session.arguments.quick { 0.8 } else { 4.0 };
    let most = if session.arguments.quick { 40.0 } else { 200.0 };
    (seconds / guess(session, target, candidates)).clamp(5.0, most) as usize
}

/// Numbers of candidates; a software GPU takes seconds a call of the larger one.
fn sizes(session: &Session, target: &Target) -> &'static [usize] {
    if is_slow(session, target) { &SIZES[..1] } else { &SIZES }
}

/// Those that have a clock of their steps; of a quick run the CPU's f16 is left out, which is computed as f32.
fn with_clock(session: &Session, targets: &[Target]) -> Vec<Target> {
    let quick = session.arguments.quick;
    // CUDA's kernels are launched by themselves, in `kernels`.
    let has_clock = |target: &&Target| match target.backend {
        Backend::Cpu => !quick || target.precision != Precision::F16,
        backend => backend == Backend::Wgpu,
    };
    targets.iter().filter(has_clock).copied().collect()
}

fn wanted(session: &Session, target: &Target, candidates: usize) -> Vec<String> {
    let all = steps(session);
    let ids = all.iter().map(|step| id(session, target, step, candidates));
    ids.filter(|id| session.arguments.wants(id)).collect()
}

pub(super) fn plan(session: &Session, targets: &[Target]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for target in &with_clock(session, targets) {
        for &candidates in sizes(session, target) {
            let ids = wanted(session, target, candidates);
            let one = guess(session, target, candidates);
            let all = one * calls(session, target, candidates) as f64
                + one.max(session.effort.warm_up.as_secs_f64());
            // Both sizes are of one scorer.
            let check = if candidates == SIZES[0] { guess_check(session, target) } else { 0.0 };
            let seconds = (all + check) / ids.len().max(1) as f64;
            let part = format!("steps of {}, n{candidates}", target.name());
            planned.extend(ids.into_iter().map(|id| Planned { id, seconds, part: part.clone() }));
        }
    }
    planned
}

pub(super) fn run(session: &mut Session, targets: &[Target]) -> Result<(), String> {
    for target in &with_clock(session, targets) {
        let sizes: Vec<usize> = sizes(session, target)
            .iter()
            .copied()
            .filter(|&n| !wanted(session, target, n).is_empty())
            .collect();
        if sizes.is_empty() {
            continue;
        }
        let (scorer, quality) = match score::checked(session, target, &Split::default()) {
            Ok(checked) => checked,
            Err(reason) => {
                session.refuse(reason);
                continue;
            }
        };
        for candidates in sizes {
            if let Err(reason) = rows(session, target, (&scorer, quality), candidates) {
                session.refuse(format!("steps of {}, {candidates} candidates: {reason}", target.name()));
            }
        }
    }
    Ok(())
}

fn rows(
    session: &mut Session,
    target: &Target,
    (scorer, quality): (&maskrank::Scorer, Quality),
    candidates: usize,
) -> Result<(), String> {
    let Some(clock) = scorer.step_clock() else {
        session.absent(format!("kernels of {}: the device has no timestamps", target.name()));
        return Ok(());
    };
    let inputs = Arc::clone(&session.inputs);
    let requests = [inputs.request(0, candidates, &Split::default())];
    let (weights, mut scores) = (session.weights(), Scores::default());
    let options = ScoreOptions::new(&weights);
    let mut call = || {
        scorer.score(Batch { requests: &requests }, &options, &mut scores).map_err(|error| error.to_string())
    };
    let warm = std::time::Instant::now();
    call()?;
    while warm.elapsed() < session.effort.warm_up {
        call()?;
    }
    let before = timing::steady();
    let mut times: Vec<Vec<f64>> = Vec::new();
    for _ in 0..calls(session, target, candidates) {
        clock.start();
        call()?;
        times.push(clock.stop());
    }
    let drift = timing::drift(before);
    let steps = steps(session);
    for (index, step) in steps.iter().enumerate() {
        let id = id(session, target, step, candidates);
        if !session.arguments.wants(&id) {
            continue;
        }
        // All threads' time, or the device's.
        let parts = if clock.is_device() { 1.0 } else { target.threads as f64 };
        let samples: Vec<f64> = times.iter().map(|call| call[index] / parts).collect();
        let summary = Summary::of(&samples, drift);
        let (flops, bytes) = (step.flops * candidates as f64, step.weights * target.weight_bytes());
        let mut row = quality.fill(session.row(&id, scorer.device()).timed(&summary));
        row = row.rated(candidates, flops, bytes as f64);
        // Every other device than the processor is another machine, with limits of its own.
        row.kind = if clock.is_device() { "kernel" } else { "step" }.to_owned();
        let region = session.cost.weights * target.weight_bytes();
        if step.depth.is_some() && target.backend == Backend::Wgpu {
            session.share_of_adapter(&mut row, flops, bytes, region);
        } else if step.depth.is_some() && target.backend == Backend::Cpu {
            let work = Work {
                precision: target.precision,
                threads: target.threads,
                depth: step.depth,
                flops,
                bytes,
                region,
                seconds: summary.median,
            };
            session.share(&mut row, &work);
        }
        session.push(row)?;
    }
    Ok(())
}
