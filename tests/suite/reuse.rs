//! Columns that a request gives once, wide enough for a backend to compute products of them once a request: within the
//! same bounds, and with bits that depend on nothing but the candidate and its request.

use std::collections::BTreeMap;

use maskrank::config::{EMBEDDINGS, Widths};
use maskrank::golden::Case;
use maskrank::{
    Batch, Binary, Columns, Features, Model, Outputs, Request, ScoreOptions, Scorer, Scores, Split,
};

use super::random_model::{inputs, model_of};
use super::{Random, Target, Trial, golden_folder};

const NAMES: [&str; 5] = ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"];
const ARCHITECTURES: u64 = 24;

pub fn trials() -> Vec<Trial> {
    let golden =
        ["tiny-parallel", "ragged-input-norm", "serial", "share-none", "share-partial", "production"];
    let golden = golden.map(|name| {
        Trial::new(format!("reuse/golden/{name}"), move |target| {
            let case = Case::open(&golden_folder().join(name)).unwrap();
            for split in wide_splits(case.model.widths()) {
                // Every row is a request of its own, so any split means the same.
                let requests: Vec<usize> = vec![1; case.rows];
                check(target, &case, &split, &requests);
            }
        })
    });
    let random = (0..ARCHITECTURES).map(|seed| {
        Trial::new(format!("reuse/random_model/seed_{seed}"), move |target| random(target, seed))
    });
    golden
        .into_iter()
        .chain(random)
        .chain([
            Trial::new("reuse/odd_requests", odd_requests),
            Trial::new("reuse/bits_do_not_depend_on_the_batch", |target| invariant(target, &[1, 2, 3])),
        ])
        .collect()
}

/// Much of the input once a request: the viewer's embeddings, most features, everything.
fn wide_splits(widths: Widths) -> Vec<Split> {
    let all = Split {
        continuous: vec![0..widths.continuous],
        binary: vec![0..widths.binary],
        embeddings: [true, true, true],
    };
    let most = Split {
        continuous: vec![1..widths.continuous / 3, widths.continuous / 2..widths.continuous - 1],
        binary: vec![widths.binary / 2..widths.binary],
        embeddings: [true, false, true],
    };
    let valid = |split: &Split| split.continuous.iter().chain(&split.binary).all(|range| !range.is_empty());
    [Split::user_embeddings(), most, all].into_iter().filter(valid).collect()
}

/// The rows of a case, in requests of these sizes; a request's own columns are its first row's.
struct Divided {
    parts: Vec<[(Vec<f32>, Vec<f32>); 5]>,
    sizes: Vec<usize>,
}

impl Divided {
    fn new(case: &Case, split: &Split, rows: &[Vec<usize>]) -> Self {
        let part = |rows: &Vec<usize>| {
            NAMES.map(|name| {
                let values = case.input(name);
                let width = values.len() / case.rows;
                let (mut once, mut each) = (Vec::new(), Vec::new());
                for (at, &row) in rows.iter().enumerate() {
                    for column in 0..width {
                        let value = values[row * width + column];
                        match (is_once(split, name, column), at) {
                            (true, 0) => once.push(value),
                            (true, _) => {}
                            (false, _) => each.push(value),
                        }
                    }
                }
                (once, each)
            })
        };
        Self { parts: rows.iter().map(part).collect(), sizes: rows.iter().map(Vec::len).collect() }
    }

    fn requests(&self) -> Vec<Request<'_>> {
        fn columns<'a>(of: impl Fn(usize) -> &'a [f32]) -> Columns<'a> {
            Columns {
                continuous: Features::F32(of(0)),
                binary: Binary::Numbers(of(1)),
                user_embedding: Features::F32(of(2)),
                user_eng_embedding: Features::F32(of(3)),
                author_embedding: Features::F32(of(4)),
            }
        }
        let sizes = self.parts.iter().zip(&self.sizes);
        sizes
            .map(|(parts, &candidates)| Request {
                candidates,
                request: columns(|i| &parts[i].0),
                candidate: columns(|i| &parts[i].1),
            })
            .collect()
    }
}

fn is_once(split: &Split, name: &str, column: usize) -> bool {
    match name {
        "continuous" => split.continuous.iter().any(|range| range.contains(&column)),
        "binary" => split.binary.iter().any(|range| range.contains(&column)),
        _ => EMBEDDINGS.iter().position(|e| *e == name).is_some_and(|e| split.embeddings[e]),
    }
}

/// Consecutive rows, as many to a request as `sizes` has.
fn consecutive(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut start = 0;
    sizes
        .iter()
        .map(|&size| {
            start += size;
            (start - size..start).collect()
        })
        .collect()
}

fn check(target: Target, case: &Case, split: &Split, sizes: &[usize]) {
    let divided = Divided::new(case, split, &consecutive(sizes));
    let scorer = target.split_scorer(&case.model, case.rows, split.clone());
    let requests = divided.requests();
    let comparison = case
        .check_with(&scorer, |options, scores| scorer.score(Batch { requests: &requests }, options, scores))
        .unwrap();
    assert!(comparison.passed(), "{}: {split:?}: {}", case.name, comparison.failures());
}

