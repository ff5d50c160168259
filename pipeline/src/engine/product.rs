//! What a caller can ask for.

use std::sync::Arc;

use super::component::rows;
use super::stages::run_gates;
use super::{
    ComponentRow, Failure, FailureKind, Gate, Mixed, MixerPipeline, PipelineCandidate, PipelineQuery, Report,
    Run, StageKind,
};

/// A mixer, and for which queries it is chosen.
pub struct MixerChoice<Q, C, R> {
    /// Whether it is chosen.
    pub applies: fn(&Q) -> bool,
    /// The mixer.
    pub mixer: MixerPipeline<Q, C, R>,
}

/// Something a caller can ask for by name, such as For You.
pub struct Product<Q, C, R> {
    /// The name in requests, configuration, logs and metrics.
    pub name: &'static str,
    /// All must be open.
    pub gates: Vec<Arc<dyn Gate<Q, C>>>,
    /// The first that applies is run.
    pub mixers: Vec<MixerChoice<Q, C, R>>,
}

impl<Q: PipelineQuery, C: PipelineCandidate, R> Product<Q, C, R> {
    /// Runs the product and writes one summary line to the log.
    ///
    /// # Errors
    /// A gate is closed, no mixer applies, or the mixer failed.
    pub async fn run(&self, run: &Arc<Run>, query: Arc<Q>) -> Result<Mixed<Q, C, R>, Failure> {
        let result = self.run_mixer(run, query).await;
        self.summarise(run, result.as_ref().err());
        result
    }

    async fn run_mixer(&self, run: &Arc<Run>, query: Arc<Q>) -> Result<Mixed<Q, C, R>, Failure> {
        run_gates(run, self.name, &self.gates, &query, &[])?;
        let chosen = self.mixers.iter().find(|choice| (choice.applies)(&query));
        let choice = chosen.ok_or_else(|| Failure::rejected(self.name, "no mixer applies to this query"))?;
        choice.mixer.run(run, query).await
    }

    /// One line a request: how long, how many candidates by pipeline, what was removed by whom, what failed.
    fn summarise(&self, run: &Run, failure: Option<&Failure>) {
        let report = run.report();
        let (fetched, removed) = (summary(&report, StageKind::Source), removals(&report));
        let failed = report.failures().join(",");
        let elapsed_ms = run.elapsed().as_secs_f64() * 1e3;
        match failure {
            None => tracing::info!(product = self.name, elapsed_ms, fetched, removed, failed, "served"),
            Some(why) if matches!(why.kind, FailureKind::ClosedGate | FailureKind::Rejected) => {
                tracing::info!(product = self.name, elapsed_ms, %why, "refused");
            }
            Some(why) => {
                tracing::error!(product = self.name, elapsed_ms, fetched, removed, failed, %why, "failed")
            }
        }
    }

    /// The product's components in the order of execution, mixer by mixer.
    pub fn components(&self) -> Vec<ComponentRow> {
        let mut all = rows(self.name, StageKind::Gate, "", &self.gates);
        all.extend(self.mixers.iter().flat_map(|choice| choice.mixer.components()));
        all
    }
}

/// `name:kept` of a list's components.
fn summary(report: &Report, stage: StageKind) -> String {
    let of_stage = report.stages.iter().filter(|row| row.stage == stage);
    of_stage.map(|row| format!("{}:{}", row.pipeline, row.kept)).collect::<Vec<_>>().join(",")
}

/// `name:removed` of every filter and selector that removed something.
fn removals(report: &Report) -> String {
    let whole = [StageKind::CandidatePipeline, StageKind::DependentPipeline];
    let removing = report.stages.iter().filter(|row| row.removed > 0 && !whole.contains(&row.stage));
    removing.map(|row| format!("{}:{}", row.component, row.removed)).collect::<Vec<_>>().join(",")
}
