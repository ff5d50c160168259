//! The bounded queue: one line a priority, first come first served inside each, deadlines and cancellation.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::{Job, Priority};
use super::ticket::Promise;
use crate::{Error, Result};

/// A job in waiting.
pub(super) struct Entry {
    id: u64,
    pub(super) job: Job,
    pub(super) promise: Promise,
    pub(super) since: Instant,
}

/// When a batch is made and how large it and the queue may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_candidates: usize,
    pub(super) delay: Duration,
    pub(super) queued: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Takes no more; what is queued is still scored, without delay.
    Draining,
}

struct State {
    lines: [VecDeque<Entry>; Priority::COUNT],
    /// Jobs in all lines.
    jobs: usize,
    /// Candidates in all lines.
    candidates: usize,
    next_id: u64,
    /// No deadline in the lines is earlier; it may be that of a job that has left.
    first_deadline: Option<Instant>,
    phase: Phase,
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// A worker may have something to do, or sooner than it thought.
    changed: Condvar,
    limits: Limits,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State {
            lines: Default::default(),
            jobs: 0,
            candidates: 0,
            next_id: 0,
            first_deadline: None,
            phase: Phase::Open,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), limits }
    }

    /// Counters and lines are changed together, without a call in between that could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().jobs
    }

    /// Appends a job and takes its promise; returns its number. `accepted` runs before any worker can see the job. A
    /// job that is refused leaves the promise where it is.
    pub(super) fn push(
        &self,
        job: Job,
        promise: &mut Option<Promise>,
        accepted: impl FnOnce(),
    ) -> Result<u64> {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(Error::Stopped);
        }
        if state.jobs >= self.limits.queued {
            return Err(Error::QueueFull { capacity: self.limits.queued });
        }
        let Some(promise) = promise.take() else { return Err(Error::Stopped) };
        accepted();
        let id = state.next_id;
        state.next_id += 1;
        state.jobs += 1;
        state.candidates += job.request.candidates;
        let was_first_deadline = state.first_deadline;
        state.first_deadline = earlier(was_first_deadline, job.deadline);
        let priority = job.priority;
        let entry = Entry { id, job, promise, since: Instant::now() };
        state.lines[priority.index()].push_back(entry);
        // Workers that wait sleep until the oldest job is due, so only these three change what they would do.
        let is_news = state.jobs == 1
            || state.candidates >= self.limits.max_candidates
            || state.first_deadline != was_first_deadline;
        drop(state);
        if is_news {
            self.changed.notify_one();
        }
        Ok(id)
    }

    /// Takes a job out, where it is still queued.
    pub(super) fn remove(&self, priority: Priority, id: u64) -> Option<Entry> {
        let mut state = self.lock();
        let line = &mut state.lines[priority.index()];
        // Numbers ascend inside a line.
        let index = line.binary_search_by_key(&id, |entry| entry.id).ok()?;
        let entry = line.remove(index)?;
        state.jobs -= 1;
        state.candidates -= entry.job.request.candidates;
        Some(entry)
    }

    /// Waits until there is something to do: fills `batch` with jobs that one call can serve, or `expired` with jobs
    /// whose deadline has passed. `false` when the queue is closed and empty.
    pub(super) fn take(&self, batch: &mut Vec<Entry>, expired: &mut Vec<Entry>) -> bool {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.take_expired(now, expired);
            if !expired.is_empty() {
                self.leave(&state);
                return true;
            }
            let Some(oldest) = state.oldest() else {
                if state.phase != Phase::Open {
                    self.changed.notify_all();
                    return false;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let is_full = state.candidates >= self.limits.max_candidates;
            let due = oldest.checked_add(self.limits.delay);
            if is_full || state.phase != Phase::Open || due.is_some_and(|due| now >= due) {
                state.fill(batch, self.limits.max_candidates);
                self.leave(&state);
                return true;
            }
            state = match earlier(due, state.first_deadline) {
                Some(until) => {
                    let left = until.saturating_duration_since(now);
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Another worker looks after what is left.
    fn leave(&self, state: &State) {
        if state.jobs > 0 {
            self.changed.notify_one();
        }
    }

    /// Takes no more jobs. What is queued stays for the workers, or is given back to be answered.
    pub(super) fn close(&self, keep: bool) -> Vec<Entry> {
        let mut state = self.lock();
        state.phase = Phase::Draining;
        let mut rest = Vec::new();
        if !keep {
            rest = state.lines.iter_mut().flat_map(|line| line.drain(..)).collect();
            state.jobs = 0;
            state.candidates = 0;
        }
        drop(state);
        self.changed.notify_all();
        rest
    }
}

impl State {
    fn oldest(&self) -> Option<Instant> {
        self.lines.iter().filter_map(|line| line.front()).map(|entry| entry.since).min()
    }

    fn take_expired(&mut self, now: Instant, expired: &mut Vec<Entry>) {
        if self.first_deadline.is_none_or(|first| first > now) {
            return;
        }
        self.first_deadline = None;
        for line in &mut self.lines {
            let mut index = 0;
            while let Some(entry) = line.get(index) {
                if entry.job.deadline.is_some_and(|deadline| deadline <= now) {
                    expired.extend(line.remove(index));
                } else {
                    self.first_deadline = earlier(self.first_deadline, entry.job.deadline);
                    index += 1;
                }
            }
        }
        self.jobs -= expired.len();
        self.candidates -= expired.iter().map(|entry| entry.job.request.candidates).sum::<usize>();
    }

    /// The first job of the highest priority leads; whatever merges with it and still fits goes along, in order.
    /// So a job that does not fit is passed over, but never by a batch that it could have led.
    fn fill(&mut self, batch: &mut Vec<Entry>, max_candidates: usize) {
        let mut room = max_candidates;
        for line in &mut self.lines {
            let mut index = 0;
            while let Some(entry) = line.get(index) {
                let merges = batch.first().is_none_or(|leader| leader.job.merges_with(&entry.job));
                if merges && entry.job.request.candidates <= room {
                    room -= entry.job.request.candidates;
                    batch.extend(line.remove(index));
                } else {
                    index += 1;
                }
                if room == 0 {
                    break;
                }
            }
        }
        self.jobs -= batch.len();
        self.candidates -= max_candidates - room;
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::batching::OwnedRequest;
    use crate::batching::times::Counters;

    const NEVER: Duration = Duration::from_secs(3600);

    fn queue(max_candidates: usize, jobs: &[(Priority, usize, f32)]) -> Queue {
        let queue = Queue::new(Limits { max_candidates, delay: NEVER, queued: 100 });
        for &(priority, candidates, weight) in jobs {
            let request = OwnedRequest { candidates, ..OwnedRequest::default() };
            let job = Job::new(request, [weight]).with_priority(priority);
            push(&queue, job);
        }
        queue
    }

    fn push(queue: &Queue, job: Job) -> u64 {
        let (promise, _end) = Promise::new(&Arc::new(Counters::default()));
        queue.push(job, &mut Some(promise), || ()).unwrap()
    }

    /// Numbers of the jobs of every batch, in order, until the closed queue is empty.
    fn batches(queue: &Queue) -> Vec<Vec<u64>> {
        queue.close(true);
        let (mut batch, mut expired, mut all) = (Vec::new(), Vec::new(), Vec::new());
        while queue.take(&mut batch, &mut expired) {
            all.push(batch.drain(..).map(|entry| entry.id).collect());
        }
        assert!(expired.is_empty());
        let state = queue.lock();
        assert_eq!((state.jobs, state.candidates), (0, 0));
        all
    }

    #[test]
    fn higher_priorities_go_first_and_each_in_order_of_arrival() {
        use Priority::{High, Low, Normal};
        let queue =
            queue(2, &[(Low, 1, 1.0), (Normal, 1, 1.0), (Low, 1, 1.0), (High, 1, 1.0), (Normal, 1, 1.0)]);
        assert_eq!(batches(&queue), [vec![3, 1], vec![4, 0], vec![2]]);
    }

    #[test]
    fn what_does_not_fit_or_merge_waits_and_leads_a_later_batch() {
        use Priority::Normal;
        let jobs = [(Normal, 3, 1.0), (Normal, 4, 1.0), (Normal, 1, 2.0), (Normal, 2, 1.0), (Normal, 0, 1.0)];
        assert_eq!(batches(&queue(5, &jobs)), [vec![0, 3], vec![1, 4], vec![2]]);
    }

    #[test]
    fn weights_merge_by_their_bits() {
        use Priority::Normal;
        let jobs = [(Normal, 1, 0.0), (Normal, 1, -0.0), (Normal, 1, 0.0)];
        assert_eq!(batches(&queue(9, &jobs)), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn jobs_leave_from_the_middle() {
        use Priority::{High, Normal};
        let queue = queue(9, &[(Normal, 1, 1.0), (High, 1, 1.0), (Normal, 2, 1.0), (Normal, 3, 1.0)]);
        assert!(queue.remove(High, 2).is_none() && queue.remove(Normal, 1).is_none());
        assert_eq!(queue.remove(Normal, 2).map(|entry| entry.id), Some(2));
        assert!(queue.remove(Normal, 2).is_none());
        assert_eq!((queue.lock().jobs, queue.lock().candidates), (3, 5));
        assert_eq!(batches(&queue), [vec![1, 0, 3]]);
    }

    #[test]
    fn expired_jobs_leave_before_any_batch_is_made() {
        let queue = queue(1, &[]);
        let request = OwnedRequest { candidates: 1, ..OwnedRequest::default() };
        let past = Job { deadline: Some(Instant::now()), ..Job::new(request.clone(), [1.0]) };
        push(&queue, Job::new(request.clone(), [1.0]));
        let late = push(&queue, past);
        push(&queue, Job::new(request, [1.0]).with_deadline_in(NEVER));
        let (mut batch, mut expired) = (Vec::new(), Vec::new());
        assert!(queue.take(&mut batch, &mut expired) && batch.is_empty());
        assert_eq!(expired.drain(..).map(|entry| entry.id).collect::<Vec<_>>(), [late]);
        assert!(queue.lock().first_deadline.is_some(), "the other deadline still counts");
        assert_eq!(batches(&queue), [[0], [2]]);
    }
}
