//! The engine, and one request's run through it.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument;

use super::inspection::{Recorder, Spot};
use super::{Failure, Inspection, Metrics, QualityFactor, Recording, Report, StageKind, StageReport, Status};
use crate::domain::Clock;

/// Time limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// The whole request's limit, in milliseconds.
    pub request_deadline_ms: u64,
    /// The limit of a component that has none of its own, in milliseconds.
    pub component_timeout_ms: u64,
    /// Limits of components by name, in milliseconds.
    pub timeouts_ms: BTreeMap<String, u64>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            request_deadline_ms: 2_300,
            component_timeout_ms: 300,
            timeouts_ms: BTreeMap::from([
                ("in_network".to_owned(), 200),
                ("model".to_owned(), 1_500),
                ("scored_posts".to_owned(), 2_300),
            ]),
        }
    }
}

impl EngineConfig {
    /// Limits that only a component that hangs reaches: for a person at a terminal, for replays and tests, where a
    /// whole answer on a busy machine is worth more than a quick one.
    pub fn patient() -> Self {
        Self { request_deadline_ms: 60_000, component_timeout_ms: 60_000, timeouts_ms: BTreeMap::new() }
    }
}

/// What runs share: the clock, the limits, the metrics, the side effects still under way.
pub struct Engine {
    clock: Arc<dyn Clock>,
    config: EngineConfig,
    metrics: Metrics,
    background: Arc<Background>,
}

/// Counts side effects under way, so that a shutdown can wait for them.
#[derive(Default)]
struct Background {
    running: AtomicUsize,
    done: Notify,
}

/// Counts one side effect down, whichever way it ended.
struct Finished(Arc<Background>);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.done.notify_waiters();
    }
}

impl Engine {
    /// An engine with this clock and these limits.
    pub fn new(clock: Arc<dyn Clock>, config: EngineConfig) -> Arc<Self> {
        Arc::new(Self { clock, config, metrics: Metrics::new(), background: Arc::default() })
    }

    /// The same engine with other limits: clock, metrics and side effects under way are shared.
    pub fn reconfigured(&self, config: EngineConfig) -> Arc<Self> {
        let (clock, metrics) = (Arc::clone(&self.clock), self.metrics.clone());
        Arc::new(Self { clock, config, metrics, background: Arc::clone(&self.background) })
    }

    /// The clock that everything is timed and aged by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Counters and histograms of all runs.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Starts a request's run: its deadline counts from here.
    pub fn start(self: &Arc<Self>) -> Arc<Run> {
        self.start_inspected(Inspection::default())
    }

    /// Starts a request's run that is watched, replayed, or without side effects.
    pub fn start_inspected(self: &Arc<Self>, inspection: Inspection) -> Arc<Run> {
        let deadline = Instant::now() + Duration::from_millis(self.config.request_deadline_ms);
        let started = self.clock.monotonic();
        let (stages, recorder) = (Mutex::default(), Recorder::default());
        Arc::new(Run { engine: Arc::clone(self), started, deadline, stages, inspection, recorder })
    }

    /// Waits until no side effect is under way. Requests that end meanwhile prolong it.
    pub async fn drain(&self) {
        loop {
            let done = self.background.done.notified();
            if self.background.running.load(Ordering::Acquire) == 0 {
                return;
            }
            done.await;
        }
    }
}

/// One request's run.
pub struct Run {
    engine: Arc<Engine>,
    started: Duration,
    deadline: Instant,
    stages: Mutex<Vec<StageReport>>,
    inspection: Inspection,
    recorder: Recorder,
}

/// A component's place: pipeline, list, name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) pipeline: &'static str,
    pub(super) stage: StageKind,
    pub(super) component: &'static str,
}

impl Place {
    pub(super) fn spot(self) -> Spot {
        Spot { pipeline: self.pipeline, stage: self.stage, component: self.component }
    }
}

/// A spawned component; dropping it, as when the caller gives the request up, stops it.
pub(super) struct Task<T> {
    place: Place,
    started: Duration,
    limit: Duration,
    until: Instant,
    handle: AbortOnDrop<T>,
}

struct AbortOnDrop<T>(JoinHandle<Result<T, Failure>>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How many candidates came in, went on, and did not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    pub(super) entered: usize,
    pub(super) kept: usize,
    pub(super) removed: usize,
}

impl Run {
    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Time since the run started.
    pub fn elapsed(&self) -> Duration {
        self.engine.clock.monotonic().saturating_sub(self.started)
    }

    /// What the stages did so far.
    pub fn report(&self) -> Report {
        Report { stages: self.stages.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }

    /// What the run read so far that a replay needs.
    pub fn recording(&self) -> Recording {
        self.recorder.recording()
    }

    /// How the run differs from a usual one.
    pub(super) fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Keeps a pipeline's hydrated query for a replay.
    pub(super) fn keep_query<Q: Send + Sync + 'static>(&self, pipeline: &'static str, query: &Arc<Q>) {
        self.recorder.keep_query(pipeline, query);
    }

