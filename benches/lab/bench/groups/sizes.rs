//! How cost grows with the size of the model: a small one and one of four times production's FLOPs, same inputs.

use std::sync::Arc;
use std::time::Instant;

use maskrank::golden::Case;
use maskrank::{Backend, Batch, Precision, ScoreOptions, Scores, Split};

use super::{Planned, guess};
use crate::bench::subject::{self, SIZES, Size};
use crate::bench::target::{self, Setup};
use crate::bench::{Session, Target};

const CANDIDATES: usize = 256;
/// FLOPs of a candidate, about: only for the estimate.
const ROUGH_FLOPS: [f64; 2] = [9e6, 3.9e8];

fn id(session: &Session, target: &Target, size: &Size) -> String {
    format!("score_{}/{}/n{CANDIDATES}_t{}", size.name, target.name(), session.threads)
}

/// The CPU's f32 and bf16: what the two grow with is the same for the others.
fn targets(all: &[Target]) -> impl Iterator<Item = &Target> {
    all.iter()
        .filter(|t| t.backend == Backend::Cpu && matches!(t.precision, Precision::F32 | Precision::Bf16))
}

pub(super) fn plan(session: &Session, all: &[Target]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for (size, flops) in SIZES.iter().zip(ROUGH_FLOPS) {
        for target in targets(all) {
            let seconds = session.effort.estimate(guess(target, flops, CANDIDATES)) + flops / 4e7;
            planned.push(Planned { id: id(session, target, size), seconds });
        }
    }
    planned.retain(|row| session.arguments.wants(&row.id));
    planned
}

pub(super) fn run(session: &mut Session, all: &[Target]) -> Result<(), String> {
    for size in &SIZES {
        let wanted: Vec<Target> =
            targets(all).filter(|t| session.arguments.wants(&id(session, t, size))).copied().collect();
        if wanted.is_empty() {
            continue;
        }
        let model = size.model()?;
        let cost = subject::cost(&model);
        let case = sample(session, &model)?;
        for target in wanted {
            let id = id(session, &target, size);
            if let Err(reason) = row(session, &target, &id, &model, &case, cost.flops, cost.weights) {
                session.refuse(format!("{id}: {reason}"));
            }
        }
    }
    Ok(())
}

/// A few rows that the reference has scored with this model.
fn sample(session: &Session, model: &maskrank::Model) -> Result<Case, String> {
    const ROWS: usize = 2;
    let (values, widths) = (&session.inputs.values, session.inputs.widths);
    let mut inputs = std::collections::BTreeMap::from([
        ("continuous".to_owned(), values.continuous[..ROWS * widths.continuous].to_vec()),
        ("binary".to_owned(), values.binary[..ROWS * widths.binary].to_vec()),
    ]);
    for (at, name) in maskrank::config::EMBEDDINGS.into_iter().enumerate() {
        inputs.insert(name.to_owned(), values.embeddings[at][..ROWS * widths.embeddings()[at]].to_vec());
    }
    Case::from_inputs("size", model, ROWS, session.case.score_weights.clone(), inputs)
        .map_err(|e| e.to_string())
}

fn row(
    session: &mut Session,
    target: &Target,
    id: &str,
    model: &maskrank::Model,
    case: &Case,
    flops: f64,
    elements: usize,
) -> Result<(), String> {
    let scorer = target.scorer(model, &Setup::of(CANDIDATES)).map_err(|error| error.to_string())?;
    target::check(case, &scorer, id)?;
    let weights = session.weights();
    let inputs = Arc::clone(&session.inputs);
    let requests = [inputs.request(0, CANDIDATES, &Split::default())];
    let (options, mut scores) = (ScoreOptions::new(&weights), Scores::default());
    let summary = session.time(id, || {
        let clock = Instant::now();
        scorer
            .score(Batch { requests: &requests }, &options, &mut scores)
            .map_err(|error| error.to_string())?;
        Ok(clock.elapsed())
    })?;
    let (flops, bytes) = (flops * CANDIDATES as f64, elements * target.weight_bytes());
    let mut row = session.row(id, target, &scorer.device().kernel).timed(&summary);
    row = row.rated(CANDIDATES, flops, bytes as f64);
    row.note = format!(
        "{:.1} MFLOP a candidate, {:.1} M weights",
        flops / CANDIDATES as f64 / 1e6,
        elements as f64 / 1e6
    );
    // The multiply rate is of production's K, so the share is not of this model's own limit: none is given.
    session.push(row)
}
