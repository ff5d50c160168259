//! End-to-end scoring on the CPU: the production model, seeded weights and inputs, cold caches of nothing, warm
//! weights. Every row's answers are checked against the f64 reference before it is timed.
//!
//! ```text
//! cargo bench --bench scorer                  all rows, and the machine's limits measured beside them
//! cargo bench --bench scorer -- --record      … and benches/record/MACHINE/scorer.csv written
//! cargo bench --bench scorer -- bf16          rows whose name contains a word
//! ```
//!
//! Kind `score`: a whole call, from the caller's f32 rows to scores, on a warm scorer. The roofline of a row is the
//! larger of two times: its FLOPs at the multiply rate measured in the same run (operands in L1, packed, all threads),
//! and its weights once at the read bandwidth measured in the same run. `ratio` is that time over the median.

mod record;
mod roofline;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use maskrank::golden::Case;
use maskrank::weights::seeded;
use maskrank::{
    Backend, Batch, Binary, Columns, Features, Model, Precision, Request, ScoreOptions, Scorer, Scores,
};
use record::Row;
use roofline::Limits;

const SIZES: [usize; 4] = [1, 32, 256, 1500];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let record = arguments.iter().any(|a| a == "--record");
    let filter: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();

    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/production");
    let case = Case::open(&folder).expect("the production case is in the repository");
    let flops = maskrank::plan::Plan::build(
        case.model.config(),
        case.model.widths(),
        case.model.weights(),
        32,
        maskrank::plan::Folding::Weights,
    )
    .cost();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut criterion = Criterion::default()
        .sample_size(12)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    let mut rows = Vec::new();
    for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
        for threads in [threads, 1] {
            let sizes = SIZES.into_iter().filter(|&n| threads > 1 || n == 1500);
            let names: Vec<(usize, String)> =
                sizes.map(|n| (n, format!("score/cpu/{precision}/n{n}_t{threads}"))).collect();
            let wanted =
                |name: &str| filter.is_empty() || filter.iter().any(|word| name.contains(word.as_str()));
            if !names.iter().any(|(_, name)| wanted(name)) {
                continue;
            }
            let scorer = scorer(&case.model, precision, threads);
            let comparison = case.check(&scorer).expect("the reference scores the case");
            assert!(comparison.passed(), "{precision}: wrong answers: {}", comparison.failures());
            let limits = Limits::measure(precision, threads);
            for (candidates, name) in names.into_iter().filter(|(_, name)| wanted(name)) {
                let samples = time(&mut criterion, &name, &scorer, &case.model, candidates);
                let bytes = flops.weights as f64 * if precision == Precision::F32 { 4.0 } else { 2.0 };
                let row = Row::new(&name, &scorer, samples, candidates, flops.flops, bytes, &limits);
                println!("{row}");
                rows.push(row);
            }
        }
    }
    if record {
        record::write(&rows);
    }
}

fn scorer(model: &Model, precision: Precision, threads: usize) -> Scorer {
    let builder = Scorer::builder(model).backend(Backend::Cpu).precision(precision).threads(threads);
    builder.max_candidates(1500).max_in_flight(1).build().expect("the CPU backend is always there")
}

/// Seconds of each timed call.
fn time(
    criterion: &mut Criterion,
    name: &str,
    scorer: &Scorer,
    model: &Model,
    candidates: usize,
) -> Vec<f64> {
    let inputs = seeded::inputs(model.widths(), candidates, 7);
    let candidate = Columns {
        continuous: Features::F32(&inputs.continuous),
        binary: Binary::Numbers(&inputs.binary),
        user_embedding: Features::F32(&inputs.embeddings[0]),
        user_eng_embedding: Features::F32(&inputs.embeddings[1]),
        author_embedding: Features::F32(&inputs.embeddings[2]),
    };
    let requests = [Request { candidates, request: Columns::default(), candidate }];
    let weights = vec![1.0; model.tasks().len()];
    let (options, mut scores) = (ScoreOptions::new(&weights), Scores::default());
    let mut samples = Vec::new();
    let (group, id) = name.rsplit_once('/').unwrap_or(("score", name));
    let mut group = criterion.benchmark_group(group);
    group.bench_function(BenchmarkId::from_parameter(id), |bencher| {
        bencher.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                let start = Instant::now();
                scorer.score(Batch { requests: &requests }, &options, &mut scores).expect("a checked batch");
                let elapsed = start.elapsed();
                samples.push(elapsed.as_secs_f64());
                total += elapsed;
            }
            total
        });
    });
    group.finish();
    assert!(scores.scores.iter().all(|s| s.is_finite()), "{name}: every score is a number");
    samples
}
