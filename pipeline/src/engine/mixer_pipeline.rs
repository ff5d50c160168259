//! From a query to a response: different kinds of items mixed into one list.

use std::sync::Arc;

use super::component::{phase_rows, rows};
use super::query_stages::{AsyncHydrators, run_query_hydrators};
use super::stages::{run_candidate_pipelines, run_gates, run_side_effects, select};
use super::{
    AnyQueryHydrator, AsyncQueryHydrator, CandidatePipeline, ComponentRow, Failure, Gate, PipelineCandidate,
    PipelineQuery, Removed, Run, Selector, Served, SideEffect, StageKind, Step,
};

/// Turns the mixed items into a response.
pub type Marshaller<Q, C, R> = Box<dyn Fn(&Served<Q, C>) -> R + Send + Sync>;

/// A response, and what it was made of.
#[derive(Debug)]
pub struct Mixed<Q, C, R> {
    /// The response.
    pub response: R,
    /// What was served, and what was not and why.
    pub served: Arc<Served<Q, C>>,
}

/// Candidate pipelines of several kinds, mixed. The fields stand in the order of execution.
pub struct MixerPipeline<Q, C, R> {
    /// The name in configuration, logs and metrics.
    pub name: &'static str,
    /// All must be open.
    pub gates: Vec<Arc<dyn Gate<Q, C>>>,
    /// Phases of query hydrators.
    pub query_hydrators: Vec<Vec<Arc<dyn AnyQueryHydrator<Q>>>>,
    /// Query hydrators that start with the first phase and are awaited later.
    pub async_query_hydrators: Vec<AsyncQueryHydrator<Q>>,
    /// At once; their items stand in list order.
    pub candidate_pipelines: Vec<CandidatePipeline<Q, C>>,
    /// At once, after the others, whose items they read; their items stand behind.
    pub dependent_pipelines: Vec<CandidatePipeline<Q, C>>,
    /// Choose, order and mix.
    pub selectors: Vec<Arc<dyn Selector<Q, C>>>,
    /// Turns the result into the response.
    pub marshaller: Marshaller<Q, C, R>,
    /// What happens because of the response.
    pub side_effects: Vec<Arc<dyn SideEffect<Q, C>>>,
}

impl<Q: PipelineQuery, C: PipelineCandidate, R> MixerPipeline<Q, C, R> {
    /// A mixer that mixes nothing; the rest is filled with `..MixerPipeline::new(…)`.
    pub fn new(name: &'static str, marshaller: Marshaller<Q, C, R>) -> Self {
        Self {
            name,
            gates: Vec::new(),
            query_hydrators: Vec::new(),
            async_query_hydrators: Vec::new(),
            candidate_pipelines: Vec::new(),
            dependent_pipelines: Vec::new(),
            selectors: Vec::new(),
            marshaller,
            side_effects: Vec::new(),
        }
    }

    /// Mixes. The side effects run on after the answer; [`super::Engine::drain`] waits for them.
    ///
    /// # Errors
    /// A gate is closed, or a stage or child pipeline failed in a way that its policy does not recover.
    pub async fn run(&self, run: &Arc<Run>, query: Arc<Q>) -> Result<Mixed<Q, C, R>, Failure> {
        let mut query = query;
        let mut removed: Vec<Removed<C>> = Vec::new();
        let gone = &mut removed;
        run_gates(run, self.name, &self.gates, &query, &[])?;
        let mut late = AsyncHydrators::start(run, self.name, &self.async_query_hydrators, &query);
        run_query_hydrators(run, self.name, &self.query_hydrators, &mut query).await;

        late.join_before(run, Step::CandidatePipelines, &mut query).await;
        let stage = StageKind::CandidatePipeline;
        let pipelines = &self.candidate_pipelines;
        let items =
            run_candidate_pipelines(run, self.name, stage, pipelines, &query, Vec::new(), gone).await?;
        late.join_before(run, Step::DependentPipelines, &mut query).await;
        let stage = StageKind::DependentPipeline;
        let pipelines = &self.dependent_pipelines;
        let items = run_candidate_pipelines(run, self.name, stage, pipelines, &query, items, gone).await?;

        late.join_before(run, Step::Selection, &mut query).await;
        let selected = select(run, self.name, StageKind::Selector, &self.selectors, &query, items, gone)?;
        late.join_before(run, Step::Marshalling, &mut query).await;
        let mut served = Served { query, selected, removed };
        let response = (self.marshaller)(&served);
        late.join_before(run, Step::SideEffects, &mut served.query).await;
        let served = Arc::new(served);
        run_side_effects(run, self.name, &self.side_effects, &served).await?;
        Ok(Mixed { response, served })
    }

    /// The pipeline's components, and those of its candidate pipelines, in the order of execution.
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
            rows(self.name, StageKind::Selector, "", &self.selectors),
            rows(self.name, StageKind::SideEffect, "", &self.side_effects),
        ]
        .concat()
    }
}
