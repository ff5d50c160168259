//! Batch invariance: a candidate's bits do not depend on how many others are scored with it, on its place, or on the
//! requests around it.

use std::collections::HashMap;

use maskrank::golden::Case;
use maskrank::{Batch, Binary, Columns, Features, Outputs, Request, ScoreOptions, Scorer, Scores};

use super::{Target, Trial, golden_folder};

const SIZES: [usize; 8] = [1, 2, 15, 16, 17, 64, 65, 1500];

pub fn trials() -> Vec<Trial> {
    ["tiny-parallel", "ragged-input-norm", "serial", "share-none", "share-partial"]
        .into_iter()
        .map(|name| Trial::new(format!("invariance/{name}"), move |target| invariant(target, name, &SIZES)))
        .chain([Trial::new("invariance/production", |target| {
            invariant(target, "production", &[1, 2, 17, 65]);
        })])
        .collect()
}

/// Three rows of a case, each at the start, in the middle and at the end of batches of these sizes, and among other
/// requests.
pub fn invariant(target: Target, name: &str, sizes: &[usize]) {
    let case = Case::open(&golden_folder().join(name)).unwrap();
    let largest = sizes.iter().copied().max().unwrap_or(1);
    let scorer = target.scorer(&case.model, largest.max(40));
    let rows = case.rows.min(12);
    let watched = [0, rows / 2, rows - 1];
    let alone: HashMap<usize, Vec<u32>> =
        watched.into_iter().map(|row| (row, bits(&scorer, &case, &[vec![row]]).remove(0))).collect();

    for &size in sizes {
        for turn in 0..watched.len() {
            let mut order: Vec<usize> = (0..size).map(|i| (i * 7 + 3) % case.rows).collect();
            let places = [0, size / 2, size - 1];
            for (index, place) in places.into_iter().enumerate() {
                order[place] = watched[(index + turn) % watched.len()];
            }
            let found = bits(&scorer, &case, std::slice::from_ref(&order));
            for place in places {
                let row = order[place];
                assert_eq!(found[place], alone[&row], "{name}: row {row} at place {place} of {size}");
            }
        }
    }
    // Among other requests, of every size and none.
    let requests =
        vec![vec![3, 1], vec![], (0..17).map(|i| i % case.rows).collect(), vec![rows - 1], vec![0; 20]];
    let found = bits(&scorer, &case, &requests);
    for (row, found) in requests.concat().into_iter().zip(&found) {
        if let Some(alone) = alone.get(&row) {
            assert_eq!(found, alone, "{name}: row {row} among other requests");
        }
    }
}

/// Every output's bits of every candidate, for requests made of the case's rows.
fn bits(scorer: &Scorer, case: &Case, requests: &[Vec<usize>]) -> Vec<Vec<u32>> {
    let gather = |name: &str, rows: &[usize]| -> Vec<f32> {
        let values = case.input(name);
        let width = values.len() / case.rows;
        rows.iter().flat_map(|&row| values[row * width..(row + 1) * width].iter().copied()).collect()
    };
    let names = ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"];
    let data: Vec<[Vec<f32>; 5]> = requests.iter().map(|rows| names.map(|name| gather(name, rows))).collect();
    let requests: Vec<Request<'_>> = data
        .iter()
        .zip(requests)
        .map(|([continuous, binary, user, user_eng, author], rows)| Request {
            candidates: rows.len(),
            request: Columns::default(),
            candidate: Columns {
                continuous: Features::F32(continuous),
                binary: Binary::Numbers(binary),
                user_embedding: Features::F32(user),
                user_eng_embedding: Features::F32(user_eng),
                author_embedding: Features::F32(author),
            },
        })
        .collect();
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let outputs = Outputs { logits: true, probabilities: true, calibrated_probabilities: true, top_k: 3 };
    let mut scores = Scores::default();
    scorer
        .score(Batch { requests: &requests }, &ScoreOptions::new(&weights).with_outputs(outputs), &mut scores)
        .unwrap();
    let tasks = weights.len();
    (0..scores.scores.len())
        .map(|row| {
            let of = |values: &[f32]| {
                values[row * tasks..(row + 1) * tasks].iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            };
            let mut bits = vec![scores.scores[row].to_bits(), scores.statuses[row] as u32];
            bits.extend(of(&scores.logits));
            bits.extend(of(&scores.probabilities));
            bits.extend(of(&scores.calibrated_probabilities));
            bits
        })
        .collect()
}
