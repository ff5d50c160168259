//! What a caller asks of a batching scorer, and what comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::OwnedRequest;
use super::times::StageTimes;
use crate::scorer::ScoreFrom;
use crate::scores::{Outputs, Scores};

/// Who goes first when more is asked than fits a batch. Inside one priority the order is that of arrival; a lower
/// priority waits for as long as higher ones fill every batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    High,
    /// The default.
    #[default]
    Normal,
    /// What may wait: refills, experiments.
    Low,
}

impl Priority {
    pub(super) const COUNT: usize = 3;

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// One request to be scored, with all that it needs until then. A clone shares the features.
#[derive(Clone, Debug)]
pub struct Job {
    /// The features.
    pub request: OwnedRequest,
    /// Score weights in the tasks' order, (tasks). Jobs are merged when these are equal.
    pub weights: Arc<[f32]>,
    /// Which probabilities make the score. Jobs are merged when these are equal.
    pub from: ScoreFrom,
    /// What to fill besides score and status.
    pub outputs: Outputs,
    /// Who goes first.
    pub priority: Priority,
    /// When scoring must have begun. A job that is still queued then is answered with [`crate::Error::Expired`] and
    /// costs nothing more.
    pub deadline: Option<Instant>,
}

impl Job {
    /// Scores and statuses from calibrated probabilities, at normal priority, without a deadline.
    #[must_use]
    pub fn new(request: OwnedRequest, weights: impl Into<Arc<[f32]>>) -> Self {
        Self {
            request,
            weights: weights.into(),
            from: ScoreFrom::default(),
            outputs: Outputs::default(),
            priority: Priority::default(),
            deadline: None,
        }
    }

    /// Takes these probabilities for the score.
    #[must_use]
    pub fn with_score_from(self, from: ScoreFrom) -> Self {
        Self { from, ..self }
    }

    /// Fills these outputs too.
    #[must_use]
    pub fn with_outputs(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }

    /// At this priority.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Scoring must have begun this long from now.
    #[must_use]
    pub fn with_deadline_in(self, time: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(time), ..self }
    }

    /// Whether one call of a scorer can serve both.
    pub(super) fn merges_with(&self, other: &Self) -> bool {
        let same_bits =
            || self.weights.iter().map(|w| w.to_bits()).eq(other.weights.iter().map(|w| w.to_bits()));
        self.from == other.from && (Arc::ptr_eq(&self.weights, &other.weights) || same_bits())
    }
}

/// What a job's caller gets.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// As if the job's request had been scored alone: the same bits.
    pub scores: Scores,
    /// Where the time went.
    pub times: StageTimes,
    /// Number of the scorer that answered: [`crate::Generation::number`].
    pub generation: u64,
    /// Requests and candidates of the batch that the job was scored in.
    pub batch: (usize, usize),
}
