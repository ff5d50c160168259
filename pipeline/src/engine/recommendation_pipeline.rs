//! From a query to ranked candidates.

use std::sync::Arc;

use super::component::{phase_rows, rows};
use super::query_stages::{AsyncHydrators, run_query_hydrators};
use super::stages::{
    run_candidate_pipelines, run_filters, run_gates, run_hydrators, run_side_effects, select,
};
use super::{
    AnyHydrator, AnyQueryHydrator, AsyncQueryHydrator, CandidatePipeline, ComponentRow, Failure, Filter,
    Gate, PipelineCandidate, PipelineQuery, Report, Run, ScoringPipeline, Selector, Served, SideEffect,
    StageKind, Step,
};

/// The whole funnel of one ranking. The fields stand in the order of execution.
pub struct RecommendationPipeline<Q, C> {
    /// The name in configuration, logs and metrics.
    pub name: &'static str,
    /// All must be open.
    pub gates: Vec<Arc<dyn Gate<Q, C>>>,
    /// Phases of query hydrators.
    pub query_hydrators: Vec<Vec<Arc<dyn AnyQueryHydrator<Q>>>>,
    /// Query hydrators that start with the first phase and are awaited later.
    pub async_query_hydrators: Vec<AsyncQueryHydrator<Q>>,
    /// Sources, at once; their candidates stand in list order.
    pub candidate_pipelines: Vec<CandidatePipeline<Q, C>>,
    /// Sources that read the others' candidates, at once; their candidates stand behind.
    pub dependent_pipelines: Vec<CandidatePipeline<Q, C>>,
    /// Merge the sources' candidates: only the result of the choice goes on.
    pub merge_selectors: Vec<Arc<dyn Selector<Q, C>>>,
    /// Phases of hydrators of all candidates.
    pub hydrators: Vec<Vec<Arc<dyn AnyHydrator<Q, C>>>>,
    /// Filters before scoring.
    pub filters: Vec<Arc<dyn Filter<Q, C>>>,
    /// One after the other.
    pub scoring_pipelines: Vec<ScoringPipeline<Q, C>>,
    /// Filters after scoring.
    pub post_scoring_filters: Vec<Arc<dyn Filter<Q, C>>>,
    /// Choose and order the result.
    pub selectors: Vec<Arc<dyn Selector<Q, C>>>,
    /// Hydrators of the result.
    pub post_selection_hydrators: Vec<Arc<dyn AnyHydrator<Q, C>>>,
    /// Filters of the result.
    pub post_selection_filters: Vec<Arc<dyn Filter<Q, C>>>,
    /// What happens because of the result.
    pub side_effects: Vec<Arc<dyn SideEffect<Q, C>>>,
}

/// A finished run.
#[derive(Debug)]
pub struct Outcome<Q, C> {
    /// What was served, and what was not and why.
    pub served: Arc<Served<Q, C>>,
    /// What each stage did.
    pub report: Report,
}

