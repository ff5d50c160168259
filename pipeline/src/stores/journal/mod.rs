//! The journal: what was written since the base was loaded, on disk.
//!
//! One thread owns the database. Callers hand it writes and wait; it takes everything that is waiting, checks each write
//! against what is stored, puts all of them into one transaction, makes that durable, applies them to memory in the
//! same order, and only then answers. So an answer means "on disk", writers share the cost of a commit, no two writes
//! race, and memory never shows what a crash could take back. History is the exception by contract: it is in memory at
//! once and handed over without waiting, and its group is durable within [`HISTORY_LIMIT`]: the slower the disk commits,
//! the shorter the group waits for others.
//!
//! The journal does not grow with time: tables hold states, history has limits, and engagements, of which there are most,
//! are folded ([`folded`]) when there are many.

mod folded;
mod said;
mod tables;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::history;
use super::memory::Memory;
use crate::domain::stores::{List, Relation, StoreError};
use crate::domain::{
    Dismissal, Engagement, EventTraits, Feedback, Post, PostId, User, UserId, ViewerSettings,
};
use tables::{Rejection, Tables};

/// Most deferred writes that may wait; beyond it they are committed at once.
const MAX_DEFERRED: usize = 4_096;

/// How old served history may become before it is durable.
const HISTORY_LIMIT: Duration = Duration::from_millis(100);

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
    /// Engagements happened, all or none; each with what it is counted by.
    Engagements(Vec<(Engagement, EventTraits)>),
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
        let unfolded = or_panic(|| tables.unfolded()).map_err(failed("open"))?;
        let worker = Worker {
            tables: Some(tables),
            unfolded,
            path,
            memory,
            shared: Arc::clone(&shared),
            commit_takes: Duration::ZERO,
        };
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

/// What runs on the journal's thread.
struct Worker {
    /// None after the database failed, until it is opened again.
    tables: Option<Tables>,
    /// Engagements that have not been folded.
    unfolded: usize,
    /// Where the database lies, unless in memory.
    path: Option<PathBuf>,
    memory: Arc<Memory>,
    shared: Arc<Shared>,
    /// How long commits took lately: the longest, forgotten slowly.
    commit_takes: Duration,
}

/// Closes the queue when the worker ends, also by a panic: nobody waits for a thread that is gone.
struct CloseOnExit<'a>(&'a Shared);

impl Drop for CloseOnExit<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.is_closed = true;
        queue.items.clear();
    }
}

