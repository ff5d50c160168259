//! What each stage of a run did.

use std::time::Duration;

use serde::Serialize;

use super::{Failure, FailureKind};

/// The lists of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// Choice of the mixer.
    Mixer,
    /// Gates.
    Gate,
    /// Query hydrators.
    QueryHydrator,
    /// Query hydrators that are awaited later.
    AsyncQueryHydrator,
    /// A whole candidate pipeline.
    CandidatePipeline,
    /// A whole candidate pipeline that depends on the others.
    DependentPipeline,
    /// Sources.
    Source,
    /// Hydrators before a candidate pipeline's filters, or of all candidates.
    Hydrator,
    /// Filters.
    Filter,
    /// Hydrators after a candidate pipeline's filters.
    PostFilterHydrator,
    /// Decorators.
    Decorator,
    /// Selectors that merge the candidate pipelines' results.
    MergeSelector,
    /// A whole scoring pipeline.
    ScoringPipeline,
    /// Selectors of what is scored.
    ScoringSelector,
    /// Hydrators of what is scored.
    ScoringHydrator,
    /// Scorers.
    Scorer,
    /// Filters after scoring.
    PostScoringFilter,
    /// Selectors of the result.
    Selector,
    /// Hydrators of the result.
    PostSelectionHydrator,
    /// Filters of the result.
    PostSelectionFilter,
    /// Side effects.
    SideEffect,
}

impl StageKind {
    /// The name in metrics, logs and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mixer => "mixer",
            Self::Gate => "gate",
            Self::QueryHydrator => "query_hydrator",
            Self::AsyncQueryHydrator => "async_query_hydrator",
            Self::CandidatePipeline => "candidate_pipeline",
            Self::DependentPipeline => "dependent_pipeline",
            Self::Source => "source",
            Self::Hydrator => "hydrator",
            Self::Filter => "filter",
            Self::PostFilterHydrator => "post_filter_hydrator",
            Self::Decorator => "decorator",
            Self::MergeSelector => "merge_selector",
            Self::ScoringPipeline => "scoring_pipeline",
            Self::ScoringSelector => "scoring_selector",
            Self::ScoringHydrator => "scoring_hydrator",
            Self::Scorer => "scorer",
            Self::PostScoringFilter => "post_scoring_filter",
            Self::Selector => "selector",
            Self::PostSelectionHydrator => "post_selection_hydrator",
            Self::PostSelectionFilter => "post_selection_filter",
            Self::SideEffect => "side_effect",
        }
    }
}

/// How a component's or pipeline's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Done.
    Done,
    /// It did not apply.
    Disabled,
    /// It failed.
    Failed(FailureKind),
}

impl Status {
    pub(super) fn of<T>(result: &Result<T, Failure>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(failure) => Self::Failed(failure.kind),
        }
    }
}

/// What one component, or one pipeline as a whole, did in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageReport {
    /// The pipeline.
    pub pipeline: &'static str,
    /// The list.
    pub stage: StageKind,
    /// The component.
    pub component: &'static str,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub latency: Duration,
    /// Candidates that it was given; for a source, 0.
    pub entered: usize,
    /// Candidates that went on.
    pub kept: usize,
    /// Candidates that did not.
    pub removed: usize,
}

/// What all stages of a run did, in the order in which they ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The stages.
    pub stages: Vec<StageReport>,
}

impl Report {
    /// Reports of one list of one pipeline.
    pub fn of(&self, pipeline: &str, stage: StageKind) -> impl Iterator<Item = &StageReport> {
        self.stages.iter().filter(move |report| report.pipeline == pipeline && report.stage == stage)
    }

    /// The names of what failed, closed gates aside: with any, the response is less than it could be.
    pub fn failures(&self) -> Vec<&'static str> {
        let failed = |report: &&StageReport| matches!(report.status, Status::Failed(kind) if kind != FailureKind::ClosedGate);
        let mut names: Vec<_> = self.stages.iter().filter(failed).map(|report| report.component).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