    /// How much of its work a pipeline does: as recorded in a replay, else by its factor, 1 when it has none.
    pub(super) fn quality(&self, pipeline: &'static str, factor: Option<&Arc<QualityFactor>>) -> f64 {
        let now = || factor.map_or(1.0, |factor| factor.value());
        let quality = self.inspection.quality(pipeline).unwrap_or_else(now);
        self.recorder.keep_quality(pipeline, quality);
        quality
    }

    /// Shows candidates after a component to whoever watches.
    pub(super) fn show<C: Clone + Send + Sync + 'static>(&self, place: Place, candidates: &[C]) {
        self.inspection.show(place.spot(), candidates);
    }

    /// Starts an async component in its own task.
    pub(super) fn start<T: Send + 'static>(
        &self,
        place: Place,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Task<T> {
        let config = &self.engine.config;
        let own = config.timeouts_ms.get(place.component).copied().unwrap_or(config.component_timeout_ms);
        let until = (Instant::now() + Duration::from_millis(own)).min(self.deadline);
        let limit = until.saturating_duration_since(Instant::now());
        let span = tracing::debug_span!(
            "component",
            pipeline = place.pipeline,
            stage = place.stage.name(),
            name = place.component
        );
        let handle = AbortOnDrop(tokio::spawn(work.instrument(span)));
        Task { place, started: self.engine.clock.monotonic(), limit, until, handle }
    }

    /// Awaits a started component up to its limit.
    pub(super) async fn finish<T>(&self, task: Task<T>) -> (Result<T, Failure>, Duration) {
        let Task { place, started, limit, until, mut handle } = task;
        let result = match tokio::time::timeout_at(until, &mut handle.0).await {
            Ok(Ok(result)) => result,
            Ok(Err(joined)) => Err(match joined.try_into_panic() {
                Ok(payload) => Failure::panicked(place.component, payload.as_ref()),
                Err(_) => Failure::failed(place.component, "the task was cancelled"),
            }),
            Err(_) => Err(Failure::timeout(place.component, limit)),
        };
        (result, self.engine.clock.monotonic().saturating_sub(started))
    }

    /// Runs a plain component here and now.
    pub(super) fn call<T>(&self, place: Place, work: impl FnOnce() -> T) -> (Result<T, Failure>, Duration) {
        let started = self.engine.clock.monotonic();
        let result = catch_unwind(AssertUnwindSafe(work))
            .map_err(|payload| Failure::panicked(place.component, payload.as_ref()));
        (result, self.engine.clock.monotonic().saturating_sub(started))
    }

    /// Notes what a component did.
    pub(super) fn note(&self, place: Place, status: Status, latency: Duration, flow: Flow) {
        let report = StageReport {
            pipeline: place.pipeline,
            stage: place.stage,
            component: place.component,
            status,
            latency,
            entered: flow.entered,
            kept: flow.kept,
            removed: flow.removed,
        };
        self.engine.metrics.record(&report);
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    /// Notes a failure, in the log as well.
    pub(super) fn note_failure(&self, place: Place, failure: &Failure, latency: Duration, entered: usize) {
        if failure.kind != super::FailureKind::ClosedGate {
            tracing::warn!(pipeline = place.pipeline, stage = place.stage.name(), %failure, "component failed");
        }
        self.note(place, Status::Failed(failure.kind), latency, Flow { entered, ..Flow::default() });
    }

    /// Starts a side effect that nobody waits for but [`Engine::drain`].
    pub(super) fn start_background(
        self: &Arc<Self>,
        place: Place,
        work: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) {
        let background = Arc::clone(&self.engine.background);
        background.running.fetch_add(1, Ordering::AcqRel);
        let finished = Finished(background);
        let metrics = self.engine.metrics.clone();
        let clock = Arc::clone(&self.engine.clock);
        tokio::spawn(async move {
            let _finished = finished;
            let started = clock.monotonic();
            // In a task of its own, so that a panic is counted like any other failure.
            let result = match tokio::spawn(work).await {
                Ok(result) => result,
                Err(joined) => Err(Failure::failed(place.component, joined)),
            };
            if let Err(failure) = &result {
                tracing::warn!(pipeline = place.pipeline, %failure, "side effect failed");
            }
            metrics.record(&StageReport {
                pipeline: place.pipeline,
                stage: place.stage,
                component: place.component,
                status: Status::of(&result),
                latency: clock.monotonic().saturating_sub(started),
                entered: 0,
                kept: 0,
                removed: 0,
            });
        });
    }
}
