//! The seam to the model: a batch of features in, ten calibrated probabilities for each candidate out.

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

/// Features of one request's candidates, as the model reads them. All matrices are row-major.
///
/// Columns that are the same for all candidates of a request (the viewer's, the request's) are held once, in
/// `request_continuous` and `request_binary`; the same columns of the candidates' matrices hold 0 and mean nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureBatch {
    /// Number of candidates N.
    pub candidates: usize,
    /// (N, continuous).
    pub continuous: Vec<f32>,
    /// (N, binary), each 0 or 1.
    pub binary: Vec<f32>,
    /// (slot, value) of the continuous columns that all candidates share, ascending by slot.
    pub request_continuous: Vec<(u32, f32)>,
    /// (slot, value) of the binary columns that all candidates share, ascending by slot.
    pub request_binary: Vec<(u32, f32)>,
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

    /// Scores a batch. The batch comes back with the answer, so that its memory serves the next request.
    ///
    /// # Errors
    /// The model is not available, or the batch does not fit it.
    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>);
}
