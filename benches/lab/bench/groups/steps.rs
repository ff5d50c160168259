//! Each step inside whole calls: featurize, each product with its epilogue, norms, the head. In place, so that caches
//! are as they are in use; a step's time is its threads' time over the number of threads.

use std::sync::Arc;

use maskrank::plan::{Epilogue, Folding, Plan, Step};
use maskrank::{Batch, ScoreOptions, Scores, Split};
use maskrank_rows::Summary;

use super::{Planned, guess, score};
use crate::bench::limits::Work;
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
    format!("{}/{}/{}n{candidates}_t{}", step.op, target.name(), step.shape, session.threads)
}

fn calls(session: &Session, candidates: usize) -> usize {
    match (session.arguments.quick, candidates > 256) {
        (true, true) => 5,
        (true, false) => 40,
        (false, true) => 15,
        (false, false) => 200,
    }
}

fn wanted(session: &Session, target: &Target, candidates: usize) -> Vec<String> {
    let all = steps(session);
    let ids = all.iter().map(|step| id(session, target, step, candidates));
    ids.filter(|id| session.arguments.wants(id)).collect()
}

pub(super) fn plan(session: &Session, targets: &[Target]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for target in targets.iter().filter(|t| t.backend == maskrank::Backend::Cpu) {
        for candidates in SIZES {
            let ids = wanted(session, target, candidates);
            let all = guess(target, session.cost.flops, candidates) * calls(session, candidates) as f64;
            let seconds = all / ids.len().max(1) as f64;
            planned.extend(ids.into_iter().map(|id| Planned { id, seconds }));
        }
    }
    planned
}

pub(super) fn run(session: &mut Session, targets: &[Target]) -> Result<(), String> {
    for target in targets {
        let sizes: Vec<usize> =
            SIZES.into_iter().filter(|&n| !wanted(session, target, n).is_empty()).collect();
        if sizes.is_empty() {
            continue;
        }
        let scorer = match score::checked(session, target, &Split::default()) {
            Ok((scorer, _)) => scorer,
            Err(reason) => {
                session.refuse(reason);
                continue;
            }
        };
        if scorer.step_clock().is_none() {
            session.absent(format!("steps of {}: this backend has no clock of its steps", target.name()));
            continue;
        }
        for candidates in sizes {
            if let Err(reason) = rows(session, target, &scorer, candidates) {
                session.refuse(format!("steps of {}, {candidates} candidates: {reason}", target.name()));
            }
        }
    }
    Ok(())
}

fn rows(
    session: &mut Session,
    target: &Target,
    scorer: &maskrank::Scorer,
    candidates: usize,
) -> Result<(), String> {
    let Some(clock) = scorer.step_clock() else { return Ok(()) };
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
    for _ in 0..calls(session, candidates) {
        clock.start();
        call()?;
        times.push(clock.stop());
    }
    let drift = (timing::steady() / before - 1.0).abs();
    let steps = steps(session);
    for (index, step) in steps.iter().enumerate() {
        let id = id(session, target, step, candidates);
        if !session.arguments.wants(&id) {
            continue;
        }
        let samples: Vec<f64> = times.iter().map(|call| call[index] / target.threads as f64).collect();
        let summary = Summary::of(&samples, drift);
        let (flops, bytes) = (step.flops * candidates as f64, step.weights * target.weight_bytes());
        let mut row = session.row(&id, target, &scorer.device().kernel).timed(&summary);
        row = row.rated(candidates, flops, bytes as f64);
        row.kind = "step".to_owned();
        if step.depth.is_some() {
            let share = match session.limits.share(&Work {
                precision: target.precision,
                threads: target.threads,
                depth: step.depth,
                flops,
                bytes,
                region: session.cost.weights * target.weight_bytes(),
                seconds: summary.median,
            }) {
                Ok(share) => share,
                Err(reason) => {
                    session.refuse(format!("{id}: {reason}"));
                    continue;
                }
            };
            (row.baseline, row.ratio) = (share.limit, Some(share.of_limit));
        }
        session.push(row)?;
    }
    Ok(())
}
