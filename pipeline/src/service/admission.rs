//! Who may start now, who waits, and who is sent away.
//!
//! Work comes in lanes: For You is thousands of times dearer than Following, and neither may starve writes. A lane works
//! on a fixed number of requests at once; a short queue waits for a place, first come first served. A request whose wait
//! would be too long is shed at once, while it has cost nothing: so that what is accepted stays fast however much is
//! asked for, and the queue is empty again within its own longest wait once the rush is over.
//!
//! The wait is foretold from what is under way: a place is expected to become free when its request has taken as long as
//! requests took lately, and one that is overdue already for as long again as it is overdue. So a lane whose work hangs
//! soon sends everybody away at once instead of letting them wait for nothing. A foretold wait that was too short does no
//! harm beyond itself: who has waited for the limit is shed then.
//!
//! How long is too long depends on how long the lane has been full. A burst meets free places and passes: it may wait as
//! long as an answer is worth having. In a rush no place stays free, and whatever wait is allowed everybody would have:
//! once all places have been taken without a pause for some time, stricter limits hold, until one is left free again.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::config::LaneConfig;

/// The newest request's share of the average is one part in so many.
const NEWEST: u32 = 8;

/// One kind of work.
pub(super) struct Lane {
    name: &'static str,
    limits: RwLock<Limits>,
    work: Mutex<Work>,
}

/// What is under way, and how long it takes.
#[derive(Default)]
struct Work {
    /// Moving average of how long a request holds its place; zero before the first.
    holds_for: Duration,
    /// The same of those that had waited for it: all places were taken then, which makes each of them slower where they
    /// share what they work with.
    holds_after_wait: Duration,
    /// When each place that is taken was taken, the oldest first.
    since: Vec<Instant>,
    /// Requests that wait.
    waiting: usize,
    /// Since when no place has been left free.
    full_since: Option<Instant>,
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
    has_waited: bool,
    _permit: OwnedSemaphorePermit,
}

/// A request was sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shed {
    /// After this time it is worth trying again.
    pub(super) retry_after: Duration,
}

/// Counts a waiting request, whichever way its wait ends.
struct Waiting<'a>(&'a Lane);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut work = self.0.work();
        work.waiting = work.waiting.saturating_sub(1);
    }
}

impl Shed {
    /// Whoever comes again when the queue before it is gone finds a place.
    fn after(expected: Duration) -> Self {
        Self { retry_after: expected.max(Duration::from_millis(1)) }
    }
}

impl Lane {
    /// A lane with these limits.
    pub(super) fn new(name: &'static str, config: LaneConfig) -> Arc<Self> {
        let limits = RwLock::new(Limits::of(config));
        Arc::new(Self { name, limits, work: Mutex::default() })
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
        self.work().waiting
    }

    /// Requests that are worked on now.
    pub(super) fn working(&self) -> usize {
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        limits.config.concurrent.saturating_sub(limits.places.available_permits())
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, waits for one, or says that there is none in time.
    ///
    /// # Errors
    /// The queue is full, or the wait was or would be too long.
    pub(super) async fn enter(self: &Arc<Self>) -> Result<Place, Shed> {
        let Limits { config, places } = self.limits.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            return Ok(self.place(permit, config.concurrent, false));
        }
        let (longest, waiting) = {
            let mut work = self.work();
            let (now, ahead) = (Instant::now(), work.waiting);
            let expected = work.expected_wait(ahead, config.concurrent, now);
            let longest = work.longest_wait(&config, now);
            if ahead >= config.waiting || expected > longest {
                return Err(Shed::after(expected));
            }
            work.waiting += 1;
            (longest, Waiting(self))
        };
        let permit = tokio::time::timeout(longest, places.acquire_owned()).await;
        drop(waiting);
        match permit {
            Ok(Ok(permit)) => Ok(self.place(permit, config.concurrent, true)),
            // Too late, or the semaphore was closed, which nobody does. What is still before the queue has to end first.
            _ => {
                let work = self.work();
                Err(Shed::after(work.expected_wait(work.waiting, config.concurrent, Instant::now())))
            }
        }
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit, concurrent: usize, has_waited: bool) -> Place {
        let mut work = self.work();
        // Taken under the lock, so that the list is in order.
        let since = Instant::now();
        work.since.push(since);
        if work.since.len() >= concurrent {
            work.full_since.get_or_insert(since);
        }
        drop(work);
        Place { lane: Arc::clone(self), since, has_waited, _permit: permit }
    }
}

impl Work {
    /// How long a request waits that has `ahead` others before it, all `concurrent` places being taken.
    fn expected_wait(&self, ahead: usize, concurrent: usize, now: Instant) -> Duration {
        let concurrent = concurrent.max(1);
        // Places become free in turn; after as many as there are, each for the second time, and so on.
        let rounds = u32::try_from(ahead / concurrent).unwrap_or(u32::MAX);
        let mut free: Vec<Duration> = self.since.iter().map(|&since| self.left(since, now)).collect();
        free.sort_unstable();
        // After a change of the limits there may be fewer places taken than there are, or more.
        let turn = free.get(ahead % concurrent).or(free.last()).copied().unwrap_or_default();
        turn.saturating_add(self.holds_for.saturating_mul(rounds))
    }

    /// How long a place taken at `since` stays taken: what is left of the usual time, or, overdue, as long again.
    fn left(&self, since: Instant, now: Instant) -> Duration {
        now.saturating_duration_since(since).abs_diff(self.holds_for)
    }

    /// How long a request may wait that still is to be answered in time.
    fn longest_wait(&self, config: &LaneConfig, now: Instant) -> Duration {
        let full_for = self.full_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let rush = config.rush.filter(|rush| full_for > Duration::from_millis(rush.after_ms));
        let (max_wait_ms, within) = match rush {
            Some(rush) => (rush.max_wait_ms, rush.answer_within_ms),
            None => (config.max_wait_ms, config.answer_within_ms),
        };
        let longest = Duration::from_millis(max_wait_ms);
        let Some(within) = within else { return longest };
        // Sharing makes a request slower by as many times as there are places, at most. The bound matters when nobody
        // has waited for long, and what such requests took once says nothing any more.
        let places = u32::try_from(config.concurrent).unwrap_or(u32::MAX);
        let own = self.holds_after_wait.clamp(self.holds_for, self.holds_for.saturating_mul(places.max(1)));
        longest.min(Duration::from_millis(within).saturating_sub(own))
    }

    fn ended(&mut self, since: Instant, has_waited: bool, now: Instant) {
        if let Ok(place) = self.since.binary_search(&since) {
            self.since.remove(place);
        }
        if self.waiting == 0 {
            self.full_since = None;
        }
        let took = now.saturating_duration_since(since);
        learn(&mut self.holds_for, took);
        if has_waited {
            learn(&mut self.holds_after_wait, took);
        }
    }
}

fn learn(average: &mut Duration, took: Duration) {
    *average = match *average {
        Duration::ZERO => took,
        before => before - before / NEWEST + took / NEWEST,
    };
}

impl Limits {
    fn of(config: LaneConfig) -> Self {
        Self { config, places: Arc::new(Semaphore::new(config.concurrent)) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lane.work().ended(self.since, self.has_waited, Instant::now());
    }
}
