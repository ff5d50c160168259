//! Constants of model scoring.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{SourceKind, Task};
use crate::engine::QualityFactorConfig;

/// What the model scores and how its answer becomes a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoringConfig {
    /// How many candidates of each source are scored, times the quality factor.
    pub max_scored: BTreeMap<SourceKind, usize>,
    /// How many candidates of all sources together are scored, times the quality factor; beyond it each source keeps
    /// its share. Without it only the sources' own limits hold.
    pub max_candidates: Option<usize>,
    /// The quality factor of scoring.
    pub quality_factor: QualityFactorConfig,
    /// Weights of the ten probabilities.
    pub weights: ScoreWeights,
    /// The interval into which negative sums are squeezed.
    pub epsilon: f64,
}

impl Default for ScoringConfig {
    fn default() -> Self {
        let max_scored = SourceKind::ALL
            .into_iter()
            .filter(|source| *source != SourceKind::Cached)
            .map(|source| (source, if source == SourceKind::PopularVideo { 40 } else { 500 }))
            .collect();
        Self {
            max_scored,
            max_candidates: None,
            quality_factor: QualityFactorConfig { target_latency_ms: 700, ..QualityFactorConfig::default() },
            weights: ScoreWeights::default(),
            epsilon: 0.001,
        }
    }
}

/// Weights of the ten probabilities. The defaults are those published on 5 April 2023.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoreWeights {
    /// Weight of [`Task::Favorite`].
    pub favorite: f64,
    /// Weight of [`Task::Repost`].
    pub repost: f64,
    /// Weight of [`Task::Reply`].
    pub reply: f64,
    /// Weight of [`Task::GoodProfileClick`].
    pub good_profile_click: f64,
    /// Weight of [`Task::VideoHalf`].
    pub video_half: f64,
    /// Weight of [`Task::ReplyEngagedByAuthor`].
    pub reply_engaged_by_author: f64,
    /// Weight of [`Task::GoodClick`].
    pub good_click: f64,
    /// Weight of [`Task::GoodClickDwell`].
    pub good_click_dwell: f64,
    /// Weight of [`Task::NegativeFeedback`].
    pub negative_feedback: f64,
    /// Weight of [`Task::Report`].
    pub report: f64,
}

impl Default for ScoreWeights {
    fn default() -> Self {
        Self {
            favorite: 0.5,
            repost: 1.0,
            reply: 13.5,
            good_profile_click: 12.0,
            video_half: 0.005,
            reply_engaged_by_author: 75.0,
            good_click: 11.0,
            good_click_dwell: 10.0,
            negative_feedback: -74.0,
            report: -369.0,
        }
    }
}

impl ScoreWeights {
    /// Each task with its weight, in the order of [`Task::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Task, f64)> + '_ {
        Task::ALL.into_iter().map(|task| (task, self.of(task)))
    }

    /// A task's weight.
    pub fn of(&self, task: Task) -> f64 {
        match task {
            Task::Favorite => self.favorite,
            Task::GoodClick => self.good_click,
            Task::GoodClickDwell => self.good_click_dwell,
            Task::NegativeFeedback => self.negative_feedback,
            Task::GoodProfileClick => self.good_profile_click,
            Task::Reply => self.reply,
            Task::ReplyEngagedByAuthor => self.reply_engaged_by_author,
            Task::Report => self.report,
            Task::Repost => self.repost,
            Task::VideoHalf => self.video_half,
        }
    }
}
