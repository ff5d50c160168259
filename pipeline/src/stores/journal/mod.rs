//! The journal: what was written since the base was loaded, on disk.
//!
//! One thread owns the database. Callers hand it writes and wait; it takes everything that is waiting, checks each write
//! against what is stored, puts all of them into one transaction, makes that durable, applies them to memory in the
//! same order, and only then answers. So an answer means "on disk", writers share the cost of a commit, no two writes
//! race, and memory never shows what a crash could take back. History is the exception by contract: it is in memory at
//! once and handed over without waiting, and its group is durable within [`worker::HISTORY_LIMIT`]: the slower the disk commits,
//! the shorter the group waits for others.
//!
//! The journal does not grow with time: tables hold states, history has limits, and engagements, of which there are most,
//! are folded ([`folded`]) when there are many.

mod events;
mod folded;
mod said;
mod tables;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::history;
use super::memory::{Memory, Recorded};
use crate::domain::stores::{List, Relation, StoreError};
use crate::domain::{Dismissal, Feedback, Post, PostId, User, UserId, ViewerSettings};
use tables::Tables;
use worker::Worker;

/// Most deferred writes that may wait; beyond it they are committed at once.
const MAX_DEFERRED: usize = 4_096;

/// One change of the stores.
#[derive(Debug)]
pub(super) enum Write {
    /// A relation begins or ends.
    Relation { relation: Relation, from: UserId, to: UserId, holds: bool },
    /// A post is added.
    InsertPost(Box<Post>),
    /// A post is deleted.
    DeletePost(PostId),
    /// A post becomes another one: its newest version.
    EditPost { old: PostId, new: Box<Post> },
    /// An account is added or replaced.
    PutUser(User),
    /// An account's settings are replaced.
    PutSettings(UserId, ViewerSettings),
    /// Engagements happened, all or none.
    Engagements(Vec<Recorded>),
    /// A list is added or replaced.
    PutList(List),
    /// Feedback was given.
    Feedback(Feedback),
    /// A module was closed.
    Dismissal(Dismissal),
    /// Feedback is taken back.
    WithdrawFeedback(Feedback),
    /// The closing of a module is taken back.
    WithdrawDismissal(Dismissal),
    /// A viewer's history grew, and older entries fell out of its limits.
    History { viewer: UserId, sequence: u64, entry: history::Entry, dropped: Vec<u64> },
    /// What has outlived its retention is freed, in memory and on disk.
    Sweep,
    /// Nothing changes: whoever waits for this waits for everything before it.
    Flush,
}

impl Write {
    /// Store and operation, for messages.
    pub(super) fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Relation { .. } => ("social graph", "set"),
            Self::InsertPost(_) => ("posts", "insert"),
            Self::DeletePost(_) => ("posts", "delete"),
            Self::EditPost { .. } => ("posts", "edit"),
            Self::PutUser(_) => ("users", "put"),
            Self::PutSettings(..) => ("users", "put settings"),
            Self::Engagements(_) => ("engagements", "record"),
            Self::PutList(_) => ("lists", "put"),
            Self::Feedback(_) => ("feedback", "record feedback"),
            Self::Dismissal(_) => ("feedback", "record dismissal"),
            Self::WithdrawFeedback(_) => ("feedback", "withdraw feedback"),
            Self::WithdrawDismissal(_) => ("feedback", "withdraw dismissal"),
            Self::History { .. } => ("history", "record"),
            Self::Sweep => ("stores", "sweep"),
            Self::Flush => ("history", "flush"),
        }
    }

    fn failed(&self, problem: &str) -> StoreError {
        let (store, operation) = self.names();
        StoreError::Failed { store, operation, problem: problem.to_owned() }
    }
}

/// A write and whoever waits for it.
struct Item {
    write: Write,
    waiter: Option<SyncSender<Result<bool, StoreError>>>,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Whether somebody waits for one of them.
    is_urgent: bool,
    /// When the oldest deferred write came.
    deferred_since: Option<Instant>,
    is_closed: bool,
    /// Why deferred writes were lost, once any were.
    failure: Option<String>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle on the journal's thread. Dropping it writes what is waiting and closes the database.
pub(super) struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the database at `path` (in memory when there is none), brings `memory` up to date with it and starts the
    /// thread.
    pub(super) fn open(path: Option<&Path>, memory: Arc<Memory>) -> Result<Self, StoreError> {
        let failed = |operation: &'static str| {
            move |problem: String| StoreError::Failed { store: "journal", operation, problem }
        };
        // A damaged file is an error of the file's: the database below panics at some of them.
        let tables = or_panic(|| Tables::open(path)).map_err(failed("open"))?;
        or_panic(|| tables.replay(&memory)).map_err(failed("replay"))?;
        let shared = Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new() });
        let path = path.map(Path::to_owned);
        let worker = || Worker::new(tables, path, memory, Arc::clone(&shared));
        let worker = or_panic(worker).map_err(failed("open"))?;
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| failed("start")(error.to_string()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Commits a write and applies it. Returns whether it changed anything.
    pub(super) fn commit(&self, write: Write) -> Result<bool, StoreError> {
        let closed = write.failed("the store is shut down");
        let (waiter, answer) = sync_channel(1);
        {
            let mut queue = self.shared.lock();
            if queue.is_closed {
                return Err(closed);
            }
            queue.items.push_back(Item { write, waiter: Some(waiter) });
            queue.is_urgent = true;
        }
        self.shared.wake.notify_one();
        answer.recv().unwrap_or(Err(closed))
    }

    /// Fails when deferred writes cannot be taken any more.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        refuse_deferred(&self.shared.lock())
    }

    /// Hands over a write that nobody waits for.
    pub(super) fn defer(&self, write: Write) -> Result<(), StoreError> {
        {
            let mut queue = self.shared.lock();
            refuse_deferred(&queue)?;
            queue.items.push_back(Item { write, waiter: None });
            queue.is_urgent |= queue.items.len() >= MAX_DEFERRED;
            queue.deferred_since.get_or_insert_with(Instant::now);
        }
        self.shared.wake.notify_one();
        Ok(())
    }
}

/// What `work` gives, or what it panicked with.
fn or_panic<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Err(format!("the file is damaged: {}", text.unwrap_or_else(|| "no reason was given".to_owned())))
    })
}

fn refuse_deferred(queue: &Queue) -> Result<(), StoreError> {
    let failed = |problem: &str| StoreError::Failed {
        store: "history",
        operation: "record",
        problem: problem.to_owned(),
    };
    match &queue.failure {
        _ if queue.is_closed => Err(failed("the store is shut down")),
        Some(problem) => Err(failed(problem)),
        None => Ok(()),
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself; there is nobody here to hand it to.
            _ = thread.join();
        }
    }
}
