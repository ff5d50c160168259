//! From a query to a response: different kinds of items mixed into one list.

use std::sync::Arc;

use super::component::rows;
use super::intake::{Intake, Taken};
use super::stages::{run_side_effects, select};
use super::{
    AnyQueryHydrator, AsyncQueryHydrator, CandidatePipeline, ComponentRow, Failure, Gate, PipelineCandidate,
    PipelineQuery, Run, Selector, Served, SideEffect, StageKind, Step,
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
        let Taken { mut query, mut late, candidates: items, mut removed } =
            self.intake().run(run, query).await?;
        let gone = &mut removed;
        late.join_before(run, Step::Selection, &mut query).await;
        let selected = select(run, self.name, StageKind::Selector, &self.selectors, &query, items, gone)?;
        late.join_before(run, Step::Marshalling, &mut query).await;
        let mut served = Served { query, selected, removed };
        let response = (self.marshaller)(&served);
        late.join_before(run, Step::SideEffects, &mut served.query).await;
        run.keep_query(self.name, &served.query);
        let served = Arc::new(served);
        run_side_effects(run, self.name, &self.side_effects, &served).await?;
        Ok(Mixed { response, served })
    }

    fn intake(&self) -> Intake<'_, Q, C> {
        Intake {
            name: self.name,
            gates: &self.gates,
            query_hydrators: &self.query_hydrators,
            async_query_hydrators: &self.async_query_hydrators,
            candidate_pipelines: &self.candidate_pipelines,
            dependent_pipelines: &self.dependent_pipelines,
            quality: 1.0,
        }
    }

    /// The pipeline's components, and those of its candidate pipelines, in the order of execution.
    pub fn components(&self) -> Vec<ComponentRow> {
        [
            self.intake().components(),
            rows(self.name, StageKind::Selector, "", &self.selectors),
            rows(self.name, StageKind::SideEffect, "", &self.side_effects),
        ]
        .concat()
    }
}
