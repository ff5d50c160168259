//! Query hydrators that need not be awaited at once.

use std::sync::Arc;

use super::AnyQueryHydrator;

/// The steps before which an asynchronous query hydrator can be awaited, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The candidate pipelines.
    CandidatePipelines,
    /// The candidate pipelines that depend on the others' candidates.
    DependentPipelines,
    /// Hydration of all candidates.
    Hydration,
    /// The filters before scoring.
    Filters,
    /// The scoring pipelines.
    Scoring,
    /// The selectors of the result.
    Selection,
    /// Turning the result into a response.
    Marshalling,
    /// The side effects.
    SideEffects,
}

impl Step {
    /// The name in the generated documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::CandidatePipelines => "candidate pipelines",
            Self::DependentPipelines => "dependent pipelines",
            Self::Hydration => "hydration",
            Self::Filters => "filters",
            Self::Scoring => "scoring",
            Self::Selection => "selection",
            Self::Marshalling => "marshalling",
            Self::SideEffects => "side effects",
        }
    }
}

/// A query hydrator that starts with the request, sees the query as it came in, and is awaited only before `before`.
pub struct AsyncQueryHydrator<Q> {
    /// The hydrator.
    pub hydrator: Arc<dyn AnyQueryHydrator<Q>>,
    /// The step that needs what it finds.
    pub before: Step,
}

impl<Q> AsyncQueryHydrator<Q> {
    /// Awaits `hydrator` before `before`.
    pub fn new(hydrator: Arc<dyn AnyQueryHydrator<Q>>, before: Step) -> Self {
        Self { hydrator, before }
    }
}
