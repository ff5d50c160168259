//! From a query to ranked candidates.

use std::sync::Arc;

use super::component::{phase_rows, rows};
use super::intake::{Intake, Taken};
use super::stages::{run_decorators, run_filters, run_hydrators, run_side_effects, select};
use super::{
    AnyHydrator, AnyQueryHydrator, AsyncQueryHydrator, CandidatePipeline, ComponentRow, Decorator, Failure,
    Filter, Gate, PipelineCandidate, PipelineQuery, QualityFactor, Report, Run, ScoringPipeline, Selector,
    Served, SideEffect, StageKind, Step,
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
    /// Say how the result is shown.
    pub decorators: Vec<Arc<dyn Decorator<Q, C>>>,
    /// How much of its work the whole pipeline does: what its sources fetch and its model scores is scaled by it.
    pub quality_factor: Option<Arc<QualityFactor>>,
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
            decorators: Vec::new(),
            quality_factor: None,
            side_effects: Vec::new(),
        }
    }

    /// Runs the funnel. The side effects run on after the answer; [`super::Engine::drain`] waits for them.
    ///
    /// # Errors
    /// A gate is closed, or a stage or child pipeline failed in a way that its policy does not recover.
    pub async fn run(&self, run: &Arc<Run>, query: Arc<Q>) -> Result<Outcome<Q, C>, Failure> {
        let clock = run.engine().clock();
        let started = clock.monotonic();
        let result = self.run_stages(run, query).await;
        if let Some(factor) = &self.quality_factor {
            let latency = clock.monotonic().saturating_sub(started);
            factor.observe(result.as_ref().map(|_| ()), latency, clock.now());
        }
        result
    }

    async fn run_stages(&self, run: &Arc<Run>, query: Arc<Q>) -> Result<Outcome<Q, C>, Failure> {
        let quality = run.quality(self.name, self.quality_factor.as_ref());
        let intake = self.intake(quality);
        let Taken { mut query, mut late, candidates, mut removed } = intake.run(run, query).await?;
        let gone = &mut removed;
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
            candidates = pipeline.run(run, self.name, &query, candidates, quality).await?;
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
        let mut selected =
            run_filters(run, self.name, stage, &self.post_selection_filters, &query, candidates, gone)?;
        run_decorators(run, self.name, &self.decorators, &query, &mut selected);

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

    fn intake(&self, quality: f64) -> Intake<'_, Q, C> {
        Intake {
            name: self.name,
            gates: &self.gates,
            query_hydrators: &self.query_hydrators,
            async_query_hydrators: &self.async_query_hydrators,
            candidate_pipelines: &self.candidate_pipelines,
            dependent_pipelines: &self.dependent_pipelines,
            quality,
        }
    }

    /// The pipeline's components, and those of its children, in the order of execution.
    pub fn components(&self) -> Vec<ComponentRow> {
        [
            self.intake(1.0).components(),
            rows(self.name, StageKind::MergeSelector, "", &self.merge_selectors),
            phase_rows(self.name, StageKind::Hydrator, &self.hydrators),
            rows(self.name, StageKind::Filter, "", &self.filters),
            self.scoring_pipelines.iter().flat_map(ScoringPipeline::components).collect(),
            rows(self.name, StageKind::PostScoringFilter, "", &self.post_scoring_filters),
            rows(self.name, StageKind::Selector, "", &self.selectors),
            rows(self.name, StageKind::PostSelectionHydrator, "", &self.post_selection_hydrators),
            rows(self.name, StageKind::PostSelectionFilter, "", &self.post_selection_filters),
            rows(self.name, StageKind::Decorator, "", &self.decorators),
            rows(self.name, StageKind::SideEffect, "", &self.side_effects),
        ]
        .concat()
    }
}