impl<Q: PipelineQuery, C: PipelineCandidate> RecommendationPipeline<Q, C> {
    /// A pipeline that does nothing; the rest is filled with `..RecommendationPipeline::new(…)`.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            gates: Vec::new(),
            query_hydrators: Vec::new(),
            async_query_hydrators: Vec::new(),
            candidate_pipelines: Vec::new(),
            dependent_pipelines: Vec::new(),
            merge_selectors: Vec::new(),
            hydrators: Vec::new(),
            filters: Vec::new(),
            scoring_pipelines: Vec::new(),
            post_scoring_filters: Vec::new(),
            selectors: Vec::new(),
            post_selection_hydrators: Vec::new(),
            post_selection_filters: Vec::new(),
            side_effects: Vec::new(),
        }
    }

    /// Runs the funnel. The side effects run on after the answer; [`super::Engine::drain`] waits for them.
    ///
    /// # Errors
    /// A gate is closed, or a stage or child pipeline failed in a way that its policy does not recover.
    pub async fn run(&self, run: &Arc<Run>, query: Arc<Q>) -> Result<Outcome<Q, C>, Failure> {
        let mut query = query;
        let mut removed = Vec::new();
        let gone = &mut removed;
        run_gates(run, self.name, &self.gates, &query, &[])?;
        let mut late = AsyncHydrators::start(run, self.name, &self.async_query_hydrators, &query);
        run_query_hydrators(run, self.name, &self.query_hydrators, &mut query).await;

        late.join_before(run, Step::CandidatePipelines, &mut query).await;
        let stage = StageKind::CandidatePipeline;
        let pipelines = &self.candidate_pipelines;
        let candidates =
            run_candidate_pipelines(run, self.name, stage, pipelines, &query, Vec::new(), gone).await?;
        late.join_before(run, Step::DependentPipelines, &mut query).await;
        let stage = StageKind::DependentPipeline;
        let pipelines = &self.dependent_pipelines;
        let candidates =
            run_candidate_pipelines(run, self.name, stage, pipelines, &query, candidates, gone).await?;
        let fetched = candidates.len() + gone.len();

        let stage = StageKind::MergeSelector;
        let candidates = select(run, self.name, stage, &self.merge_selectors, &query, candidates, gone)?;
        late.join_before(run, Step::Hydration, &mut query).await;
        let stage = StageKind::Hydrator;
        let candidates = run_hydrators(run, self.name, stage, &self.hydrators, &query, candidates).await?;
        late.join_before(run, Step::Filters, &mut query).await;
        let mut candidates =
            run_filters(run, self.name, StageKind::Filter, &self.filters, &query, candidates, gone)?;

        late.join_before(run, Step::Scoring, &mut query).await;
        for pipeline in &self.scoring_pipelines {
            candidates = pipeline.run(run, self.name, &query, candidates).await?;
        }
        let stage = StageKind::PostScoringFilter;
        let candidates =
            run_filters(run, self.name, stage, &self.post_scoring_filters, &query, candidates, gone)?;

        late.join_before(run, Step::Selection, &mut query).await;
        let candidates =
            select(run, self.name, StageKind::Selector, &self.selectors, &query, candidates, gone)?;
        let stage = StageKind::PostSelectionHydrator;
        let phase = std::slice::from_ref(&self.post_selection_hydrators);
        let candidates = run_hydrators(run, self.name, stage, phase, &query, candidates).await?;
        let stage = StageKind::PostSelectionFilter;
        let selected =
            run_filters(run, self.name, stage, &self.post_selection_filters, &query, candidates, gone)?;

        if selected.len() + removed.len() != fetched {
            let problem =
                format!("fetched {fetched}, served {} and removed {}", selected.len(), removed.len());
            return Err(Failure::misconfigured(self.name, problem));
        }
        late.join_before(run, Step::SideEffects, &mut query).await;
        run.keep_query(self.name, &query);
        let served = Arc::new(Served { query, selected, removed });
        run_side_effects(run, self.name, &self.side_effects, &served).await?;
        Ok(Outcome { served, report: run.report() })
    }

    /// The pipeline's components, and those of its children, in the order of execution.
    pub fn components(&self) -> Vec<ComponentRow> {
        let late = self.async_query_hydrators.iter().flat_map(|late| {
            let when = format!("awaited before {}", late.before.name());
            rows(self.name, StageKind::AsyncQueryHydrator, &when, [&late.hydrator])
        });
        [
            rows(self.name, StageKind::Gate, "", &self.gates),
            phase_rows(self.name, StageKind::QueryHydrator, &self.query_hydrators),
            late.collect(),
            self.candidate_pipelines.iter().flat_map(CandidatePipeline::components).collect(),
            self.dependent_pipelines.iter().flat_map(CandidatePipeline::components).collect(),
            rows(self.name, StageKind::MergeSelector, "", &self.merge_selectors),
            phase_rows(self.name, StageKind::Hydrator, &self.hydrators),
            rows(self.name, StageKind::Filter, "", &self.filters),
            self.scoring_pipelines.iter().flat_map(ScoringPipeline::components).collect(),
            rows(self.name, StageKind::PostScoringFilter, "", &self.post_scoring_filters),
            rows(self.name, StageKind::Selector, "", &self.selectors),
            rows(self.name, StageKind::PostSelectionHydrator, "", &self.post_selection_hydrators),
            rows(self.name, StageKind::PostSelectionFilter, "", &self.post_selection_filters),
            rows(self.name, StageKind::SideEffect, "", &self.side_effects),
        ]
        .concat()
    }
}
