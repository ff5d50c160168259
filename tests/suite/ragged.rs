//! Ragged requests, request-level columns, and every way to give the same values.

use half::{bf16, f16};
use maskrank::config::EMBEDDINGS;
use maskrank::golden::Case;
use maskrank::{
    Batch, Binary, Columns, Error, Features, Outputs, Request, ScoreOptions, Scores, Split, Status,
};

use super::random_model::{fixed, inputs};
use super::{Random, Target, Trial};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new("ragged/empty_batches", empty),
        Trial::new("ragged/declared_splits", splits),
        Trial::new("ragged/binary_forms_have_equal_bits", binary_forms),
        Trial::new("ragged/half_precision_features", half_features),
        Trial::new("ragged/zero_variance_harms_no_other", zero_variance),
        Trial::new("ragged/non_finite_embeddings_harm_no_other", non_finite),
        Trial::new("ragged/top_k_per_request", top_k),
        Trial::new("ragged/wrong_lengths_are_named", wrong_lengths),
    ]
}

/// A case of `rows` rows for the fixed model `seed`.
fn case(target: Target, seed: u64, rows: usize) -> Case {
    let model = fixed(seed);
    let mut random = Random(seed ^ 0xABCD);
    let inputs = inputs(&mut random, model.widths(), rows, target.precision);
    let weights = (0..model.config().tasks.len()).map(|_| f64::from(random.signed() * 20.0)).collect();
    Case::from_inputs(&format!("fixed {seed}"), &model, rows, weights, inputs).unwrap()
}

fn weights(case: &Case) -> Vec<f32> {
    case.score_weights.iter().map(|&w| w as f32).collect()
}

fn empty(target: Target) {
    let case = case(target, 1, 3);
    let (scorer, weights) = (target.scorer(&case.model, 4), weights(&case));
    let options =
        ScoreOptions::new(&weights).with_outputs(Outputs { top_k: 2, logits: true, ..Outputs::default() });
    let mut scores = Scores::default();
    for requests in [vec![], vec![Request::default()], vec![Request::default(); 3]] {
        scorer.score(Batch { requests: &requests }, &options, &mut scores).unwrap();
        assert!(scores.scores.is_empty() && scores.logits.is_empty() && scores.top_k.is_empty());
        assert_eq!(scores.top_k_offsets, vec![0; requests.len() + 1]);
    }
}

/// Columns `ranges` of a (rows, width) matrix, and the others.
fn divide(values: &[f32], width: usize, once: impl Fn(usize) -> bool) -> (Vec<f32>, Vec<f32>) {
    let mut parts = (Vec::new(), Vec::new());
    for (index, &value) in values.iter().enumerate() {
        if once(index % width.max(1)) { parts.0.push(value) } else { parts.1.push(value) }
    }
    parts
}

type Parts = (Vec<f32>, Vec<f32>);

#[allow(clippy::single_range_in_vec_init, reason = "a split declares ranges, here one")]
fn splits(target: Target) {
    for seed in 0..6 {
        // Every candidate of a request carries the request's columns, so that both forms mean the same.
        let mut case = case(target, seed, 9);
        let widths = case.model.widths();
        let mut random = Random(seed);
        let split = Split {
            continuous: vec![0..1 + random.below(widths.continuous)],
            binary: if widths.binary > 2 { vec![1..2] } else { vec![] },
            embeddings: [random.flip(), true, random.flip()],
        };
        let once = |name: &str, column: usize| match name {
            "continuous" => split.continuous.iter().any(|r| r.contains(&column)),
            "binary" => split.binary.iter().any(|r| r.contains(&column)),
            _ => EMBEDDINGS.iter().position(|e| *e == name).is_some_and(|e| split.embeddings[e]),
        };
        let names = ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"];
        let mut inputs = std::collections::BTreeMap::new();
        for name in names {
            let mut values = case.input(name).to_vec();
            let width = values.len() / case.rows;
            for row in 1..case.rows {
                for column in (0..width).filter(|&c| once(name, c)) {
                    values[row * width + column] = values[column];
                }
            }
            inputs.insert(name.to_owned(), values);
        }
        case = Case::from_inputs(&case.name, &case.model, case.rows, case.score_weights.clone(), inputs)
            .unwrap();

        let parts = names.map(|name| {
            let values = case.input(name);
            let width = values.len() / case.rows;
            let (shared, each) = divide(values, width, |column| once(name, column));
            (shared[..shared.len() / case.rows].to_vec(), each)
        });
        let columns = |which: fn(&Parts) -> &Vec<f32>| Columns {
            continuous: Features::F32(which(&parts[0])),
            binary: Binary::Numbers(which(&parts[1])),
            user_embedding: Features::F32(which(&parts[2])),
            user_eng_embedding: Features::F32(which(&parts[3])),
            author_embedding: Features::F32(which(&parts[4])),
        };
        let request =
            Request { candidates: case.rows, request: columns(|p| &p.0), candidate: columns(|p| &p.1) };
        let scorer = target.split_scorer(&case.model, 32, split.clone());
        let comparison = case
            .check_with(&scorer, |options, scores| {
                scorer.score(Batch { requests: &[request] }, options, scores)
            })
            .unwrap();
        assert!(comparison.passed(), "seed {seed}, {split:?}: {}", comparison.failures());
    }
}

