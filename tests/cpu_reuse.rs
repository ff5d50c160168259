//! What computing a request's own part once a request gains, and where it loses. Ignored in ordinary runs:
//!
//! ```text
//! cargo test --release --test cpu_reuse -- --ignored --nocapture
//! ```
//!
//! As many columns go in both ways, in alternating calls of one process and one thread, and what is compared is the time
//! that the thread ran, so that a busy machine falls on both. Without the split every column is given per candidate.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use maskrank::config::Widths;
use maskrank::weights::seeded::{self, SeededInputs};
use maskrank::{
    Backend, Batch, Binary, Columns, Features, Model, Precision, Request, ScoreOptions, Scorer, Scores, Split,
};

/// One part of a batch: `rows` rows of some widths.
struct Part {
    inputs: SeededInputs,
    widths: Widths,
}

impl Part {
    fn new(widths: Widths, rows: usize) -> Self {
        Self { inputs: seeded::inputs(widths, rows, 3), widths }
    }

    fn columns(&self, rows: std::ops::Range<usize>) -> Columns<'_> {
        let [user, user_eng, author] = self.widths.embeddings();
        fn slice<'a>(values: &'a [f32], rows: &std::ops::Range<usize>, width: usize) -> &'a [f32] {
            &values[rows.start * width..rows.end * width]
        }
        let slice = |values, width| slice(values, &rows, width);
        Columns {
            continuous: Features::F32(slice(&self.inputs.continuous, self.widths.continuous)),
            binary: Binary::Numbers(slice(&self.inputs.binary, self.widths.binary)),
            user_embedding: Features::F32(slice(&self.inputs.embeddings[0], user)),
            user_eng_embedding: Features::F32(slice(&self.inputs.embeddings[1], user_eng)),
            author_embedding: Features::F32(slice(&self.inputs.embeddings[2], author)),
        }
    }
}

fn splits() -> [(&'static str, Split); 3] {
    let half = Split { continuous: vec![0..1000], ..Split::user_embeddings() };
    let most = Split { continuous: vec![0..2000], ..Split::user_embeddings() };
    [
        ("user embeddings (400)", Split::user_embeddings()),
        ("and 1000 features", half),
        ("and 2000 features", most),
    ]
}

/// Seconds that this thread has run, by the scheduler's own count where it tells.
fn running() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    told.map_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64(), |ns| ns / 1e9)
}

#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn what_reuse_gains() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/production");
    let (model, _) = Model::open_case(folder).unwrap();
    println!(
        "precision, columns, candidates, to a request: time without over time with (10th, 50th, 90th percentile)"
    );
    for precision in [Precision::Bf16, Precision::F32] {
        let build = |split: Split| {
            let builder = Scorer::builder(&model).backend(Backend::Cpu).precision(precision).threads(1);
            builder.max_candidates(1500).max_in_flight(1).split(split).build().unwrap()
        };
        let without = build(Split::default());
        for (name, split) in splits() {
            let with = build(split.clone());
            for (candidates, each) in
                [(1500, 1500), (1500, 16), (1500, 1), (256, 256), (256, 1), (32, 32), (32, 1), (1, 1)]
            {
                let ratios = pairs(&model, &without, &with, &split, candidates, each);
                let at = |share: f64| ratios[((ratios.len() - 1) as f64 * share) as usize];
                println!(
                    "{precision}, {name}, {candidates}, {each}: {:.3} {:.3} {:.3}",
                    at(0.1),
                    at(0.5),
                    at(0.9)
                );
            }
        }
    }
}

/// Sorted ratios of neighbouring calls.
fn pairs(
    model: &Model,
    without: &Scorer,
    with: &Scorer,
    split: &Split,
    candidates: usize,
    each: usize,
) -> Vec<f64> {
    let widths = model.widths();
    let requests = candidates.div_ceil(each);
    let range = |request: usize| request * each..candidates.min((request + 1) * each);
    let whole = Part::new(widths, candidates);
    let (once, own) = (
        Part::new(split.request_widths(widths), requests),
        Part::new(split.candidate_widths(widths), candidates),
    );
    let plain: Vec<Request<'_>> = (0..requests)
        .map(|r| Request {
            candidates: range(r).len(),
            request: Columns::default(),
            candidate: whole.columns(range(r)),
        })
        .collect();
    let divided: Vec<Request<'_>> = (0..requests)
        .map(|r| Request {
            candidates: range(r).len(),
            request: once.columns(r..r + 1),
            candidate: own.columns(range(r)),
        })
        .collect();
    let weights = vec![1.0; model.tasks().len()];
    let mut scores = Scores::default();
    let mut time = |scorer: &Scorer, requests: &[Request<'_>]| {
        let start = running();
        scorer.score(Batch { requests }, &ScoreOptions::new(&weights), &mut scores).unwrap();
        running() - start
    };
    let rounds = (6000 / candidates).clamp(9, 300);
    let mut ratios: Vec<f64> = (0..rounds + 2)
        .map(|_| {
            let (a, b) = (time(without, &plain), time(with, &divided));
            a / b
        })
        .skip(2)
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}
