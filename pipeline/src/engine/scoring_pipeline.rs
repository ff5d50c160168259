//! Scoring some of the candidates.

use std::sync::Arc;

use super::component::{phase_rows, rows};
use super::run::{Flow, Place};
use super::stages::{run_gates, run_hydrators, run_phase, run_selectors};
use super::{
    AnyHydrator, AnyScorer, ComponentRow, FailOpen, Failure, Gate, PipelineCandidate, PipelineQuery,
    QualityFactor, Run, Selector, StageKind, Status,
};

/// Gates ► selectors ► hydrators ► scorers. Only what the selectors choose is hydrated and scored; the others keep what
/// they have, and nobody's place changes.
pub struct ScoringPipeline<Q, C> {
    /// The name in configuration, logs and metrics.
    pub name: &'static str,
    /// All must be open.
    pub gates: Vec<Arc<dyn Gate<Q, C>>>,
    /// Choose what is scored: the result of the choice. With no selector, everything is.
    pub selectors: Vec<Arc<dyn Selector<Q, C>>>,
    /// Phases of hydrators of what is scored.
    pub hydrators: Vec<Vec<Arc<dyn AnyHydrator<Q, C>>>>,
    /// Scorers, at once on the same candidates.
    pub scorers: Vec<Arc<dyn AnyScorer<Q, C>>>,
    /// Which failures the parent survives; the candidates then keep what they have.
    pub fail_open: FailOpen,
    /// How many candidates the selectors choose.
    pub quality_factor: Option<Arc<QualityFactor>>,
}

impl<Q: PipelineQuery, C: PipelineCandidate> ScoringPipeline<Q, C> {
    /// A pipeline that does nothing; the rest is filled with `..ScoringPipeline::new(…)`.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            gates: Vec::new(),
            selectors: Vec::new(),
            hydrators: Vec::new(),
            scorers: Vec::new(),
            fail_open: FailOpen::default(),
            quality_factor: None,
        }
    }

    /// Scores; gives the candidates back in their order.
    pub(super) async fn run(
        &self,
        run: &Run,
        parent: &'static str,
        query: &Arc<Q>,
        candidates: Vec<C>,
        quality: f64,
    ) -> Result<Vec<C>, Failure> {
        let place = Place { pipeline: parent, stage: StageKind::ScoringPipeline, component: self.name };
        let clock = run.engine().clock();
        let started = clock.monotonic();
        let entered = candidates.len();
        let chosen = self.choose(run, query, &candidates, quality);
        let (result, candidates) = match chosen {
            Ok(chosen) => self.score(run, query, candidates, &chosen).await,
            Err(failure) => (Err(failure), candidates),
        };
        let latency = clock.monotonic().saturating_sub(started);
        if let Some(factor) = self.quality_factor.as_ref().filter(|_| !run.inspection().is_dry()) {
            factor.observe(result.as_ref().map(|_| ()), latency, clock.now());
        }
        match result {
            Ok(scored) => {
                run.note(place, Status::Done, latency, Flow { entered, kept: scored, removed: 0 });
                Ok(candidates)
            }
            Err(failure) => {
                run.note_failure(place, &failure, latency, entered);
                if self.fail_open.recovers(&failure) { Ok(candidates) } else { Err(failure) }
            }
        }
    }

    fn choose(&self, run: &Run, query: &Q, candidates: &[C], parents: f64) -> Result<Vec<usize>, Failure> {
        run_gates(run, self.name, &self.gates, query, candidates)?;
        if self.selectors.is_empty() {
            return Ok((0..candidates.len()).collect());
        }
        let quality = parents * run.quality(self.name, self.quality_factor.as_ref());
        let stage = StageKind::ScoringSelector;
        run_selectors(run, self.name, stage, &self.selectors, query, candidates, quality)
            .map(|(choice, _)| choice.result)
    }

    /// Scores the chosen ones, in the order of the choice, and merges them back. Its only failures are mistakes of
    /// wiring, so what is lost with them is never missed: no policy recovers them.
    async fn score(
        &self,
        run: &Run,
        query: &Arc<Q>,
        candidates: Vec<C>,
        chosen: &[usize],
    ) -> (Result<usize, Failure>, Vec<C>) {
        let mut slots: Vec<Option<C>> = candidates.into_iter().map(Some).collect();
        let picked: Vec<C> = chosen.iter().filter_map(|&index| slots[index].take()).collect();
        let chosen_for =
            Place { pipeline: self.name, stage: StageKind::ScoringSelector, component: self.name };
        run.show(chosen_for, &picked);
        let scored = async {
            let stage = StageKind::ScoringHydrator;
            let hydrated = run_hydrators(run, self.name, stage, &self.hydrators, query, picked).await?;
            run_phase(run, self.name, StageKind::Scorer, &self.scorers, query, hydrated).await
        };
        match scored.await {
            Ok(scored) => {
                for (&index, candidate) in chosen.iter().zip(scored) {
                    slots[index] = Some(candidate);
                }
                let candidates: Vec<C> = slots.into_iter().flatten().collect();
                let (stage, component) = (StageKind::ScoringPipeline, self.name);
                run.show(Place { pipeline: self.name, stage, component }, &candidates);
                (Ok(chosen.len()), candidates)
            }
            Err(failure) => (Err(failure), slots.into_iter().flatten().collect()),
        }
    }

    /// The pipeline's components in the order of execution.
    pub fn components(&self) -> Vec<ComponentRow> {
        [
            rows(self.name, StageKind::Gate, "", &self.gates),
            rows(self.name, StageKind::ScoringSelector, "", &self.selectors),
            phase_rows(self.name, StageKind::ScoringHydrator, &self.hydrators),
            rows(self.name, StageKind::Scorer, "", &self.scorers),
        ]
        .concat()
    }
}
