//! A small model of every kind of step, and requests for it with the plain scorer's answers.

use std::sync::Arc;

use maskrank::batching::{Answer, Job, OwnedBinary, OwnedColumns, OwnedRequest};
use maskrank::config::Widths;
use maskrank::{
    Backend, Batch, LiveScorer, Model, ModelConfig, Outputs, ScoreOptions, Scorer, Scores, Split,
};

use crate::common::SMALL_MODEL;
pub use crate::common::random::Random;

pub const WIDTHS: Widths =
    Widths { continuous: 30, binary: 5, user_embedding: 6, user_eng_embedding: 0, author_embedding: 7 };

/// The viewer's embedding comes once a request.
pub fn split() -> Split {
    Split { embeddings: [true, false, false], ..Split::default() }
}

pub fn config() -> ModelConfig {
    ModelConfig::from_yaml(SMALL_MODEL, "config.yaml").expect("a good configuration")
}

pub fn model(seed: u64) -> Model {
    Model::seeded(config(), WIDTHS, seed).expect("a good model")
}

pub fn scorer(seed: u64, max_candidates: usize) -> Scorer {
    Scorer::builder(&model(seed))
        .backend(Backend::Cpu)
        .threads(1)
        .max_candidates(max_candidates)
        .split(split())
        .build()
        .expect("the CPU runs anything")
}

pub fn live(seed: u64, max_candidates: usize) -> Arc<LiveScorer> {
    Arc::new(LiveScorer::new(scorer(seed, max_candidates)).expect("a good scorer"))
}

pub fn request(random: &mut Random, candidates: usize) -> OwnedRequest {
    let once =
        OwnedColumns { user_embedding: random.floats(WIDTHS.user_embedding).into(), ..Default::default() };
    let binary: Vec<u8> = (0..candidates * WIDTHS.binary).map(|_| random.below(2) as u8).collect();
    let each = OwnedColumns {
        continuous: random.floats(candidates * WIDTHS.continuous).into(),
        binary: OwnedBinary::Bytes(binary.into()),
        author_embedding: random.floats(candidates * WIDTHS.author_embedding).into(),
        ..Default::default()
    };
    OwnedRequest { candidates, request: once, candidate: each }
}

pub const WEIGHTS: [f32; 2] = [0.5, 13.5];

/// Every output of the scorers under test.
pub const EVERYTHING: Outputs =
    Outputs { logits: true, probabilities: true, calibrated_probabilities: true, top_k: 5 };

/// What a plain scorer says of a job alone.
pub fn alone(scorer: &Scorer, job: &Job) -> Scores {
    let mut scores = Scores::default();
    let options = ScoreOptions { weights: &job.weights, from: job.from, outputs: job.outputs };
    scorer.score(Batch { requests: &[job.request.view()] }, &options, &mut scores).expect("a good job");
    scores
}

/// Values and statuses, top k, its offsets.
pub type Bits = (Vec<u32>, Vec<u32>, Vec<usize>);

/// Every number's bits, so that NaN equals itself and −0 is not 0.
pub fn bits(scores: &Scores) -> Bits {
    let Scores { scores: s, statuses, logits, probabilities, calibrated_probabilities, top_k, top_k_offsets } =
        scores;
    let mut all: Vec<u32> = statuses.iter().map(|&status| status as u32).collect();
    for values in [s, logits, probabilities, calibrated_probabilities] {
        all.push(values.len() as u32);
        all.extend(values.iter().map(|v| v.to_bits()));
    }
    (all, top_k.clone(), top_k_offsets.clone())
}

pub fn assert_same(answer: &Answer, expected: &Scores, what: &str) {
    assert_eq!(bits(&answer.scores), bits(expected), "{what}: in a batch of {:?}", answer.batch);
}
