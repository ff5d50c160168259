//! One source's candidates, hydrated and filtered.

use std::sync::Arc;

use super::component::{phase_rows, rows};
use super::query_stages::run_query_hydrators;
use super::run::{Flow, Place};
use super::stages::{run_decorators, run_filters, run_gates, run_hydrators, run_phase};
use super::{
    AnyHydrator, AnyQueryHydrator, AnyScorer, ComponentRow, Decorator, FailOpen, Failure, Filter, Gate,
    PipelineCandidate, PipelineQuery, QualityFactor, Removed, Run, Scope, Source, StageKind, Status,
};

/// Gates ► query hydrators ► source ► hydrators ► filters ► hydrators ► scorers ► decorators.
pub struct CandidatePipeline<Q, C> {
    /// The name in configuration, logs and metrics.
    pub name: &'static str,
    /// All must be open.
    pub gates: Vec<Arc<dyn Gate<Q, C>>>,
    /// Phases of query hydrators. What they find is seen by this pipeline only.
    pub query_hydrators: Vec<Vec<Arc<dyn AnyQueryHydrator<Q>>>>,
    /// Where the candidates come from.
    pub source: Arc<dyn Source<Q, C>>,
    /// Phases of hydrators before the filters.
    pub hydrators: Vec<Vec<Arc<dyn AnyHydrator<Q, C>>>>,
    /// Filters.
    pub filters: Vec<Arc<dyn Filter<Q, C>>>,
    /// Hydrators of what the filters kept.
    pub post_filter_hydrators: Vec<Arc<dyn AnyHydrator<Q, C>>>,
    /// Scorers of what the filters kept.
    pub scorers: Vec<Arc<dyn AnyScorer<Q, C>>>,
    /// Say how what is left is shown.
    pub decorators: Vec<Arc<dyn Decorator<Q, C>>>,
    /// Which failures the parent survives.
    pub fail_open: FailOpen,
    /// How much of its work the source does.
    pub quality_factor: Option<Arc<QualityFactor>>,
}

/// What a candidate pipeline gave.
pub(super) struct Fetched<C> {
    pub(super) candidates: Vec<C>,
    pub(super) removed: Vec<Removed<C>>,
}

impl<Q: PipelineQuery, C: PipelineCandidate> CandidatePipeline<Q, C> {
    /// A pipeline of a source and nothing else; the rest is filled with `..CandidatePipeline::new(…)`.
    pub fn new(name: &'static str, source: Arc<dyn Source<Q, C>>) -> Self {
        Self {
            name,
            gates: Vec::new(),
            query_hydrators: Vec::new(),
            source,
            hydrators: Vec::new(),
            filters: Vec::new(),
            post_filter_hydrators: Vec::new(),
            scorers: Vec::new(),
            decorators: Vec::new(),
            fail_open: FailOpen::default(),
            quality_factor: None,
        }
    }

    pub(super) async fn run(
        &self,
        run: &Arc<Run>,
        mut query: Arc<Q>,
        earlier: Arc<Vec<C>>,
        quality: f64,
    ) -> Result<Fetched<C>, Failure> {
        let mut removed = Vec::new();
        run_gates(run, self.name, &self.gates, &query, &earlier)?;
        run_query_hydrators(run, self.name, &self.query_hydrators, &mut query).await;
        let fetched = self.fetch(run, &query, earlier, quality).await?;
        let hydrated =
            run_hydrators(run, self.name, StageKind::Hydrator, &self.hydrators, &query, fetched).await?;
        let filtered =
            run_filters(run, self.name, StageKind::Filter, &self.filters, &query, hydrated, &mut removed)?;
        let phase = std::slice::from_ref(&self.post_filter_hydrators);
        let hydrated =
            run_hydrators(run, self.name, StageKind::PostFilterHydrator, phase, &query, filtered).await?;
        let mut candidates =
            run_phase(run, self.name, StageKind::Scorer, &self.scorers, &query, hydrated).await?;
        run_decorators(run, self.name, &self.decorators, &query, &mut candidates);
        Ok(Fetched { candidates, removed })
    }

    async fn fetch(
        &self,
        run: &Arc<Run>,
        query: &Arc<Q>,
        earlier: Arc<Vec<C>>,
        parents: f64,
    ) -> Result<Vec<C>, Failure> {
        let place = Place { pipeline: self.name, stage: StageKind::Source, component: self.source.name() };
        let quality = parents * run.quality(self.name, self.quality_factor.as_ref());
        let (source, query) = (Arc::clone(&self.source), Arc::clone(query));
        let scope_run = Arc::clone(run);
        let work =
            async move { source.fetch(&query, Scope { quality, earlier: &earlier, run: &scope_run }).await };
        let (result, latency) = run.finish(run.start(place, work)).await;
        match &result {
            Ok(candidates) => {
                let kept = candidates.len();
                run.show(place, candidates);
                run.note(place, Status::Done, latency, Flow { kept, ..Flow::default() });
            }
            Err(failure) => run.note_failure(place, failure, latency, 0),
        }
        result
    }

    /// The pipeline's components in the order of execution.
    pub fn components(&self) -> Vec<ComponentRow> {
        [
            rows(self.name, StageKind::Gate, "", &self.gates),
            phase_rows(self.name, StageKind::QueryHydrator, &self.query_hydrators),
            rows(self.name, StageKind::Source, "", [&self.source]),
            phase_rows(self.name, StageKind::Hydrator, &self.hydrators),
            rows(self.name, StageKind::Filter, "", &self.filters),
            rows(self.name, StageKind::PostFilterHydrator, "", &self.post_filter_hydrators),
            rows(self.name, StageKind::Scorer, "", &self.scorers),
            rows(self.name, StageKind::Decorator, "", &self.decorators),
        ]
        .concat()
    }
}
