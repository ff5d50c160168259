//! What runs on the journal's thread: groups of writes, sweeps and folds.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::tables::{Rejection, Tables};
use super::{Item, Shared, Write};
use crate::domain::UserId;
use crate::domain::stores::StoreError;
use crate::stores::memory::Memory;

/// How old served history may become before it is durable.
pub(super) const HISTORY_LIMIT: Duration = Duration::from_millis(100);

/// How far the journal's thread stands behind those that answer, in steps of nice: five leave it a third of what another
/// thread gets of a core that both want, enough for 50,000 engagements a second.
#[cfg(target_os = "linux")]
const BEHIND: i32 = 5;

/// What runs on the journal's thread.
pub(super) struct Worker {
    /// None after the database failed, until it is opened again.
    tables: Option<Tables>,
    /// Engagements that have not been folded.
    unfolded: usize,
    /// Whose rows of what they gave are fewer in memory than on disk: written with the next fold.
    givers: BTreeSet<UserId>,
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
    pub(super) fn new(
        tables: Tables,
        path: Option<PathBuf>,
        memory: Arc<Memory>,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        let unfolded = tables.unfolded()?;
        let tables = Some(tables);
        Ok(Self {
            tables,
            unfolded,
            givers: BTreeSet::new(),
            path,
            memory,
            shared,
            commit_takes: Duration::ZERO,
        })
    }

    pub(super) fn run(mut self) {
        stand_behind();
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
                self.fold();
            }
        }
    }

    fn sweep(&mut self) {
        let memory = Arc::clone(&self.memory);
        let swept = memory.sweep();
        // What a crash or a full disk leaves undeleted here is swept again after the next start.
        _ = self.working_tables().and_then(|tables| tables.sweep(&swept, &memory));
        self.givers.extend(swept.givers);
        if !self.givers.is_empty() {
            // A replay must not add to rows that are gone here.
            self.fold();
        }
    }

    fn fold(&mut self) {
        // What a full disk leaves unfolded is tried again after as many more.
        self.unfolded = 0;
        let memory = Arc::clone(&self.memory);
        let givers = std::mem::take(&mut self.givers);
        let folded = self.working_tables().and_then(|tables| tables.fold(&memory, &givers));
        if folded.is_err() {
            self.givers = givers;
            if self.path.is_some() {
                self.tables = None;
            }
        }
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

/// Lets threads that answer requests go first. Who records waits for a disk anyway; who asks for a timeline waits for us.
///
/// Where the system does not allow it, requests are slower while much is recorded, and nothing else differs.
fn stand_behind() {
    #[cfg(target_os = "linux")]
    {
        use rustix::{process, thread};
        let own = Some(thread::gettid());
        let now = process::getpriority_process(own).unwrap_or(0);
        _ = process::setpriority_process(own, now.saturating_add(BEHIND).min(19));
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_stands_behind_does_so_alone() {
        let own =
            || rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("it is known");
        let before = own();
        let behind = std::thread::spawn(move || {
            stand_behind();
            own()
        });
        assert_eq!(behind.join().expect("no panic"), (before + BEHIND).min(19));
        assert_eq!(own(), before);
    }
}
