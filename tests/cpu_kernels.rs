//! Every CPU kernel forced in turn, on whole models. What this processor lacks is listed as ignored, with the reason.
//!
//! `cargo test --release --test cpu_kernels -- --ignored record_ranking` ranks 10,000 candidates in every precision and
//! writes `benches/record/ranking.csv`.

use std::path::PathBuf;

use libtest_mimic::{Arguments, Failed, Trial};
use maskrank::golden::Case;
use maskrank::weights::seeded;
use maskrank::{
    Backend, Batch, Binary, Columns, CpuKernel, Error, Features, Model, Outputs, Precision, Request,
    ScoreOptions, Scorer, Scores,
};

const GOLDEN: [&str; 6] =
    ["tiny-parallel", "ragged-input-norm", "serial", "share-none", "share-partial", "production"];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for kernel in CpuKernel::ALL {
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            if !kernel.supports(precision) {
                trials.push(Trial::test(format!("{}/{precision}/refused", kernel.name()), move || {
                    refused(kernel, precision);
                    Ok(())
                }));
                continue;
            }
            let obstacle = kernel.obstacle();
            let checks: [(&str, fn(CpuKernel, Precision)); 3] = [
                ("golden", golden),
                ("same_bits_for_any_threads", same_bits_for_any_threads),
                ("same_bits_in_parts", same_bits_in_parts),
            ];
            for (name, check) in checks {
                let missing = obstacle.clone();
                let because = missing.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
                let name = format!("{}/{precision}/{name}{because}", kernel.name());
                let trial = Trial::test(name, move || match missing {
                    Some(reason) => Err(Failed::from(reason)),
                    None => {
                        check(kernel, precision);
                        Ok(())
                    }
                });
                trials.push(trial.with_ignored_flag(obstacle.is_some()));
            }
        }
    }
    trials.push(Trial::test("bf16_ranks_as_f32_does", || {
        bf16_ranks_as_f32_does();
        Ok(())
    }));
    let record = Trial::test("record_ranking", || {
        record_ranking();
        Ok(())
    });
    trials.push(record.with_ignored_flag(true));
    libtest_mimic::run(&arguments, trials).exit();
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn scorer(model: &Model, kernel: CpuKernel, precision: Precision, threads: usize, max: usize) -> Scorer {
    let builder = Scorer::builder(model).backend(Backend::Cpu).precision(precision).cpu_kernel(kernel);
    builder.threads(threads).max_candidates(max).max_in_flight(1).build().unwrap()
}

fn refused(kernel: CpuKernel, precision: Precision) {
    let case = Case::open(&folder("share-none")).unwrap();
    let builder = Scorer::builder(&case.model).backend(Backend::Cpu).precision(precision).cpu_kernel(kernel);
    let error = builder.build().map(|scorer| scorer.device().kernel.clone()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { backend: Backend::Cpu, .. }), "{error}");
}

fn golden(kernel: CpuKernel, precision: Precision) {
    for name in GOLDEN {
        let case = Case::open(&folder(name)).unwrap();
        let scorer = scorer(&case.model, kernel, precision, 2, case.rows);
        assert!(scorer.device().kernel.contains(kernel.name()), "{}", scorer.device().kernel);
        let comparison = case.check(&scorer).unwrap();
        assert!(comparison.passed(), "{name}: {}", comparison.failures());
    }
}

