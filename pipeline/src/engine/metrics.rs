//! Prometheus counters and histograms by stage.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{FailureKind, StageReport, Status};

/// Which component of which pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ComponentLabels {
    pipeline: &'static str,
    stage: &'static str,
    component: &'static str,
}

/// Which failure of which component.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    pipeline: &'static str,
    stage: &'static str,
    component: &'static str,
    kind: &'static str,
}

/// Counters and histograms of an engine. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    runs: Family<ComponentLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
    latency: Family<ComponentLabels, Histogram, fn() -> Histogram>,
    kept: Family<ComponentLabels, Counter>,
    removed: Family<ComponentLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// 50 µs to about 1.6 s, doubling.
fn latency_histogram() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.0, 16))
}

impl Metrics {
    /// Metrics that start at zero.
    pub fn new() -> Self {
        Self {
            runs: Family::default(),
            failures: Family::default(),
            latency: Family::new_with_constructor(latency_histogram),
            kept: Family::default(),
            removed: Family::default(),
        }
    }

    /// Adds the metrics to a registry, under the prefix `pipeline`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("pipeline");
        registry.register("runs", "Runs of a component", self.runs.clone());
        registry.register("failures", "Failures of a component by kind", self.failures.clone());
        registry.register_with_unit("latency", "Time a component took", Unit::Seconds, self.latency.clone());
        registry.register("kept", "Candidates that went on from a component", self.kept.clone());
        registry.register("removed", "Candidates that a component removed", self.removed.clone());
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// Never, as far as writing to a string goes; the encoder's error is passed on.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::default();
        self.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }

    /// Counts one run.
    pub(super) fn record(&self, report: &StageReport) {
        let labels = ComponentLabels {
            pipeline: report.pipeline,
            stage: report.stage.name(),
            component: report.component,
        };
        let failure = |kind: FailureKind| FailureLabels {
            pipeline: labels.pipeline,
            stage: labels.stage,
            component: labels.component,
            kind: kind.name(),
        };
        match report.status {
            Status::Disabled => return,
            Status::Done => {}
            Status::Failed(kind) => _ = self.failures.get_or_create(&failure(kind)).inc(),
        }
        self.runs.get_or_create(&labels).inc();
        self.latency.get_or_create(&labels).observe(report.latency.as_secs_f64());
        self.kept.get_or_create(&labels).inc_by(report.kept as u64);
        self.removed.get_or_create(&labels).inc_by(report.removed as u64);
    }
}
