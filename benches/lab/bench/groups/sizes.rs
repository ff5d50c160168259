//! How cost grows with the size of the model: a small one and one of four times production's FLOPs, same inputs.

use std::sync::Arc;
use std::time::Instant;

use maskrank::golden::Case;
use maskrank::plan::Cost;
use maskrank::{Backend, Batch, Model, Precision, ScoreOptions, Scores, Split};

use super::{Planned, guess_flops};
use crate::bench::quality::Quality;
use crate::bench::subject::{self, Inputs, SIZES, Size, TRUTH_ROWS, Truth};
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

/// Of a quick run the small one: making the large one takes longer than most rows.
fn sizes(session: &Session) -> &'static [Size] {
    if session.arguments.quick { &SIZES[..1] } else { &SIZES }
}

pub(super) fn plan(session: &Session, all: &[Target]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for (size, flops) in sizes(session).iter().zip(ROUGH_FLOPS) {
        // Drawing the weights and, the first time, the reference's scores: both as the model is large.
        let mut first = flops / 4e7;
        if !Truth::file(size.name).is_file() {
            first += flops * TRUTH_ROWS as f64 / 2e9;
        }
        for target in targets(all) {
            let call = guess_flops(session, target, flops * CANDIDATES as f64);
            let check = call + flops / 2e8;
            let seconds = session.effort.estimate(call) + check + std::mem::take(&mut first);
            planned.push(Planned::new(id(session, target, size), seconds));
        }
    }
    planned.retain(|row| session.arguments.wants(&row.id));
    planned
}

pub(super) fn run(session: &mut Session, all: &[Target]) -> Result<(), String> {
    for size in sizes(session) {
        let wanted: Vec<Target> =
            targets(all).filter(|t| session.arguments.wants(&id(session, t, size))).copied().collect();
        if wanted.is_empty() {
            continue;
        }
        let model = size.model()?;
        let inputs = Inputs::new(&model, CANDIDATES.max(TRUTH_ROWS));
        let subject = Subject {
            cost: subject::cost(&model),
            truth: Truth::of(size.name, &model, &session.case.score_weights, &inputs)?,
            case: sample(session, &model)?,
            inputs: Arc::new(inputs),
            model,
        };
        for target in wanted {
            let id = id(session, &target, size);
            if let Err(reason) = row(session, &target, &id, &subject) {
                session.refuse(format!("{id}: {reason}"));
            }
        }
    }
    Ok(())
}

/// A model and what is known of it.
struct Subject {
    model: Model,
    cost: Cost,
    inputs: Arc<Inputs>,
    truth: Truth,
    /// A few rows with bounds for every precision.
    case: Case,
}

/// A few rows that the reference has scored with this model.
fn sample(session: &Session, model: &Model) -> Result<Case, String> {
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

fn row(session: &mut Session, target: &Target, id: &str, subject: &Subject) -> Result<(), String> {
    let scorer = target.scorer(&subject.model, &Setup::of(CANDIDATES)).map_err(|error| error.to_string())?;
    target::check(&subject.case, &scorer, id)?;
    let weights = session.weights();
    let quality = Quality::measure(&scorer, &subject.inputs, &weights, &subject.truth)?;
    let requests = [subject.inputs.request(0, CANDIDATES, &Split::default())];
    let (options, mut scores) = (ScoreOptions::new(&weights), Scores::default());
    let summary = session.time(id, || {
        let clock = Instant::now();
        scorer
            .score(Batch { requests: &requests }, &options, &mut scores)
            .map_err(|error| error.to_string())?;
        Ok(clock.elapsed())
    })?;
    let elements = subject.cost.weights;
    let (flops, bytes) = (subject.cost.flops * CANDIDATES as f64, elements * target.weight_bytes());
    let mut row = quality.fill(session.row(id, scorer.device())).timed(&summary);
    row = row.rated(CANDIDATES, flops, bytes as f64);
    row.note =
        format!("{:.1} MFLOP a candidate, {:.1} M weights", subject.cost.flops / 1e6, elements as f64 / 1e6);
    // The multiply rate is of production's K, so the share is not of this model's own limit: none is given.
    session.push(row)
}