/// Copies each request's own columns from its first row to its other rows.
fn agree(values: &mut BTreeMap<String, Vec<f32>>, split: &Split, sizes: &[usize]) {
    let rows: usize = sizes.iter().sum();
    for name in NAMES {
        let Some(values) = values.get_mut(name) else { continue };
        let width = values.len() / rows;
        for rows in consecutive(sizes) {
            for column in (0..width).filter(|&column| is_once(split, name, column)) {
                let first = rows.first().map_or(0.0, |&row| values[row * width + column]);
                rows.iter().for_each(|&row| values[row * width + column] = first);
            }
        }
    }
}

fn wide_model(random: &mut Random) -> Model {
    let embedding = *random.pick(&[31, 32, 64, 97, 130]);
    let width = |random: &mut Random| if random.below(4) > 0 { embedding } else { 0 };
    let widths = Widths {
        continuous: 20 + random.below(250),
        binary: 3 + random.below(90),
        user_embedding: width(random),
        user_eng_embedding: width(random),
        author_embedding: width(random),
    };
    model_of(random, widths)
}

fn random(target: Target, seed: u64) {
    let mut random = Random(seed ^ 0x5EED_0000);
    let model = wide_model(&mut random);
    let splits = wide_splits(model.widths());
    let split = random.pick(&splits).clone();
    // Enough rows that the largest error of the same-precision reference says how large errors are: here they are not
    // the same errors.
    let count = 1 + random.below(5);
    let sizes: Vec<usize> =
        [20].into_iter().chain((0..count).map(|_| *random.pick(&[1, 1, 2, 7, 16, 33]))).collect();
    let rows = sizes.iter().sum();
    let mut values = inputs(&mut random, model.widths(), rows, target.precision);
    agree(&mut values, &split, &sizes);
    let weights = (0..model.config().tasks.len()).map(|_| f64::from(random.signed() * 50.0)).collect();
    let case = Case::from_inputs(&format!("seed {seed}"), &model, rows, weights, values).unwrap();
    check(target, &case, &split, &sizes);
}

/// Requests whose own columns are all equal, or equal but for one, or far from every candidate's.
fn odd_requests(target: Target) {
    for seed in 0..4 {
        let mut random = Random(seed ^ 0x0DD);
        let model = wide_model(&mut random);
        let widths = model.widths();
        let split = Split { continuous: vec![0..widths.continuous - 5], ..Split::default() };
        let sizes = [3, 2, 4, 21];
        let mut values = inputs(&mut random, widths, 30, target.precision);
        let continuous = values.get_mut("continuous").unwrap();
        for (row, values) in continuous.chunks_mut(widths.continuous).enumerate() {
            let once = &mut values[..widths.continuous - 5];
            match row {
                0..3 => once.fill(0.0),
                3..5 => once.fill(3e38),
                5..9 => {
                    once.fill(1e3);
                    once[7] = -2.0;
                }
                _ => {}
            }
        }
        agree(&mut values, &split, &sizes);
        let weights = vec![1.0; model.config().tasks.len()];
        let case = Case::from_inputs(&format!("odd {seed}"), &model, 30, weights, values).unwrap();
        check(target, &case, &split, &sizes);
    }
}

/// A candidate's bits are the same alone with its request, among its request's others in any order, and among other
/// requests, whatever their sizes.
pub fn invariant(target: Target, seeds: &[u64]) {
    for &seed in seeds {
        let mut random = Random(seed ^ 0xB17);
        let model = wide_model(&mut random);
        let split = wide_splits(model.widths()).remove(1);
        let sizes = [9, 1, 5, 30];
        let rows = sizes.iter().sum();
        let mut values = inputs(&mut random, model.widths(), rows, target.precision);
        agree(&mut values, &split, &sizes);
        let weights = vec![1.0; model.config().tasks.len()];
        let case = Case::from_inputs("invariant", &model, rows, weights, values).unwrap();
        let scorer = target.split_scorer(&case.model, 2000, split.clone());
        let of_request = consecutive(&sizes);
        let alone: Vec<Vec<u32>> =
            (0..rows).map(|row| bits(&scorer, &case, &split, &[vec![row]]).remove(0)).collect();
        let mut batches = vec![of_request.clone(), of_request.iter().rev().cloned().collect()];
        // One request over and over: more candidates than any block, in another order each time.
        batches.push((0..50).map(|i| of_request[i * 7 % 4].iter().rev().copied().collect()).collect());
        batches.push(vec![
            vec![],
            of_request[3].iter().cycle().take(700).copied().collect(),
            vec![3],
            vec![],
        ]);
        batches.push((0..300).map(|i| vec![i * 7 % rows]).collect());
        for batch in batches {
            let found = bits(&scorer, &case, &split, &batch);
            for (place, (row, found)) in batch.concat().into_iter().zip(&found).enumerate() {
                assert_eq!(found, &alone[row], "seed {seed}: row {row} at place {place}");
            }
        }
    }
}

fn bits(scorer: &Scorer, case: &Case, split: &Split, batch: &[Vec<usize>]) -> Vec<Vec<u32>> {
    let divided = Divided::new(case, split, batch);
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let outputs = Outputs { logits: true, ..Outputs::default() };
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    let mut scores = Scores::default();
    scorer.score(Batch { requests: &divided.requests() }, &options, &mut scores).unwrap();
    let logits = scores.logits.chunks(weights.len());
    let rows = scores.scores.iter().zip(logits);
    rows.map(|(score, logits)| logits.iter().chain([score]).map(|v| v.to_bits()).collect()).collect()
}
