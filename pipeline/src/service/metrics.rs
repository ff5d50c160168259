//! Counters of the service, beside those of the pipelines.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// A request's route and how it ended. Routes are patterns, so there are only so many.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    lane: &'static str,
}

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: &'static str,
}

/// Counters of the service.
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    shed: Family<LaneLabels, Counter>,
    working: Family<LaneLabels, Gauge>,
    waiting: Family<LaneLabels, Gauge>,
    reloads: Family<ReloadLabels, Counter>,
    /// Connections that found no place.
    pub(super) refused_connections: Counter,
    connections: Gauge,
    generation: Gauge,
}

/// 100 µs to about 3.3 s, doubling.
fn latency_histogram() -> Histogram {
    Histogram::new(exponential_buckets(100e-6, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(latency_histogram),
            shed: Family::default(),
            working: Family::default(),
            waiting: Family::default(),
            reloads: Family::default(),
            refused_connections: Counter::default(),
            connections: Gauge::default(),
            generation: Gauge::default(),
        }
    }
}

/// What is true at this moment, for gauges.
pub(super) struct Now<'a> {
    pub(super) lanes: &'a [(&'static str, usize, usize)],
    pub(super) connections: usize,
    pub(super) generation: u64,
}

impl Metrics {
    /// Counts an answered request.
    pub(super) fn answered(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let labels = RequestLabels { route: route.to_owned(), method, status };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: route.to_owned() };
        self.latency.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a request that a lane sent away.
    pub(super) fn shed(&self, lane: &'static str) {
        self.shed.get_or_create(&LaneLabels { lane }).inc();
    }

    /// Counts a reload.
    pub(super) fn reloaded(&self, is_taken: bool) {
        let result = if is_taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
    }

    /// Adds the counters to a registry, under the prefix `service`, with gauges as of now.
    pub(super) fn register(&self, registry: &mut Registry, now: &Now<'_>) {
        for &(lane, working, waiting) in now.lanes {
            let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
            self.working.get_or_create(&LaneLabels { lane }).set(gauge(working));
            self.waiting.get_or_create(&LaneLabels { lane }).set(gauge(waiting));
        }
        self.connections.set(i64::try_from(now.connections).unwrap_or(i64::MAX));
        self.generation.set(i64::try_from(now.generation).unwrap_or(i64::MAX));
        let registry = registry.sub_registry_with_prefix("service");
        registry.register("requests", "Requests by route and status", self.requests.clone());
        let help = "Time from a request's head to its response";
        registry.register_with_unit("latency", help, Unit::Seconds, self.latency.clone());
        registry.register("shed", "Requests that a lane sent away", self.shed.clone());
        registry.register("working", "Requests that a lane works on", self.working.clone());
        registry.register("waiting", "Requests that wait for a place in a lane", self.waiting.clone());
        registry.register("reloads", "Reloads of the configuration by result", self.reloads.clone());
        let help = "Connections that found no place";
        registry.register("refused_connections", help, self.refused_connections.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register("generation", "Number of the configuration in use", self.generation.clone());
    }
}