fn binary_forms(target: Target) {
    let mut case = case(target, 2, 21);
    let width = case.model.widths().binary;
    let bytes: Vec<u8> = case.input("binary").iter().map(|&b| u8::from(b > 4.0)).collect();
    let numbers: Vec<f32> = bytes.iter().map(|&b| f32::from(b)).collect();
    let mut bits = vec![0u8; case.rows * width.div_ceil(8)];
    for (index, &byte) in bytes.iter().enumerate() {
        let (row, column) = (index / width, index % width);
        bits[row * width.div_ceil(8) + column / 8] |= byte << (column % 8);
    }
    let inputs = ["continuous", "user_embedding", "user_eng_embedding", "author_embedding"]
        .map(|name| (name.to_owned(), case.input(name).to_vec()))
        .into_iter()
        .chain([("binary".to_owned(), numbers.clone())])
        .collect();
    case = Case::from_inputs(&case.name, &case.model, case.rows, case.score_weights.clone(), inputs).unwrap();
    let (scorer, weights) = (target.scorer(&case.model, 32), weights(&case));
    let run = |binary| {
        let mut request = case.request();
        request.candidate.binary = binary;
        let mut scores = Scores::default();
        scorer.score(Batch { requests: &[request] }, &ScoreOptions::new(&weights), &mut scores).unwrap();
        scores.scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>()
    };
    let expected = run(Binary::Numbers(&numbers));
    assert_eq!(run(Binary::Bytes(&bytes)), expected, "bytes");
    assert_eq!(run(Binary::Bits(&bits)), expected, "bits");
    assert!(case.check(&scorer).unwrap().passed());
}

fn half_features(target: Target) {
    for seed in [3, 4] {
        let base = case(target, seed, 17);
        for is_bf16 in [true, false] {
            let names = ["continuous", "user_embedding", "user_eng_embedding", "author_embedding"];
            let narrow =
                |v: f32| if is_bf16 { bf16::from_f32(v).to_f32() } else { f16::from_f32(v).to_f32() };
            let inputs: std::collections::BTreeMap<String, Vec<f32>> = names
                .iter()
                .map(|&name| (name.to_owned(), base.input(name).iter().map(|&v| narrow(v)).collect()))
                .chain([("binary".to_owned(), base.input("binary").to_vec())])
                .collect();
            let case = Case::from_inputs("half", &base.model, base.rows, base.score_weights.clone(), inputs)
                .unwrap();
            let bf =
                names.map(|name| case.input(name).iter().map(|&v| bf16::from_f32(v)).collect::<Vec<_>>());
            let hf = names.map(|name| case.input(name).iter().map(|&v| f16::from_f32(v)).collect::<Vec<_>>());
            let feature = |i: usize| if is_bf16 { Features::Bf16(&bf[i]) } else { Features::F16(&hf[i]) };
            let mut request = case.request();
            request.candidate.continuous = feature(0);
            request.candidate.user_embedding = feature(1);
            request.candidate.user_eng_embedding = feature(2);
            request.candidate.author_embedding = feature(3);
            let scorer = target.scorer(&case.model, 32);
            let comparison = case
                .check_with(&scorer, |options, scores| {
                    scorer.score(Batch { requests: &[request] }, options, scores)
                })
                .unwrap();
            assert!(comparison.passed(), "seed {seed} bf16 {is_bf16}: {}", comparison.failures());
        }
    }
}

