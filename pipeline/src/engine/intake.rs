//! What mixers and recommendation pipelines begin with: gates, the query, candidates.

use std::sync::Arc;

use super::component::{phase_rows, rows};
use super::query_stages::{AsyncHydrators, run_query_hydrators};
use super::stages::{Parent, run_candidate_pipelines, run_gates};
use super::{
    AnyQueryHydrator, AsyncQueryHydrator, CandidatePipeline, ComponentRow, Failure, Gate, PipelineCandidate,
    PipelineQuery, Removed, Run, StageKind, Step,
};

/// The lists that both kinds of pipelines begin with.
pub(super) struct Intake<'a, Q, C> {
    pub(super) name: &'static str,
    pub(super) gates: &'a [Arc<dyn Gate<Q, C>>],
    pub(super) query_hydrators: &'a [Vec<Arc<dyn AnyQueryHydrator<Q>>>],
    pub(super) async_query_hydrators: &'a [AsyncQueryHydrator<Q>],
    pub(super) candidate_pipelines: &'a [CandidatePipeline<Q, C>],
    pub(super) dependent_pipelines: &'a [CandidatePipeline<Q, C>],
    /// By which the candidate pipelines scale their work, beside their own quality factors.
    pub(super) quality: f64,
}

/// What was found out and fetched.
pub(super) struct Taken<Q, C> {
    pub(super) query: Arc<Q>,
    /// Query hydrators that are still under way.
    pub(super) late: AsyncHydrators<Q>,
    pub(super) candidates: Vec<C>,
    pub(super) removed: Vec<Removed<C>>,
}

impl<Q: PipelineQuery, C: PipelineCandidate> Intake<'_, Q, C> {
    pub(super) async fn run(&self, run: &Arc<Run>, mut query: Arc<Q>) -> Result<Taken<Q, C>, Failure> {
        let mut removed = Vec::new();
        run_gates(run, self.name, self.gates, &query, &[])?;
        let mut late = AsyncHydrators::start(run, self.name, self.async_query_hydrators, &query);
        run_query_hydrators(run, self.name, self.query_hydrators, &mut query).await;
        let mut candidates = Vec::new();
        for (step, stage, pipelines) in [
            (Step::CandidatePipelines, StageKind::CandidatePipeline, self.candidate_pipelines),
            (Step::DependentPipelines, StageKind::DependentPipeline, self.dependent_pipelines),
        ] {
            late.join_before(run, step, &mut query).await;
            let parent = Parent { name: self.name, stage, quality: self.quality };
            let gone = &mut removed;
            candidates = run_candidate_pipelines(run, parent, pipelines, &query, candidates, gone).await?;
        }
        Ok(Taken { query, late, candidates, removed })
    }

    /// The components of these lists in the order of execution.
    pub(super) fn components(&self) -> Vec<ComponentRow> {
        let late = self.async_query_hydrators.iter().flat_map(|late| {
            let when = format!("awaited before {}", late.before.name());
            rows(self.name, StageKind::AsyncQueryHydrator, &when, [&late.hydrator])
        });
        [
            rows(self.name, StageKind::Gate, "", self.gates),
            phase_rows(self.name, StageKind::QueryHydrator, self.query_hydrators),
            late.collect(),
            self.candidate_pipelines.iter().flat_map(CandidatePipeline::components).collect(),
            self.dependent_pipelines.iter().flat_map(CandidatePipeline::components).collect(),
        ]
        .concat()
    }
}
