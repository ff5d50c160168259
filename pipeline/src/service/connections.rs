//! The connections that are open, and which of them gives way to a new one.
//!
//! Who opens ten thousand connections and says nothing must not keep others out. The table is bounded; when it is full, a
//! new connection takes the place of the one that is of least use: first those that never finished sending a request,
//! then those that rest between requests, each the one for which nothing happened for longest. A connection whose
//! request is being answered is never closed; when all are, the new one is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// All open connections.
pub(super) struct Connections {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Entry>,
}

struct Entry {
    /// Requests that were received whole and are being answered.
    answering: usize,
    /// Whether one ever was.
    has_asked: bool,
    /// When anything last happened.
    since: Instant,
    close: Arc<Notify>,
}

/// An open connection; dropped, its place is free.
pub(super) struct Connection {
    table: Arc<Connections>,
    number: u64,
    close: Arc<Notify>,
}

/// A request that was received whole is being answered.
pub(super) struct Answering {
    connection: Arc<Connection>,
}

impl Connections {
    /// A table without connections.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { table: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Takes a connection in when there are fewer than `most`, else in place of one that gives way; none when all are
    /// busy.
    pub(super) fn admit(self: &Arc<Self>, most: usize, now: Instant) -> Option<Arc<Connection>> {
        let mut table = self.lock();
        if table.open.len() >= most {
            table.close_least()?;
        }
        table.next += 1;
        let (number, close) = (table.next, Arc::new(Notify::new()));
        let entry = Entry { answering: 0, has_asked: false, since: now, close: Arc::clone(&close) };
        table.open.insert(number, entry);
        Some(Arc::new(Connection { table: Arc::clone(self), number, close }))
    }

    /// Closes the connection that is of least use, when there is one: the system has no handles left.
    pub(super) fn make_room(&self) {
        self.lock().close_least();
    }

    /// Closes connections on which nothing happened for longer than `limit`: clients that neither ask nor read.
    pub(super) fn close_idle(&self, limit: Duration, now: Instant) {
        let mut table = self.lock();
        let is_idle = |entry: &Entry| entry.answering == 0 && now.duration_since(entry.since) > limit;
        let idle: Vec<u64> =
            table.open.iter().filter(|(_, entry)| is_idle(entry)).map(|(number, _)| *number).collect();
        idle.into_iter().for_each(|number| table.close(number));
    }
}

impl Table {
    /// Closes the connection that is of least use; none when all are busy.
    fn close_least(&mut self) -> Option<()> {
        let resting = self.open.iter().filter(|(_, entry)| entry.answering == 0);
        let (&least, _) = resting.min_by_key(|(_, entry)| (entry.has_asked, entry.since))?;
        self.close(least);
        Some(())
    }

    fn close(&mut self, number: u64) {
        if let Some(entry) = self.open.remove(&number) {
            entry.close.notify_one();
        }
    }
}

impl Connection {
    /// Resolves once the connection has to give way.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }

    /// Notes that a request was received whole.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        if let Some(entry) = self.table.lock().open.get_mut(&self.number) {
            entry.answering += 1;
            entry.has_asked = true;
            entry.since = Instant::now();
        }
        Answering { connection: Arc::clone(self) }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(entry) = self.connection.table.lock().open.get_mut(&self.connection.number) {
            entry.answering = entry.answering.saturating_sub(1);
            entry.since = Instant::now();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.table.lock().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_least_useful_gives_way() {
        let (connections, start) = (Connections::new(), Instant::now());
        let admit = |ms| connections.admit(3, start + Duration::from_millis(ms));
        let asked = admit(0).expect("room");
        drop(asked.answering());
        let busy = admit(1).expect("room");
        let answering = busy.answering();
        let silent = admit(2).expect("room");
        let next = admit(3).expect("the silent one gives way");
        assert!(silent.closed().now_or_never().is_some());
        assert!(asked.closed().now_or_never().is_none());
        drop(next.answering());
        drop(silent);
        assert_eq!(connections.open(), 3);
        let next_answering = next.answering();
        let _last = admit(4).expect("the one that rests gives way, though it has asked before");
        assert!(asked.closed().now_or_never().is_some());
        let last_answering = _last.answering();
        assert!(admit(5).is_none(), "all are busy");
        drop((answering, next_answering, last_answering, busy, next, _last, asked));
        assert_eq!(connections.open(), 0);
    }

    #[test]
    fn the_idle_are_closed_and_the_busy_are_not() {
        let connections = Connections::new();
        let idle = connections.admit(10, Instant::now()).expect("room");
        let busy = connections.admit(10, Instant::now()).expect("room");
        let _answering = busy.answering();
        connections.close_idle(Duration::from_secs(1), Instant::now());
        assert_eq!(connections.open(), 2);
        connections.close_idle(Duration::from_secs(1), Instant::now() + Duration::from_secs(5));
        assert!(idle.closed().now_or_never().is_some());
        assert!(busy.closed().now_or_never().is_none());
        assert_eq!(connections.open(), 1);
    }
}
