//! What is measured.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use half::bf16;
use maskrank::config::Widths;
use maskrank::cuda_timing::Timing;
use maskrank::golden::Case;
use maskrank::plan::{Folding, Plan};
use maskrank::weights::seeded::{self, SeededInputs};
use maskrank::{
    Backend, Batch, Binary, BinaryMut, BinaryType, Columns, Features, Precision, Request, ScoreOptions,
    Scorer, Scores, Split,
};

use crate::Outcome;
use crate::extent::Extent;
use crate::limits::{Limits, element_bytes, median};
use crate::quality::Quality;
use crate::row::Row;
use crate::subject::{Inputs, TRUTH_ROWS, Truth};

pub(crate) type Failure = Box<dyn std::error::Error>;
pub(crate) type Rows = Result<Vec<Row>, Failure>;

/// Whether a GPU can be used here.
pub(crate) fn probe() -> Outcome {
    let listings = maskrank::devices();
    let cuda = listings.iter().find(|listing| listing.backend == Backend::Cuda);
    let cuda = cuda.ok_or("this build has no CUDA backend")?;
    for entry in &cuda.present {
        println!("{}", entry.name);
        for (name, value) in &entry.details {
            println!("  {name:<16} {value}");
        }
    }
    match &cuda.absent {
        Some(reason) => Err(format!("no GPU to run on: {reason}").into()),
        None => Ok(()),
    }
}

pub(crate) fn case(name: &str) -> Result<Case, Failure> {
    let folder = match std::env::var_os("MASKRANK_GOLDEN") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
    };
    Ok(Case::open(&folder.join(name))?)
}

/// The device's limits, which are measured when they are asked for.
pub(crate) fn limits(extent: &Extent) -> maskrank::Result<Limits> {
    Limits::new(extent.rounds, extent.samples.min(10))
}

/// The plan whose FLOPs and weights are counted.
pub(crate) fn plan(case: &Case) -> Plan {
    Plan::build(case.model.config(), case.model.widths(), case.model.weights(), 64, Folding::Weights)
}

pub(crate) fn request(inputs: &SeededInputs, candidates: usize, widths: Widths) -> Request<'_> {
    let cut = |values: &'_ [f32], width: usize| -> usize { values.len().min(candidates * width) };
    let [user, user_eng, author] = widths.embeddings();
    let [a, b, c] = &inputs.embeddings;
    Request {
        candidates,
        request: Columns::default(),
        candidate: Columns {
            continuous: Features::F32(&inputs.continuous[..cut(&inputs.continuous, widths.continuous)]),
            binary: Binary::Numbers(&inputs.binary[..cut(&inputs.binary, widths.binary)]),
            user_embedding: Features::F32(&a[..cut(a, user)]),
            user_eng_embedding: Features::F32(&b[..cut(b, user_eng)]),
            author_embedding: Features::F32(&c[..cut(c, author)]),
        },
    }
}

/// A scorer whose answers to the golden case are right.
fn right(case: &Case, precision: Precision, largest: usize) -> Result<Scorer, Failure> {
    let builder = Scorer::builder(&case.model).backend(Backend::Cuda).precision(precision);
    let scorer = builder.max_candidates(largest.max(TRUTH_ROWS)).max_in_flight(1).build()?;
    let comparison = case.check(&scorer)?;
    match comparison.passed() {
        true => Ok(scorer),
        false => Err(format!("{precision}: wrong answers: {}", comparison.failures()).into()),
    }
}

