//! Every batch size up to a few tiles, and sizes around every larger tile and graph: each row has the bits that it has
//! alone.

use maskrank::golden::Case;
use maskrank::{Batch, Binary, Columns, Features, Outputs, Request, ScoreOptions, Scorer, Scores};

use super::{Target, Trial, golden_folder};

pub fn trials() -> Vec<Trial> {
    let small = (0..=72).collect::<Vec<_>>();
    let large = vec![127, 128, 129, 191, 255, 256, 257, 509, 1021, 1024, 1025, 2039, 2048, 2049, 4099];
    vec![
        Trial::new("sizes/small", move |target| sweep(target, "tiny-parallel", &small)),
        Trial::new("sizes/large", move |target| sweep(target, "share-partial", &large)),
    ]
}

fn sweep(target: Target, name: &str, sizes: &[usize]) {
    let case = Case::open(&golden_folder().join(name)).unwrap();
    let most = sizes.iter().copied().max().unwrap_or(0);
    let scorer = target.scorer(&case.model, most.max(case.rows));
    let all = repeated(&case, most);
    let one: Vec<Vec<u32>> = (0..case.rows).map(|row| score(&case, &scorer, &all, row..row + 1)).collect();
    for &size in sizes {
        let found = score(&case, &scorer, &all, 0..size);
        let width = found.len() / size.max(1);
        for row in 0..size {
            let (found, expected) = (&found[row * width..(row + 1) * width], &one[row % case.rows]);
            assert_eq!(found, expected, "{name}: row {row} of {size}");
        }
    }
}

/// A case's inputs over and over.
fn repeated(case: &Case, rows: usize) -> [Vec<f32>; 5] {
    let rows = rows.max(case.rows);
    ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"].map(|name| {
        let values = case.input(name);
        values.iter().copied().cycle().take(values.len() / case.rows * rows).collect()
    })
}

/// Score and logits of some rows, row by row.
fn score(case: &Case, scorer: &Scorer, all: &[Vec<f32>; 5], rows: std::ops::Range<usize>) -> Vec<u32> {
    let widths = case.model.widths();
    let cut = |index: usize, width: usize| &all[index][rows.start * width..rows.end * width];
    let request = Request {
        candidates: rows.len(),
        request: Columns::default(),
        candidate: Columns {
            continuous: Features::F32(cut(0, widths.continuous)),
            binary: Binary::Numbers(cut(1, widths.binary)),
            user_embedding: Features::F32(cut(2, widths.user_embedding)),
            user_eng_embedding: Features::F32(cut(3, widths.user_eng_embedding)),
            author_embedding: Features::F32(cut(4, widths.author_embedding)),
        },
    };
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let options = ScoreOptions::new(&weights).with_outputs(Outputs { logits: true, ..Outputs::default() });
    let mut scores = Scores::default();
    scorer.score(Batch { requests: &[request] }, &options, &mut scores).unwrap();
    let tasks = weights.len();
    (0..rows.len())
        .flat_map(|row| {
            let logits = &scores.logits[row * tasks..(row + 1) * tasks];
            std::iter::once(&scores.scores[row]).chain(logits).map(|v| v.to_bits()).collect::<Vec<_>>()
        })
        .collect()
}
