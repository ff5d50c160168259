//! The two ends of an answer: the worker's promise and the caller's ticket.
//!
//! A promise is settled exactly once, by value; dropped unsettled (a worker that panicked, a queue that was thrown away)
//! it settles itself with an error, so that no caller waits for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::job::{Answer, Priority};
use super::queue::Queue;
use super::times::{Counters, Outcome};
use crate::{Error, Result};

#[expect(
    clippy::large_enum_variant,
    reason = "one a job; a box would be one more allocation on the way back"
)]
enum State {
    Waiting(Option<Waker>),
    Settled(Result<Answer>),
    /// The caller has its answer, or went away.
    Closed,
}

struct Slot {
    state: Mutex<State>,
    settled: Condvar,
}

impl Slot {
    /// Every change of the state is one assignment: it is whole wherever a thread could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker's end.
pub(super) struct Promise {
    slot: Arc<Slot>,
    counters: Arc<Counters>,
    is_settled: bool,
}

impl Promise {
    /// Both ends, for a job that is not in the queue yet.
    pub(super) fn new(counters: &Arc<Counters>) -> (Self, TicketEnd) {
        let slot = Arc::new(Slot { state: Mutex::new(State::Waiting(None)), settled: Condvar::new() });
        let end = TicketEnd(Arc::clone(&slot));
        (Self { slot, counters: Arc::clone(counters), is_settled: false }, end)
    }

    /// Whether somebody still wants the answer.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(*self.slot.lock(), State::Closed)
    }

    pub(super) fn settle(mut self, result: Result<Answer>) {
        self.set(result);
    }

    /// Takes the promise back before anybody relied on it.
    pub(super) fn withdraw(mut self) {
        self.is_settled = true;
    }

    fn set(&mut self, result: Result<Answer>) {
        self.is_settled = true;
        let outcome = match &result {
            Ok(_) => Outcome::Answered,
            Err(Error::Expired { .. }) => Outcome::Expired,
            Err(_) => Outcome::Failed,
        };
        let mut state = self.slot.lock();
        let waker = match &mut *state {
            State::Waiting(waker) => waker.take(),
            State::Settled(_) | State::Closed => {
                drop(state);
                self.counters.outcome(Outcome::Cancelled);
                return;
            }
        };
        // Counted before the caller can see it, so that who has its answer finds it counted.
        self.counters.outcome(outcome);
        if let Ok(answer) = &result {
            self.counters.times(&answer.times);
        }
        *state = State::Settled(result);
        drop(state);
        self.slot.settled.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if !self.is_settled {
            self.set(Err(Error::Stopped));
        }
    }
}

/// A ticket that does not know its place in the queue yet.
pub(super) struct TicketEnd(Arc<Slot>);

impl TicketEnd {
    pub(super) fn queued(self, queue: &Arc<Queue>, priority: Priority, id: u64) -> Ticket {
        Ticket { slot: self.0, queue: Arc::downgrade(queue), priority, id }
    }
}

/// The caller's end: a future for callers that must not block, and blocking calls for those that may. It needs no
/// runtime: the worker that answers wakes the task. Dropped, it cancels: a job that is still queued leaves the queue
/// at once and is never scored.
#[must_use = "dropping a ticket cancels its job"]
pub struct Ticket {
    slot: Arc<Slot>,
    /// Weak, so that tickets in waiting do not keep a stopped scorer's queue.
    queue: Weak<Queue>,
    priority: Priority,
    id: u64,
}

impl Ticket {
    /// Waits for the answer.
    ///
    /// # Errors
    /// [`Error::Expired`], [`Error::Stopped`], or what the scorer failed with.
    pub fn wait(self) -> Result<Answer> {
        let mut state = self.slot.lock();
        loop {
            match std::mem::replace(&mut *state, State::Closed) {
                State::Settled(result) => return result,
                // Only a future that has given its answer closes the slot before its ticket is dropped.
                State::Closed => return Err(Error::Stopped),
                waiting @ State::Waiting(_) => *state = waiting,
            }
            state = self.slot.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the answer for at most so long; the ticket itself when it is not there by then.
    ///
    /// # Errors
    /// Outer: the ticket, to wait again or to drop. Inner: as [`Ticket::wait`].
    pub fn wait_timeout(self, time: Duration) -> Result<Result<Answer>, Self> {
        let until = Instant::now().checked_add(time);
        let mut state = self.slot.lock();
        while matches!(*state, State::Waiting(_)) {
            let left = until.map_or(time, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                drop(state);
                return Err(self);
            }
            state = self.slot.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        Ok(self.wait())
    }

    /// Whether the answer is there, so that [`Ticket::wait`] would not block.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !matches!(*self.slot.lock(), State::Waiting(_))
    }
}

impl Future for Ticket {
    type Output = Result<Answer>;

    /// # Panics
    /// When it is polled again after it gave its answer.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.lock();
        match &mut *state {
            State::Waiting(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                return Poll::Pending;
            }
            State::Settled(_) => {}
            State::Closed => panic!("a ticket was polled after it gave its answer"),
        }
        match std::mem::replace(&mut *state, State::Closed) {
            State::Settled(result) => Poll::Ready(result),
            State::Waiting(_) | State::Closed => unreachable!("looked at above, under the same lock"),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.slot.lock(), State::Closed);
        if let State::Waiting(_) = before
            && let Some(queue) = self.queue.upgrade()
        {
            // The entry's promise finds the slot closed and counts the job as cancelled.
            drop(queue.remove(self.priority, self.id));
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("priority", &self.priority)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
