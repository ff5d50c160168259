//! Many small requests of concurrent callers, scored together.
//!
//! ```text
//! callers ── submit ──► queue (bounded; three priorities) ──► worker threads ──► one ragged batch ──► Scorer
//!    ▲                    deadline passed: Expired                                                      │
//!    └──────────────── ticket (future, or wait) ◄──────────── each caller's own part ◄──────────────────┘
//! ```
//!
//! A worker takes jobs when a batch is full or the oldest job has waited for the delay. A batch is a list of views of
//! the callers' own memory: merging copies no feature. A scorer gives a candidate the same bits whatever surrounds it,
//! so nobody can see that requests were merged.
//!
//! Threads only: a [`Ticket`] is a future that any runtime can poll, and can be waited for without one.

mod job;
mod owned;
mod queue;
mod ticket;
mod times;
mod worker;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

pub use job::{Answer, Job, Priority};
pub use owned::{OwnedBinary, OwnedColumns, OwnedFeatures, OwnedRequest, Values};
pub use ticket::Ticket;
pub use times::{StageSummary, StageTimes, Stats};

use crate::{Batch, Error, LiveScorer, Result};
use queue::{Limits, Queue};
use ticket::Promise;
use times::Counters;
use worker::Shared;

/// Settings of a batching scorer to be.
#[derive(Clone, Debug)]
pub struct BatchingBuilder {
    live: Arc<LiveScorer>,
    max_candidates: usize,
    delay: Duration,
    queue: usize,
    workers: usize,
}

impl BatchingBuilder {
    /// Candidates from which on a batch is not waited for. Default and most: the scorer's own maximum.
    #[must_use]
    pub fn max_candidates(mut self, max_candidates: usize) -> Self {
        self.max_candidates = max_candidates;
        self
    }

    /// How long a job may wait for others to be merged with. Default 1 ms; 0 merges only what is there.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Most jobs in waiting; one more is refused with [`Error::QueueFull`]. Default 1,024.
    #[must_use]
    pub fn queue(mut self, jobs: usize) -> Self {
        self.queue = jobs;
        self
    }

    /// Threads that make batches. Default: as many as the scorer serves at once, so that one batch is made while
    /// another is scored.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings without meaning; [`Error::Io`] when a thread cannot be started.
    pub fn build(self) -> Result<BatchingScorer> {
        let within = |argument, value: usize, max: usize| match (1..=max).contains(&value) {
            true => Ok(()),
            false => {
                Err(Error::Argument { argument, expected: format!("1 to {max}"), found: value.to_string() })
            }
        };
        within("max_candidates", self.max_candidates, self.live.max_candidates())?;
        within("queue", self.queue, usize::MAX)?;
        within("workers", self.workers, 1024)?;
        if self.delay > worker::MAX_DELAY {
            return Err(Error::Argument {
                argument: "delay",
                expected: format!("at most {:?}", worker::MAX_DELAY),
                found: format!("{:?}", self.delay),
            });
        }
        let limits = Limits { max_candidates: self.max_candidates, delay: self.delay, queued: self.queue };
        let shared = Arc::new(Shared {
            live: self.live,
            queue: Arc::new(Queue::new(limits)),
            counters: Arc::new(Counters::default()),
        });
        let mut scorer = BatchingScorer { shared, max_candidates: self.max_candidates, workers: Vec::new() };
        for index in 0..self.workers {
            let shared = Arc::clone(&scorer.shared);
            // On failure `scorer` is dropped, which ends the workers that were started.
            let worker = std::thread::Builder::new()
                .name(format!("maskrank-batch-{index}"))
                .spawn(move || worker::run(&shared))
                .map_err(|source| Error::io("start a thread for", "batching".as_ref(), source))?;
            scorer.workers.push(worker);
        }
        Ok(scorer)
    }
}

/// Scores requests of concurrent callers together. Shared by reference between threads.
///
/// Dropped, it refuses what is queued, finishes what is being scored, and joins its threads; see
/// [`BatchingScorer::drain`] for an end that loses nothing.
pub struct BatchingScorer {
    shared: Arc<Shared>,
    max_candidates: usize,
    workers: Vec<JoinHandle<()>>,
}

