//! Why a post is, or is not, in a timeline.
//!
//! An [`Explanation`] is made by running the very request again, without side effects, while an inspector watches the
//! post at every component: with the query and the quality factors of the request when it was recorded, else as if it
//! were made now. Nothing in it is told from rules that are written twice: where the post came from, which filter said
//! what, what its score was multiplied with and where it stood is what the engine saw. Only why a source passed a post
//! over is said by the source itself, asked for this one post.

mod build;
mod log;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{Factor, Millis, PostId, SourceKind, SuggestKind, UserId};
use crate::engine::StageKind;

pub(crate) use build::{Asked, inspect};
pub(crate) use log::{Logged, RequestLog};

/// Why a post is, or is not, in a timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Whose timeline.
    pub viewer: UserId,
    /// The post.
    pub post: PostId,
    /// Who posted it, when it is stored.
    pub author: Option<UserId>,
    /// The moment of the request.
    pub now: Millis,
    /// Whether the request's own query and quality factors were used; else it was run as if it were made now.
    pub is_replay: bool,
    /// What became of the post.
    pub outcome: Fate,
    /// What each source did about it, in the funnel's order.
    pub sources: Vec<SourceAnswer>,
    /// Where it was seen, in order.
    pub steps: Vec<StepSeen>,
    /// How it was scored, if it was.
    pub scoring: Option<Scoring>,
    /// The features that the model reads, as of the last step at which it was seen; none when no source found it.
    pub features: Vec<FamilyFeatures>,
}

/// What became of a post.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "fate")]
#[non_exhaustive]
pub enum Fate {
    /// It is in the timeline.
    Served {
        /// Position among the posts that are shown, from 0.
        position: usize,
        /// The post under which it is shown: itself, or a repost of it.
        shown_as: PostId,
    },
    /// Something removed it.
    Removed {
        /// The pipeline.
        pipeline: &'static str,
        /// The list.
        stage: StageKind,
        /// The component.
        component: &'static str,
        /// Its rule.
        rule: &'static str,
    },
    /// No source found it.
    NotFound,
    /// There is no such post.
    Unknown,
    /// There was no timeline at all.
    NoTimeline {
        /// Why.
        why: String,
    },
}

/// What a source did about a post.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceAnswer {
    /// The candidate pipeline.
    pub pipeline: &'static str,
    /// The source.
    pub source: &'static str,
    /// What it did.
    #[serde(flatten)]
    pub answer: Answered,
}

/// What a source did about a post.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answered {
    /// It found the post.
    Found {
        /// Position among what it found, from 0.
        place: usize,
        /// How many it found.
        of: usize,
        /// The light ranker's score.
        light_score: f32,
    },
    /// It did not.
    PassedOver {
        /// Why, in its own words.
        why: String,
    },
    /// It was not asked.
    NotAsked {
        /// The gate that was closed.
        gate: &'static str,
    },
    /// It failed.
    Failed,
}

/// A post at one component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepSeen {
    /// The pipeline.
    pub pipeline: &'static str,
    /// The list.
    pub stage: StageKind,
    /// The component.
    pub component: &'static str,
    /// The candidate's own id: the post's, or a repost's.
    pub candidate: PostId,
    /// Position, from 0.
    pub place: usize,
    /// Of how many.
    pub of: usize,
    /// Position by score, from 0.
    pub rank: usize,
    /// Its score then.
    pub score: f64,
    /// The rule that removed it; none where it went on.
    pub removed_by: Option<&'static str>,
}

/// How a post was scored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scoring {
    /// Which source had found it.
    pub source: SourceKind,
    /// As what it is suggested.
    pub suggest: SuggestKind,
    /// The light ranker's score.
    pub light_score: f32,
    /// The model's calibrated probabilities, by task.
    pub probabilities: BTreeMap<&'static str, f32>,
    /// Their weighted sum.
    pub model_score: Option<f64>,
    /// What the sum was multiplied with.
    pub factors: Vec<Factor>,
    /// What it was ranked by.
    pub score: f64,
    /// When the model scored it.
    pub scored_at: Option<Millis>,
}

/// One family's features.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyFeatures {
    /// The family.
    pub family: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// Name and value, in the order of their slots.
    pub values: Vec<(String, f32)>,
}
