//! What low precision does to a ranking: order and best fifty, against the f64 reference, on the interpreter.
//!
//! In ordinary runs on 512 candidates of the production architecture at a quarter of its widths. The production model itself
//! takes minutes a precision, so its figures are recorded once, in `benches/record/ranking-cuda.csv`:
//!
//! ```text
//! MASKRANK_RANKING_CANDIDATES=10000 cargo test --lib record_ranking -- --ignored --nocapture
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use maskrank_rows::statistics;

use super::suite::H200;
use crate::config::Widths;
use crate::golden::Case;
use crate::weights::seeded;
use crate::{Backend, Batch, Model, ModelConfig, Precision, ScoreOptions, Scorer, Scores};
use maskrank_ptx_driver::with_multiprocessors;

/// Of the model's weights and of the candidates.
const SEED: u64 = 5;
const PRECISIONS: [Precision; 3] = [Precision::Tf32, Precision::Bf16, Precision::F16];

/// The production architecture with a quarter of its widths.
fn quarter() -> Model {
    let narrower = [("256", "64"), ("128", "32"), ("1024", "256"), ("2048", "512")];
    let yaml = narrower.iter().fold(ModelConfig::PRODUCTION_YAML.to_owned(), |yaml, (from, to)| {
        let yaml = yaml.replace(&format!("- {from}\n"), &format!("- {to}\n"));
        yaml.replace(&format!("_size: {from}\n"), &format!("_size: {to}\n"))
    });
    let widths = Widths {
        continuous: 529,
        binary: 15,
        user_embedding: 50,
        user_eng_embedding: 50,
        author_embedding: 50,
    };
    let config = ModelConfig::from_yaml(&yaml, "quarter").expect("a configuration");
    Model::seeded(config, widths, SEED).expect("a model")
}

/// Seeded candidates and their f64 scores.
fn case(model: &Model, candidates: usize) -> Case {
    let inputs = seeded::inputs(model.widths(), candidates, SEED);
    let [user, user_eng, author] = inputs.embeddings;
    let values: BTreeMap<String, Vec<f32>> = [
        ("continuous", inputs.continuous),
        ("binary", inputs.binary),
        ("user_embedding", user),
        ("user_eng_embedding", user_eng),
        ("author_embedding", author),
    ]
    .map(|(name, values)| (name.to_owned(), values))
    .into();
    let weights = vec![1.0; model.tasks().len()];
    Case::from_inputs("ranking", model, candidates, weights, values).expect("a case")
}

/// Kendall's tau, and how many of the best fifty are among the best fifty.
fn ranked(case: &Case, precision: Precision) -> (f64, usize) {
    let builder = Scorer::builder(&case.model).backend(Backend::Cuda).precision(precision);
    let scorer = builder.max_candidates(case.rows).max_in_flight(1).build().expect("a scorer");
    let weights = vec![1.0; case.model.tasks().len()];
    let mut scores = Scores::default();
    let batch = Batch { requests: &[case.request()] };
    scorer.score(batch, &ScoreOptions::new(&weights), &mut scores).expect("scores");
    let found: Vec<f64> = scores.scores.iter().map(|&score| f64::from(score)).collect();
    let truth = case.expected("score");
    (statistics::kendall_tau(truth, &found), statistics::top_overlap(truth, &found, 50))
}

/// Least tau, and least of the best fifty: bf16 keeps 8 bits, so scores move by about 1 % of their spread and about one
/// pair in 200 changes places; the others keep 11.
fn least(precision: Precision) -> (f64, usize) {
    if precision == Precision::Bf16 { (0.98, 45) } else { (0.997, 48) }
}

#[test]
fn low_precision_ranks_as_f64_does() {
    let case = case(&quarter(), 512);
    for precision in PRECISIONS {
        let (tau, top) = with_multiprocessors(H200, || ranked(&case, precision));
        println!("{precision}: Kendall tau {tau:.5}, {top} of the best 50");
        let (least_tau, least_top) = least(precision);
        assert!(tau >= least_tau && top >= least_top, "{precision}: Kendall tau {tau}, top-50 overlap {top}");
    }
}

#[test]
#[ignore = "a record: minutes a precision"]
fn record_ranking() {
    let candidates = std::env::var("MASKRANK_RANKING_CANDIDATES").map_or(Ok(2000), |n| n.parse());
    let candidates = candidates.expect("MASKRANK_RANKING_CANDIDATES is a number");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let production = Case::open(&root.join("tests/golden/production")).expect("the production case");
    let case = case(&production.model, candidates);
    let mut text = "kernel,precision,against,candidates,seed,kendall_tau,top_50_overlap\n".to_owned();
    for precision in PRECISIONS {
        let (tau, top) = with_multiprocessors(H200, || ranked(&case, precision));
        writeln!(text, "ptx-interpreter,{precision},f64,{candidates},{SEED},{tau:.5},{top}").expect("text");
        println!("{text}");
        let (least_tau, least_top) = least(precision);
        assert!(tau >= least_tau && top >= least_top, "{precision}: Kendall tau {tau}, top-50 overlap {top}");
        std::fs::write(root.join("benches/record/ranking-cuda.csv"), &text).expect("a writable file");
    }
}