impl BatchingScorer {
    /// Starts building one on a scorer that may be replaced while it runs.
    #[must_use]
    pub fn builder(live: &Arc<LiveScorer>) -> BatchingBuilder {
        let (max_candidates, workers) = (live.max_candidates(), live.current().scorer().max_in_flight());
        let delay = Duration::from_millis(1);
        BatchingBuilder { live: Arc::clone(live), max_candidates, delay, queue: 1024, workers }
    }

    /// Queues a job. Its lengths and weights are checked here, so that a wrong job cannot harm those that it would be
    /// merged with.
    ///
    /// # Errors
    /// [`Error::Batch`], [`Error::TooManyCandidates`] or [`Error::Argument`] when the job does not fit the scorer;
    /// [`Error::QueueFull`]; [`Error::Stopped`] after a shutdown.
    pub fn submit(&self, job: Job) -> Result<Ticket> {
        if job.request.candidates > self.max_candidates {
            return Err(Error::TooManyCandidates { max: self.max_candidates, found: job.request.candidates });
        }
        self.shared
            .live
            .current()
            .scorer()
            .check_call(Batch { requests: &[job.request.view()] }, &job.weights)?;
        let counters = &self.shared.counters;
        let (promise, end) = Promise::new(counters);
        let priority = job.priority;
        let mut promise = Some(promise);
        let pushed = self.shared.queue.push(job, &mut promise, || times::add(&counters.submitted, 1));
        match pushed {
            Ok(id) => Ok(end.queued(&self.shared.queue, priority, id)),
            Err(error) => {
                if matches!(error, Error::QueueFull { .. }) {
                    times::add(&counters.refused, 1);
                }
                // Nobody was promised anything.
                promise.take().into_iter().for_each(Promise::withdraw);
                Err(error)
            }
        }
    }

    /// Queues a job and waits for its answer.
    ///
    /// # Errors
    /// As [`BatchingScorer::submit`] and [`Ticket::wait`].
    pub fn score(&self, job: Job) -> Result<Answer> {
        self.submit(job)?.wait()
    }

    /// What became of all jobs so far, and where their time went.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot(self.shared.queue.len())
    }

    /// The scorer that runs, to be replaced while jobs are under way: [`LiveScorer::reload`].
    #[must_use]
    pub fn live(&self) -> &Arc<LiveScorer> {
        &self.shared.live
    }

    /// Takes no more jobs, from now on and for every caller; what is queued is still scored, at once.
    pub fn close(&self) {
        self.shared.queue.close(true);
    }

    /// Takes no more jobs, scores those that are queued, and ends.
    #[must_use]
    pub fn drain(mut self) -> Stats {
        self.close();
        self.join();
        self.stats()
    }

    /// Takes no more jobs, refuses those that are queued with [`Error::Stopped`], and ends when those that are being
    /// scored are answered.
    #[must_use]
    pub fn stop(mut self) -> Stats {
        self.refuse_rest();
        self.join();
        self.stats()
    }

    fn refuse_rest(&self) {
        for entry in self.shared.queue.close(false) {
            entry.promise.settle(Err(Error::Stopped));
        }
    }

    fn join(&mut self) {
        for worker in self.workers.drain(..) {
            // A worker catches what a scorer throws; should it still have died, its promises settled themselves.
            let _ = worker.join();
        }
        // Jobs that a dead worker left behind are refused, not forgotten.
        self.refuse_rest();
    }
}

impl Drop for BatchingScorer {
    fn drop(&mut self) {
        self.refuse_rest();
        self.join();
    }
}

impl std::fmt::Debug for BatchingScorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stats = self.shared.counters.submitted.load(Ordering::Relaxed);
        f.debug_struct("BatchingScorer")
            .field("live", &self.shared.live)
            .field("workers", &self.workers.len())
            .field("submitted", &stats)
            .finish_non_exhaustive()
    }
}

/// Shared by threads; tickets travel between them.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<BatchingScorer>();
    shared::<Ticket>();
};