/// Scores a batch where it will be timed: what comes out must be what a scorer that was checked gives, bit by bit.
pub(crate) fn check(timing: &mut Timing, scorer: &Scorer, request: Request<'_>) -> Outcome {
    let weights = vec![1.0; scorer.tasks().len()];
    let mut scores = Scores::default();
    scorer.score(Batch { requests: &[request] }, &ScoreOptions::new(&weights), &mut scores)?;
    let found = timing.score(request)?;
    let same = |(a, b): (&f32, &f32)| a.is_finite() && a.to_bits() == b.to_bits();
    let wrong = found.iter().zip(&scores.scores).position(|pair| !same(pair));
    match (found.len() == scores.scores.len(), wrong) {
        (true, None) => Ok(()),
        (_, at) => Err(format!(
            "{} candidates: the timed kernels' scores are not the checked scorer's, first at {}",
            request.candidates,
            at.unwrap_or(0)
        )
        .into()),
    }
}

/// How far each precision is from the f64 reference, over the same candidates as the other benches.
struct Accuracy {
    inputs: Inputs,
    truth: Truth,
}

impl Accuracy {
    fn new(case: &Case) -> Result<Self, Failure> {
        let inputs = Inputs::new(&case.model, TRUTH_ROWS);
        let truth = Truth::fresh(&case.model, &case.score_weights, &inputs)?;
        Ok(Self { inputs, truth })
    }

    /// Of a scorer whose answers are right.
    fn of(&self, case: &Case, scorer: &Scorer) -> Result<[f64; 3], Failure> {
        let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
        let quality = Quality::measure(scorer, &self.inputs, &weights, &self.truth)?;
        Ok([quality.logit_error, quality.kendall_tau, quality.top_50])
    }
}

/// Every kernel of the production model.
pub(crate) fn kernels(extent: &Extent) -> Rows {
    let case = case(extent.case)?;
    let largest = extent.largest();
    let widths = case.model.widths();
    let inputs = seeded::inputs(widths, largest, 7);
    let accuracy = Accuracy::new(&case)?;
    let mut limits = limits(extent)?;
    let mut rows = Vec::new();
    for precision in [Precision::Bf16, Precision::F16, Precision::Tf32, Precision::F32] {
        let scorer = right(&case, precision, largest)?;
        let accuracy = accuracy.of(&case, &scorer)?;
        let mut timing = Timing::new(&case.model, precision, largest)?;
        let device = timing.device().name.clone();
        for &candidates in extent.kernel_sizes {
            check(&mut timing, &scorer, request(&inputs, candidates, widths))?;
            for kernel in timing.kernels(candidates, extent.samples.min(20))? {
                // A step of several launches has no FLOPs of its own.
                let limit = match kernel.flops > 0.0 {
                    true => Some(limits.share(
                        precision,
                        (kernel.flops, kernel.bytes),
                        median(&kernel.seconds),
                    )?),
                    false => None,
                };
                rows.push(Row {
                    device: device.clone(),
                    op: kernel.entry,
                    dtype: precision.to_string(),
                    shape: format!("n{candidates}_blocks{}", kernel.blocks),
                    kind: "kernel",
                    seconds: kernel.seconds,
                    candidates,
                    bytes: kernel.bytes,
                    flops: kernel.flops,
                    accuracy: Some(accuracy),
                    limit,
                });
            }
        }
    }
    Ok(rows)
}

