//! Who may start now, who waits, and who is sent away.
//!
//! Work comes in lanes: For You is thousands of times dearer than Following, and neither may starve writes. A lane works
//! on a fixed number of requests at once; a short queue waits for a place. A request whose wait would be too long,
//! judged by the queue before it and by how long requests took lately, is shed at once, while it has cost nothing: so
//! that what is accepted stays fast however much is asked for, and the queue is empty again within its own longest wait
//! once the rush is over.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::LaneConfig;

/// Weight of the newest request in the average, as a power of two: 1/8.
const NEWEST: u32 = 3;

/// One kind of work.
pub(super) struct Lane {
    name: &'static str,
    limits: RwLock<Limits>,
    waiting: AtomicUsize,
    /// Moving average of how long a request holds its place, in nanoseconds.
    holds_for: AtomicU64,
}

#[derive(Clone)]
struct Limits {
    config: LaneConfig,
    places: Arc<Semaphore>,
}

/// A place in a lane; dropped, it is free again. It may be handed to the thread that does the work.
pub(super) struct Place {
    lane: Arc<Lane>,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

/// A request was sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shed {
    /// After this time it is worth trying again.
    pub(super) retry_after: Duration,
}

/// Counts a waiting request, whichever way its wait ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Lane {
    /// A lane with these limits.
    pub(super) fn new(name: &'static str, config: LaneConfig) -> Arc<Self> {
        let limits = RwLock::new(Limits::of(config));
        Arc::new(Self { name, limits, waiting: AtomicUsize::new(0), holds_for: AtomicU64::new(0) })
    }

    /// The name in metrics and logs.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Replaces the limits. Requests under way keep their places, and are not counted against the new ones.
    pub(super) fn set(&self, config: LaneConfig) {
        let mut limits = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        if limits.config != config {
            *limits = Limits::of(config);
        }
    }

    /// Requests that wait now.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Requests that are worked on now.
    pub(super) fn working(&self) -> usize {
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        limits.config.concurrent.saturating_sub(limits.places.available_permits())
    }

    /// Takes a place, waits for one, or says that there is none in time.
    ///
    /// # Errors
    /// The queue is full, or the wait was or would be too long.
    pub(super) async fn enter(self: &Arc<Self>) -> Result<Place, Shed> {
        let Limits { config, places } = self.limits.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            return Ok(self.place(permit));
        }
        let max_wait = Duration::from_millis(config.max_wait_ms);
        let ahead = self.waiting.fetch_add(1, Ordering::AcqRel);
        let waiting = Waiting(&self.waiting);
        let expected = self.expected_wait(ahead, config.concurrent);
        let shed = Shed { retry_after: expected.max(Duration::from_millis(1)) };
        if ahead >= config.waiting || expected > max_wait {
            return Err(shed);
        }
        let permit = tokio::time::timeout(max_wait, places.acquire_owned()).await;
        drop(waiting);
        match permit {
            Ok(Ok(permit)) => Ok(self.place(permit)),
            // Too late, or the semaphore was closed, which nobody does.
            _ => Err(shed),
        }
    }

    /// How long a request waits that has `ahead` others before it.
    fn expected_wait(&self, ahead: usize, concurrent: usize) -> Duration {
        let one = self.holds_for.load(Ordering::Relaxed);
        let before = u64::try_from(ahead + 1).unwrap_or(u64::MAX);
        let places = u64::try_from(concurrent.max(1)).unwrap_or(u64::MAX);
        // The first in the queue waits for one of `concurrent` places to become free.
        Duration::from_nanos(one.saturating_mul(before) / places)
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        Place { lane: Arc::clone(self), since: Instant::now(), _permit: permit }
    }
}

impl Limits {
    fn of(config: LaneConfig) -> Self {
        Self { config, places: Arc::new(Semaphore::new(config.concurrent)) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let took = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX >> NEWEST);
        let average = |before: u64| match before {
            0 => took,
            _ => before - (before >> NEWEST) + (took >> NEWEST),
        };
        _ = self
            .lane
            .holds_for
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| Some(average(before)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(concurrent: usize, waiting: usize, max_wait_ms: u64) -> Arc<Lane> {
        Lane::new("test", LaneConfig { concurrent, waiting, max_wait_ms })
    }

    #[tokio::test]
    async fn places_are_given_queued_for_and_refused_in_this_order() {
        let lane = lane(2, 1, 60_000);
        let first = lane.enter().await.expect("a place");
        let _second = lane.enter().await.expect("a place");
        assert_eq!(lane.working(), 2);
        let queued = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.enter().await.map(drop) }
        });
        while lane.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(lane.enter().await.is_err(), "the queue of one is full");
        assert_eq!(lane.waiting(), 1, "who is sent away does not wait");
        drop(first);
        queued.await.expect("no panic").expect("the place that became free");
        assert_eq!((lane.waiting(), lane.working()), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_limit() {
        let lane = lane(1, 10, 100);
        let _held = lane.enter().await.expect("a place");
        let before = tokio::time::Instant::now();
        assert!(lane.enter().await.is_err());
        assert_eq!(before.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_wait_that_would_be_too_long_is_not_begun() {
        let lane = lane(1, 1_000, 250);
        // One request takes 100 ms: the third in the queue would wait for 300.
        lane.holds_for.store(100_000_000, Ordering::Relaxed);
        assert_eq!(lane.expected_wait(0, 1), Duration::from_millis(100));
        assert_eq!(lane.expected_wait(2, 1), Duration::from_millis(300));
        assert_eq!(lane.expected_wait(2, 2), Duration::from_millis(150));
        lane.waiting.store(2, Ordering::Relaxed);
        let _held = lane.enter().await.expect("a place");
        assert_eq!(lane.enter().await.err(), Some(Shed { retry_after: Duration::from_millis(300) }));
    }

    #[tokio::test]
    async fn new_limits_hold_from_the_next_request_on() {
        let lane = lane(1, 0, 10);
        let _held = lane.enter().await.expect("a place");
        assert!(lane.enter().await.is_err());
        lane.set(LaneConfig { concurrent: 2, waiting: 0, max_wait_ms: 10 });
        let _more = lane.enter().await.expect("a place of the new lane");
    }
}