/// Thread counts decide who computes what, and whether candidates or columns are divided: never the bits.
fn same_bits_for_any_threads(kernel: CpuKernel, precision: Precision) {
    for name in ["ragged-input-norm", "share-partial"] {
        let case = Case::open(&folder(name)).unwrap();
        let inputs = seeded::inputs(case.model.widths(), 700, 11);
        let run = |threads: usize, candidates: usize| {
            let scorer = scorer(&case.model, kernel, precision, threads, 700);
            let scores = score(&scorer, &case.model, &inputs, candidates);
            scores.logits.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        let expected = run(1, 700);
        for (threads, candidates) in [(2, 700), (3, 700), (5, 300), (2, 129), (3, 17), (2, 16), (4, 1)] {
            let found = run(threads, candidates);
            assert_eq!(found, expected[..found.len()], "{name}: {threads} threads, {candidates} candidates");
        }
    }
}

/// A thread that has a block to itself passes wide rows on in parts; threads that share each step do not.
fn same_bits_in_parts(kernel: CpuKernel, precision: Precision) {
    let (model, _) = Model::open_case(folder("production")).unwrap();
    let inputs = seeded::inputs(model.widths(), 70, 12);
    let run = |threads: usize, candidates: usize| {
        let scores = score(&scorer(&model, kernel, precision, threads, 70), &model, &inputs, candidates);
        scores.logits.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    };
    let (in_parts, whole) = (run(1, 70), run(2, 17));
    assert!(!whole.is_empty());
    assert_eq!(in_parts[..whole.len()], whole);
}

/// Scores the first `candidates` of some seeded inputs as one request.
fn score(scorer: &Scorer, model: &Model, inputs: &seeded::SeededInputs, candidates: usize) -> Scores {
    let widths = model.widths();
    let embedding = |at: usize| Features::F32(&inputs.embeddings[at][..candidates * widths.embeddings()[at]]);
    let candidate = Columns {
        continuous: Features::F32(&inputs.continuous[..candidates * widths.continuous]),
        binary: Binary::Numbers(&inputs.binary[..candidates * widths.binary]),
        user_embedding: embedding(0),
        user_eng_embedding: embedding(1),
        author_embedding: embedding(2),
    };
    let request = Request { candidates, request: Columns::default(), candidate };
    let weights = vec![1.0; model.tasks().len()];
    let outputs = Outputs { logits: true, ..Outputs::default() };
    let mut scores = Scores::default();
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    scorer.score(Batch { requests: &[request] }, &options, &mut scores).unwrap();
    scores
}

/// Scores of the seeded production model, and the kernel that computed them.
fn production_scores(candidates: usize, precision: Precision) -> (Vec<f32>, String) {
    let (model, _) = Model::open_case(folder("production")).unwrap();
    let inputs = seeded::inputs(model.widths(), candidates, SEED);
    let builder = Scorer::builder(&model).backend(Backend::Cpu).precision(precision);
    let scorer = builder.max_candidates(candidates).max_in_flight(1).build().unwrap();
    (score(&scorer, &model, &inputs, candidates).scores, scorer.device().kernel.clone())
}

/// Seed of the candidates that are ranked.
const SEED: u64 = 5;

/// Ranks many candidates in every precision, and writes how far the rankings agree.
fn record_ranking() {
    const CANDIDATES: usize = 10_000;
    let (exact, _) = production_scores(CANDIDATES, Precision::F32);
    let mut text = "kernel,precision,against,candidates,seed,kendall_tau,top_50_overlap\n".to_owned();
    for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
        let (scores, kernel) = production_scores(CANDIDATES, precision);
        let (tau, overlap) = (kendall_tau(&exact, &scores), top_overlap(&exact, &scores, 50));
        let kernel = kernel.split(' ').nth(1).unwrap_or_default();
        text += &format!("{kernel},{precision},f32,{CANDIDATES},{SEED},{tau:.5},{overlap}\n");
        assert!(tau >= 0.98 && overlap >= 45, "{precision}: Kendall tau {tau}, top-50 overlap {overlap}");
    }
    print!("{text}");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/record/ranking.csv");
    std::fs::write(&path, text).unwrap();
    println!("wrote {}", path.display());
}

/// Low precision must not change who is shown: the same order, nearly, and the same best fifty, nearly.
fn bf16_ranks_as_f32_does() {
    const CANDIDATES: usize = 512;
    let (exact, _) = production_scores(CANDIDATES, Precision::F32);
    let (rounded, _) = production_scores(CANDIDATES, Precision::Bf16);
    let (tau, overlap) = (kendall_tau(&exact, &rounded), top_overlap(&exact, &rounded, 50));
    println!("bf16 against f32, {CANDIDATES} candidates: Kendall tau {tau:.4}, top-50 overlap {overlap}");
    // bf16 keeps 8 bits: scores move by about 1 % of their spread, so that about 1 pair in 200 changes places.
    assert!(tau >= 0.98, "Kendall tau {tau}");
    assert!(overlap >= 45, "top-50 overlap {overlap}");
}

/// Concordant less discordant pairs, over all pairs.
fn kendall_tau(a: &[f32], b: &[f32]) -> f64 {
    let mut balance = 0.0;
    for i in 0..a.len() {
        for j in 0..i {
            balance += f64::from((a[i] - a[j]).signum() * (b[i] - b[j]).signum());
        }
    }
    balance / (a.len() * (a.len() - 1) / 2) as f64
}

fn top_overlap(a: &[f32], b: &[f32], k: usize) -> usize {
    let top = |values: &[f32]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
        order.truncate(k);
        order
    };
    let other = top(b);
    top(a).into_iter().filter(|i| other.contains(i)).count()
}
