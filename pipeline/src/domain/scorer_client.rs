//! The seam to the model: a batch of features in, ten calibrated probabilities for each candidate out.

use std::ops::Range;

use async_trait::async_trait;

use super::Task;

/// How many inputs of each kind the loaded model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelInputs {
    /// Continuous slots: the record's first so many.
    pub continuous: usize,
    /// Binary slots: the record's first so many.
    pub binary: usize,
    /// Width of the embedding of whom the viewer follows; 0 when the model has none.
    pub user_embedding: usize,
    /// Width of the embedding of what the viewer engages with; 0 when the model has none.
    pub user_engagement_embedding: usize,
    /// Width of the author's embedding; 0 when the model has none.
    pub author_embedding: usize,
}

impl ModelInputs {
    /// The production model's inputs.
    pub const PRODUCTION: Self = Self {
        continuous: 2117,
        binary: 59,
        user_embedding: 200,
        user_engagement_embedding: 200,
        author_embedding: 200,
    };
}

/// Which columns are given once for all candidates of a request, rather than once for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestColumns {
    /// Ranges of continuous slots; ascending, not overlapping.
    pub continuous: Vec<Range<usize>>,
    /// Ranges of binary slots; ascending, not overlapping.
    pub binary: Vec<Range<usize>>,
}

/// Features of one request's candidates, as the model reads them. All matrices are row-major.
///
/// The columns of [`RequestColumns`] stand in the request's row, the others in the candidates' matrix, both in ascending
/// order of their slots and without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureBatch {
    /// Number of candidates N.
    pub candidates: usize,
    /// (N, continuous slots given for each candidate).
    pub continuous: Vec<f32>,
    /// (N, binary slots given for each candidate), each 0 or 1.
    pub binary: Vec<f32>,
    /// (continuous slots given once,).
    pub request_continuous: Vec<f32>,
    /// (binary slots given once,), each 0 or 1.
    pub request_binary: Vec<f32>,
    /// (user_embedding,), once for the request.
    pub user_embedding: Vec<f32>,
    /// (user_engagement_embedding,), once for the request.
    pub user_engagement_embedding: Vec<f32>,
    /// (N, author_embedding).
    pub author_embedding: Vec<f32>,
}

/// Why a batch was not scored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScorerError {
    /// The model is not there, or too busy.
    #[error("scorer unavailable: {0}")]
    Unavailable(String),
    /// The batch does not fit the model.
    #[error("scorer refused the batch: {0}")]
    Refused(String),
}

/// The model's answer: one row for each candidate, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Calibrated probabilities, by [`Task::index`]. A task that the model does not predict is 0.
    pub rows: Vec<[f32; Task::COUNT]>,
}

/// The model, wherever it runs. Batching requests of several viewers together is the implementation's business.
#[async_trait]
pub trait ScorerClient: Send + Sync {
    /// What the loaded model reads: features outside of it are not computed.
    fn inputs(&self) -> ModelInputs;

    /// Which columns it takes once a request.
    fn request_columns(&self) -> &RequestColumns;

    /// Scores a batch. The batch comes back with the answer, so that its memory serves the next request.
    ///
    /// # Errors
    /// The model is not available, or the batch does not fit it.
    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>);
}