fn zero_variance(target: Target) {
    let folder = super::golden_folder().join("tiny-parallel");
    let base = Case::open(&folder).unwrap();
    let (widths, scorer) = (base.model.widths(), target.scorer(&base.model, 64));
    let weights = weights(&base);
    let options = ScoreOptions::new(&weights);
    let mut expected = Scores::default();
    scorer.score(Batch { requests: &[base.request()] }, &options, &mut expected).unwrap();

    // Make the dense features of row 5 equal: undo what the batch norm does, so that every clamp holds.
    let mut continuous = base.input("continuous").to_vec();
    let mut binary = base.input("binary").to_vec();
    let clip = base.model.config().featurization.clip_magnitude;
    continuous[5 * widths.continuous..6 * widths.continuous].fill(3e38);
    binary[5 * widths.binary..6 * widths.binary].fill(clip);
    let mut request = base.request();
    request.candidate.continuous = Features::F32(&continuous);
    request.candidate.binary = Binary::Numbers(&binary);
    let truth = {
        let mut inputs: std::collections::BTreeMap<String, Vec<f32>> =
            EMBEDDINGS.map(|name| (name.to_owned(), base.input(name).to_vec())).into_iter().collect();
        inputs.insert("continuous".to_owned(), continuous.clone());
        inputs.insert("binary".to_owned(), binary.clone());
        Case::from_inputs("constant", &base.model, base.rows, base.score_weights.clone(), inputs).unwrap()
    };
    assert!(truth.expected("score")[5].is_nan(), "the reference has no number for row 5");

    let mut scores = Scores::default();
    scorer.score(Batch { requests: &[request] }, &options, &mut scores).unwrap();
    for row in 0..base.rows {
        if row == 5 {
            assert_eq!(scores.statuses[row], Status::ZeroVariance);
            assert!(scores.scores[row].is_nan());
        } else {
            assert_eq!(scores.statuses[row], expected.statuses[row], "row {row}");
            assert_eq!(scores.scores[row].to_bits(), expected.scores[row].to_bits(), "row {row}");
        }
    }
}

fn non_finite(target: Target) {
    let base = Case::open(&super::golden_folder().join("share-partial")).unwrap();
    let scorer = target.scorer(&base.model, 64);
    let weights = weights(&base);
    let options = ScoreOptions::new(&weights);
    let mut expected = Scores::default();
    scorer.score(Batch { requests: &[base.request()] }, &options, &mut expected).unwrap();
    let mut embedding = base.input("user_embedding").to_vec();
    let width = base.model.widths().user_embedding;
    embedding[4 * width] = f32::NAN;
    embedding[7 * width + 1] = f32::INFINITY;
    let mut request = base.request();
    request.candidate.user_embedding = Features::F32(&embedding);
    let mut scores = Scores::default();
    scorer.score(Batch { requests: &[request] }, &options, &mut scores).unwrap();
    for row in 0..base.rows {
        if row == 4 || row == 7 {
            assert_eq!(scores.statuses[row], Status::NonFinite, "row {row}");
            assert!(!scores.scores[row].is_finite());
        } else {
            assert_eq!(scores.scores[row].to_bits(), expected.scores[row].to_bits(), "row {row}");
        }
    }
}

fn top_k(target: Target) {
    let case = Case::open(&super::golden_folder().join("serial")).unwrap();
    let scorer = target.scorer(&case.model, 64);
    let weights = weights(&case);
    let outputs = Outputs { top_k: 5, ..Outputs::default() };
    let mut scores = Scores::default();
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    scorer.score(Batch { requests: &[case.request()] }, &options, &mut scores).unwrap();
    let mut order: Vec<u32> = (0..case.rows as u32).collect();
    order.sort_by(|&a, &b| scores.scores[b as usize].total_cmp(&scores.scores[a as usize]));
    assert_eq!(scores.top_k, order[..5]);
}

fn wrong_lengths(target: Target) {
    let case = case(target, 1, 3);
    let (scorer, weights) = (target.scorer(&case.model, 4), weights(&case));
    let options = ScoreOptions::new(&weights);
    let mut scores = Scores::default();
    let mut short = case.request();
    short.candidates = 2;
    let error =
        scorer.score(Batch { requests: &[case.request(), short] }, &options, &mut scores).unwrap_err();
    assert!(matches!(error, Error::TooManyCandidates { max: 4, found: 5 }), "{error}");
    let error = scorer.score(Batch { requests: &[short] }, &options, &mut scores).unwrap_err();
    assert!(
        matches!(&error, Error::Batch { request: 0, operand, .. } if operand.contains("continuous")),
        "{error}"
    );
    let error = scorer
        .score(Batch { requests: &[case.request()] }, &ScoreOptions::new(&[]), &mut scores)
        .unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "weights", .. }), "{error}");
}