/// The whole production model.
pub(crate) fn model(extent: &Extent) -> Rows {
    let case = case(extent.case)?;
    let largest = extent.largest();
    let widths = case.model.widths();
    let inputs = seeded::inputs(widths, largest, 7);
    let cost = plan(&case).cost();
    let accuracy = Accuracy::new(&case)?;
    let mut limits = limits(extent)?;
    let mut rows = Vec::new();
    for precision in [Precision::Bf16, Precision::F16, Precision::Tf32, Precision::F32] {
        // Nothing of a precision is timed whose answers are wrong.
        let scorer = right(&case, precision, largest)?;
        let accuracy = accuracy.of(&case, &scorer)?;
        let mut timing = Timing::new(&case.model, precision, largest)?;
        let device = timing.device().name.clone();
        let bytes = cost.weights as f64 * element_bytes(precision);
        limits.read(bytes as usize)?;
        let mut row = |kind: &'static str, dtype: &str, candidates: usize, seconds: Vec<f64>| {
            let flops = cost.flops * candidates as f64;
            let limit = limits.share(precision, (flops, bytes), median(&seconds))?;
            Ok::<Row, maskrank::Error>(Row {
                device: device.clone(),
                op: extent.case.into(),
                dtype: dtype.to_owned(),
                shape: format!("n{candidates}"),
                kind,
                seconds,
                candidates,
                bytes,
                flops,
                accuracy: Some(accuracy),
                limit: Some(limit),
            })
        };
        for &candidates in extent.sizes {
            check(&mut timing, &scorer, request(&inputs, candidates, widths))?;
            let seconds = timing.graph(candidates, extent.samples)?;
            rows.push(row("graph", &precision.to_string(), candidates, seconds)?);
        }
        drop(timing);
        for (kind, split) in splits(widths) {
            // Its self-test compares every graph with the CPU; golden cases are in the suite.
            let builder = Scorer::builder(&case.model).backend(Backend::Cuda).precision(precision);
            let builder = builder.split(split.clone()).max_candidates(largest).max_in_flight(1);
            let scorer = builder.build()?;
            let mut timing = Timing::with_split(&case.model, precision, largest, split.clone())?;
            let (once, each) = (split.request_widths(widths), split.candidate_widths(widths));
            let (once, each) = ((seeded::inputs(once, 1, 8), once), (seeded::inputs(each, largest, 7), each));
            for &candidates in extent.sizes {
                let own = request(&once.0, 1, once.1).candidate;
                let request = Request { request: own, ..request(&each.0, candidates, each.1) };
                check(&mut timing, &scorer, request)?;
                let seconds = timing.graph(candidates, extent.samples)?;
                rows.push(row(kind, &precision.to_string(), candidates, seconds)?);
            }
        }
        let weights = vec![1.0; case.model.tasks().len()];
        let options = ScoreOptions::new(&weights);
        let mut scores = Scores::default();
        for &candidates in extent.sizes {
            let requests = [request(&inputs, candidates, widths)];
            let pageable = wall(extent.samples, || {
                scorer.score(Batch { requests: &requests }, &options, &mut scores).map(drop)
            })?;
            rows.push(row("score_pageable_f32_rows", &precision.to_string(), candidates, pageable)?);
            let mut staging = scorer.staging::<bf16>(&[candidates], BinaryType::Bits)?;
            let into = staging.columns().candidate;
            let halves = |into: &mut [bf16], from: &[f32]| {
                into.iter_mut().zip(from).for_each(|(into, &from)| *into = bf16::from_f32(from));
            };
            halves(into.continuous, &inputs.continuous);
            halves(into.user_embedding, &inputs.embeddings[0]);
            halves(into.user_eng_embedding, &inputs.embeddings[1]);
            halves(into.author_embedding, &inputs.embeddings[2]);
            if let BinaryMut::Bits(bits) = into.binary {
                bits.iter_mut().enumerate().for_each(|(index, byte)| *byte = (index * 37) as u8);
            }
            let pinned = wall(extent.samples, || staging.score(&options, &mut scores))?;
            rows.push(row("score_pinned_bf16_rows", &precision.to_string(), candidates, pinned)?);
        }
    }
    Ok(rows)
}

/// What one request gives once: the columns of its products that are computed once. `graph` has none.
fn splits(widths: Widths) -> [(&'static str, Split); 2] {
    let most = Split { continuous: vec![0..widths.continuous.min(1600)], ..Split::user_embeddings() };
    [("graph_384_columns_once", Split::user_embeddings()), ("graph_1984_columns_once", most)]
}

/// Seconds of calls, sorted, after a warm-up; at most two seconds of them.
fn wall(samples: usize, mut call: impl FnMut() -> maskrank::Result<()>) -> maskrank::Result<Vec<f64>> {
    for _ in 0..3 {
        call()?;
    }
    let (mut seconds, begin) = (Vec::new(), Instant::now());
    while seconds.len() < samples && begin.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        call()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}