impl Worker {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _guard = CloseOnExit(&shared);
        let mut swept = Instant::now();
        loop {
            let (items, is_closed) = self.next_group();
            let is_asked_to_sweep = items.iter().any(|item| matches!(item.write, Write::Sweep));
            if is_asked_to_sweep || swept.elapsed() >= self.memory.options.sweep_interval {
                swept = Instant::now();
                self.sweep();
            }
            if !items.is_empty() {
                let begun = Instant::now();
                self.commit(items);
                // An eighth of the way down, the whole way up.
                self.commit_takes = begun.elapsed().max(self.commit_takes - self.commit_takes / 8);
            }
            if is_closed {
                return;
            }
            if self.unfolded >= self.memory.options.fold_after.max(1) {
                // What a full disk leaves unfolded is tried again after as many more.
                self.unfolded = 0;
                let memory = Arc::clone(&self.memory);
                let folded = self.working_tables().and_then(|tables| tables.fold(&memory));
                if folded.is_err() && self.path.is_some() {
                    self.tables = None;
                }
            }
        }
    }

    fn sweep(&mut self) {
        let memory = Arc::clone(&self.memory);
        let swept = memory.sweep();
        // What a crash or a full disk leaves undeleted here is swept again after the next start.
        _ = self.working_tables().and_then(|tables| tables.sweep(&swept, &memory));
    }

    /// Waits for the next group: at once when somebody waits, after the delay when only deferred writes are there.
    fn next_group(&self) -> (Vec<Item>, bool) {
        let options = &self.memory.options;
        let delay = group_delay(options.group_delay, self.commit_takes);
        let mut idle = options.sweep_interval;
        let mut queue = self.shared.lock();
        loop {
            let since = queue.deferred_since.map(|since| since.elapsed());
            let is_due = queue.is_urgent || since.is_some_and(|passed| passed >= delay);
            if is_due || queue.is_closed || idle.is_zero() {
                queue.is_urgent = false;
                queue.deferred_since = None;
                // What comes while the queue is closing was refused, so nothing is left behind.
                return (queue.items.drain(..).collect(), queue.is_closed);
            }
            let wait = since.map_or(idle, |passed| delay.saturating_sub(passed));
            let (guard, result) =
                self.shared.wake.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner);
            queue = guard;
            if result.timed_out() && queue.deferred_since.is_none() {
                idle = Duration::ZERO;
            }
        }
    }

    /// One transaction for all items; each is answered once it is durable and applied.
    fn commit(&mut self, items: Vec<Item>) {
        let mut accepted = Vec::with_capacity(items.len());
        let mut items = items.into_iter();
        let memory = Arc::clone(&self.memory);
        let outcome = self.working_tables().and_then(|tables| {
            tables.write(|transaction| {
                for item in items.by_ref() {
                    match transaction.put(&item.write, &memory) {
                        Ok(()) => accepted.push(item),
                        Err(Rejection::Refused(problem)) => refuse(item, problem),
                        Err(Rejection::Failed(problem)) => {
                            accepted.push(item);
                            return Err(problem);
                        }
                    }
                }
                Ok(())
            })
        });
        match outcome {
            Ok(()) => {
                for Item { write, waiter } in accepted {
                    if let Write::Engagements(engagements) = &write {
                        self.unfolded += engagements.len();
                    }
                    let changed = self.memory.apply(write);
                    if let Some(waiter) = waiter {
                        // A caller that went away does not need the answer.
                        _ = waiter.send(Ok(changed));
                    }
                }
            }
            Err(problem) => {
                // The database takes nothing any more once the disk has failed it; opened again, it does. One in
                // memory would come back empty.
                if self.path.is_some() {
                    self.tables = None;
                }
                for Item { write, waiter } in accepted.into_iter().chain(items) {
                    match waiter {
                        Some(waiter) => _ = waiter.send(Err(write.failed(&problem))),
                        None => self.shared.lock().failure = Some(problem.clone()),
                    }
                }
            }
        }
    }

    /// The database, opened again after it failed: the disk may have room by now.
    fn working_tables(&mut self) -> Result<&Tables, String> {
        let tables = match self.tables.take() {
            Some(tables) => tables,
            None => {
                let tables = Tables::open(self.path.as_deref())?;
                // What was lost stays lost, but history is taken again.
                self.shared.lock().failure = None;
                tables
            }
        };
        Ok(self.tables.insert(tables))
    }
}

/// How long a group of deferred writes may wait, so that the oldest is durable in time: it may have come just after a
/// commit began, and its own commit takes as long again. Half of what is left is for a busy machine.
fn group_delay(configured: Duration, commit_takes: Duration) -> Duration {
    configured.min(HISTORY_LIMIT.saturating_sub(2 * commit_takes) / 2)
}

fn refuse(item: Item, problem: String) {
    let (store, operation) = item.write.names();
    if let Some(waiter) = item.waiter {
        _ = waiter.send(Err(StoreError::Refused { store, operation, problem }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_leaves_less_time_to_wait() {
        let ms = Duration::from_millis;
        for (takes, expected) in [(0, 40), (5, 40), (10, 40), (20, 30), (40, 10), (50, 0), (500, 0)] {
            assert_eq!(group_delay(ms(40), ms(takes)), ms(expected), "a commit of {takes} ms");
        }
        assert_eq!(group_delay(ms(500), ms(1)), ms(49), "the limit holds whatever is configured");
    }
}
