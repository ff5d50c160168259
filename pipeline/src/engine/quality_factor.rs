//! Doing less work when responses get slow.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Failure, FailureKind};
use crate::domain::Millis;

/// Constants of a quality factor that follows latency linearly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityFactorConfig {
    /// The latency to hold, in milliseconds.
    pub target_latency_ms: u64,
    /// The share of requests that shall meet it, in percent, above 0 and below 100.
    pub target_percentile: f64,
    /// What a request in time adds.
    pub delta: f64,
    /// Lowest factor.
    pub min: f64,
    /// Highest factor.
    pub max: f64,
    /// The factor at start.
    pub start: f64,
    /// For how long after start nothing changes, in milliseconds.
    pub initial_delay_ms: u64,
}

impl Default for QualityFactorConfig {
    fn default() -> Self {
        Self {
            target_latency_ms: 300,
            target_percentile: 95.0,
            delta: 0.00125,
            min: 0.1,
            max: 1.0,
            start: 0.95,
            initial_delay_ms: 60_000,
        }
    }
}

/// A factor in `min..=max` by which a pipeline's limits are multiplied.
///
/// A request in time adds `delta`; a slow or failed one subtracts `delta · p / (100 − p)`. The factor therefore rests
/// exactly where `p` percent of the requests are in time.
#[derive(Debug)]
pub struct QualityFactor {
    config: QualityFactorConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    factor: f64,
    /// When the first request was seen.
    first: Option<Millis>,
}

impl QualityFactor {
    /// A factor at its start.
    pub fn new(config: QualityFactorConfig) -> Self {
        Self { config, state: Mutex::new(State { factor: config.start, first: None }) }
    }

    /// The factor now.
    pub fn value(&self) -> f64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).factor
    }

    /// Learns from one run of the pipeline. A run that the caller gave up or that no gate let in says nothing.
    pub fn observe(&self, result: Result<(), &Failure>, latency: Duration, now: Millis) {
        let ignored =
            |failure: &Failure| matches!(failure.kind, FailureKind::ClosedGate | FailureKind::Rejected);
        if result.is_err_and(ignored) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *state.first.get_or_insert(now);
        if now.since(first) < Duration::from_millis(self.config.initial_delay_ms) {
            return;
        }
        let p = self.config.target_percentile;
        let in_time = result.is_ok() && latency <= Duration::from_millis(self.config.target_latency_ms);
        let change = if in_time { self.config.delta } else { -self.config.delta * p / (100.0 - p) };
        state.factor = (state.factor + change).clamp(self.config.min, self.config.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past_delay(config: QualityFactorConfig) -> (QualityFactor, Millis) {
        let factor = QualityFactor::new(config);
        factor.observe(Ok(()), Duration::ZERO, Millis(0));
        (factor, Millis(60_000))
    }

    #[test]
    fn a_request_in_time_adds_delta_and_a_slow_one_subtracts_nineteen_times_it() {
        let (factor, now) = past_delay(QualityFactorConfig::default());
        factor.observe(Ok(()), Duration::from_millis(300), now);
        assert!((factor.value() - (0.95 + 0.00125)).abs() <= 1e-12, "{}", factor.value());
        factor.observe(Ok(()), Duration::from_millis(301), now);
        assert!((factor.value() - (0.95 + 0.00125 - 0.02375)).abs() <= 1e-12, "{}", factor.value());
        factor.observe(Err(&Failure::failed("source", "down")), Duration::ZERO, now);
        assert!((factor.value() - (0.95 + 0.00125 - 2.0 * 0.02375)).abs() <= 1e-12, "{}", factor.value());
    }

    #[test]
    fn nothing_changes_during_the_initial_delay_or_for_requests_that_say_nothing() {
        let factor = QualityFactor::new(QualityFactorConfig::default());
        for at in [0, 1, 59_999] {
            factor.observe(Ok(()), Duration::from_secs(9), Millis(at));
        }
        for failure in [Failure::closed_gate("g"), Failure::rejected("r", "no such viewer")] {
            factor.observe(Err(&failure), Duration::from_secs(9), Millis(100_000));
        }
        assert_eq!(factor.value(), 0.95);
    }

    #[test]
    fn the_factor_stays_within_its_bounds() {
        let (factor, now) = past_delay(QualityFactorConfig::default());
        (0..100).for_each(|_| factor.observe(Ok(()), Duration::from_secs(1), now));
        assert_eq!(factor.value(), 0.1);
        (0..1000).for_each(|_| factor.observe(Ok(()), Duration::ZERO, now));
        assert_eq!(factor.value(), 1.0);
    }

    #[test]
    fn it_rests_where_the_target_share_is_in_time() {
        let config = QualityFactorConfig { start: 0.5, ..QualityFactorConfig::default() };
        let (factor, now) = past_delay(config);
        for _ in 0..50 {
            (0..19).for_each(|_| factor.observe(Ok(()), Duration::ZERO, now));
            factor.observe(Ok(()), Duration::from_secs(1), now);
        }
        assert!((factor.value() - 0.5).abs() <= 1e-9, "{}", factor.value());
    }
}
