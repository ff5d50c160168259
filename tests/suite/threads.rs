//! Many callers of one scorer: each gets the bits that it gets alone, from its own memory and from lent staging.

use std::path::Path;

use maskrank::golden::Case;
use maskrank::{
    Batch, BinaryMut, BinaryType, Columns, Features, Outputs, Request, ScoreOptions, Scorer, Scores,
};

use super::{Target, Trial, golden_folder};

pub fn trials() -> Vec<Trial> {
    vec![Trial::new("threads/own_bits", own_bits)]
}

const CALLERS: usize = 6;
const CALLS: usize = 4;

fn own_bits(target: Target) {
    let case = Case::open(&golden_folder().join(Path::new("tiny-parallel"))).unwrap();
    let scorer = Scorer::builder(&case.model)
        .backend(target.backend)
        .precision(target.precision)
        .max_candidates(case.rows)
        .max_in_flight(3)
        .build()
        .unwrap_or_else(|error| panic!("{}: {error}", target.name()));
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let outputs = Outputs { logits: true, ..Outputs::default() };
    // Each caller has another number of candidates.
    let alone: Vec<Vec<u32>> = (0..CALLERS)
        .map(|caller| {
            let mut scores = Scores::default();
            let options = ScoreOptions::new(&weights).with_outputs(outputs);
            scorer.score(Batch { requests: &[rows(&case, 1 + caller)] }, &options, &mut scores).unwrap();
            bits(&scores)
        })
        .collect();
    std::thread::scope(|scope| {
        for (caller, alone) in alone.iter().enumerate() {
            let (scorer, case, weights) = (&scorer, &case, &weights);
            scope.spawn(move || {
                let options = ScoreOptions::new(weights).with_outputs(outputs);
                let mut scores = Scores::default();
                let request = rows(case, 1 + caller);
                for call in 0..CALLS {
                    if (caller + call) % 2 == 0 {
                        scorer.score(Batch { requests: &[request] }, &options, &mut scores).unwrap();
                    } else {
                        staged(scorer, &request, &options, &mut scores);
                    }
                    assert_eq!(&bits(&scores), alone, "caller {caller}, call {call}");
                }
            });
        }
    });
}

/// The first rows of a case, at most as many as it has.
fn rows(case: &Case, wanted: usize) -> Request<'_> {
    let candidates = wanted.min(case.rows);
    let widths = case.model.widths();
    let cut = |name: &str, width: usize| Features::F32(&case.input(name)[..candidates * width]);
    Request {
        candidates,
        request: Columns::default(),
        candidate: Columns {
            continuous: cut("continuous", widths.continuous),
            binary: maskrank::Binary::Numbers(&case.input("binary")[..candidates * widths.binary]),
            user_embedding: cut("user_embedding", widths.user_embedding),
            user_eng_embedding: cut("user_eng_embedding", widths.user_eng_embedding),
            author_embedding: cut("author_embedding", widths.author_embedding),
        },
    }
}

fn staged(scorer: &Scorer, request: &Request<'_>, options: &ScoreOptions<'_>, scores: &mut Scores) {
    let mut staging = scorer.staging::<f32>(&[request.candidates], BinaryType::Numbers).unwrap();
    let into = staging.columns().candidate;
    let [user, user_eng, author] = request.candidate.embeddings();
    for (into, from) in [
        (into.continuous, request.candidate.continuous),
        (into.user_embedding, user),
        (into.user_eng_embedding, user_eng),
        (into.author_embedding, author),
    ] {
        match from {
            Features::F32(from) => into.copy_from_slice(from),
            other => panic!("{other:?}"),
        }
    }
    match (into.binary, request.candidate.binary) {
        (BinaryMut::Numbers(into), maskrank::Binary::Numbers(from)) => into.copy_from_slice(from),
        other => panic!("{other:?}"),
    }
    staging.score(options, scores).unwrap();
}

fn bits(scores: &Scores) -> Vec<u32> {
    scores.scores.iter().chain(&scores.logits).map(|v| v.to_bits()).collect()
}
