//! What viewers were served, what they have seen and when they came.
//!
//! Bounded twice: each viewer's logs by count, as they grow, and by age, also of viewers who never come back, when
//! stores are swept. In memory at once, on disk with the next group. Every entry carries the sequence number under which it is on disk,
//! so that what falls out of a limit here is deleted there, in the same group as the entry that pushed it out.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::Embedded;
use super::journal::Write;
use super::shards::ShardedMap;
use crate::domain::stores::{HistoryStore, StoreError};
use crate::domain::{Millis, Platform, PostId, ServedResponse, UserId};

/// Most served posts that are kept for a viewer and platform; older responses are dropped whole.
const MAX_SERVED_POSTS: usize = 1_800;

/// Most impressions that are kept for a viewer.
const MAX_IMPRESSIONS: usize = 5_000;

/// Most visits that are kept for a viewer.
const MAX_VISITS: usize = 10;

/// One entry of a viewer's history, as it is on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A served response.
    Served(Platform, ServedResponse),
    /// Posts seen at a moment.
    Seen(Millis, Vec<PostId>),
    /// A visit.
    Visit(Millis),
}

impl Entry {
    fn at(&self) -> Millis {
        match self {
            Self::Served(_, response) => response.at,
            Self::Seen(at, _) | Self::Visit(at) => *at,
        }
    }

    /// What it takes from its limit.
    fn weight(&self) -> usize {
        match self {
            Self::Served(_, response) => response.posts.len().max(1),
            Self::Seen(_, posts) => posts.len().max(1),
            Self::Visit(_) => 1,
        }
    }
}

/// Entries of one kind, oldest first, under one limit.
#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<(u64, Entry)>,
    weight: usize,
}

impl Log {
    /// Adds an entry and drops the oldest ones beyond `limit` and before `horizon`; the newest always stays. Returns
    /// the numbers of those dropped.
    fn push(&mut self, sequence: u64, entry: Entry, limit: usize, horizon: Millis) -> Vec<u64> {
        self.weight += entry.weight();
        let place = self.entries.partition_point(|(_, other)| other.at() <= entry.at());
        self.entries.insert(place, (sequence, entry));
        let mut dropped = Vec::new();
        while self.entries.len() > 1
            && (self.weight > limit || self.entries.front().is_some_and(|(_, entry)| entry.at() < horizon))
        {
            let Some((sequence, entry)) = self.entries.pop_front() else { break };
            self.weight -= entry.weight();
            dropped.push(sequence);
        }
        dropped
    }

    /// Drops the entries from before `horizon` and names them.
    fn forget(&mut self, horizon: Millis, mut dropped: impl FnMut(u64)) {
        let old = self.entries.partition_point(|(_, entry)| entry.at() < horizon);
        for (sequence, entry) in self.entries.drain(..old) {
            self.weight -= entry.weight();
            dropped(sequence);
        }
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
    }

    fn newest_first(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev().map(|(_, entry)| entry)
    }
}

#[derive(Debug, Default)]
struct ViewerHistory {
    /// By [`Platform`].
    served: [Log; 4],
    seen: Log,
    visits: Log,
}

impl ViewerHistory {
    fn is_empty(&self) -> bool {
        self.served.iter().chain([&self.seen, &self.visits]).all(|log| log.entries.is_empty())
    }
}

/// Before which moments history is forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) struct HistoryHorizons {
    /// Responses and visits.
    pub(super) served: Millis,
    /// Impressions.
    pub(super) seen: Millis,
}

/// All viewers' history in memory.
#[derive(Debug, Default)]
pub(super) struct History {
    viewers: ShardedMap<u64, ViewerHistory>,
    next_sequence: AtomicU64,
}

impl History {
    /// Adds an entry under the next number. Returns that number and those of entries that fell out.
    fn add(&self, viewer: UserId, entry: Entry, seen_horizon: Millis) -> (u64, Vec<u64>) {
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        (sequence, self.place(viewer, sequence, entry, seen_horizon))
    }

    /// Puts back an entry that was read from disk.
    pub(super) fn restore(&self, viewer: UserId, sequence: u64, entry: Entry) {
        self.next_sequence.fetch_max(sequence + 1, Ordering::Relaxed);
        self.place(viewer, sequence, entry, Millis(i64::MIN));
    }

    /// Forgets what is over, of viewers who stay away too. Returns viewer and number of what went.
    pub(super) fn sweep(&self, horizons: HistoryHorizons) -> Vec<(UserId, u64)> {
        let mut gone = Vec::new();
        self.viewers.for_each_shard(|shard| {
            shard.retain(|viewer, history| {
                let mut drop = |sequence| gone.push((UserId(*viewer), sequence));
                let ViewerHistory { served, seen, visits } = history;
                served.iter_mut().for_each(|log| log.forget(horizons.served, &mut drop));
                visits.forget(horizons.served, &mut drop);
                seen.forget(horizons.seen, &mut drop);
                !history.is_empty()
            });
        });
        gone
    }

    /// Number of entries.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let mut entries = 0;
        self.viewers.for_each_shard(|shard| {
            for history in shard.values() {
                let logs = history.served.iter().chain([&history.seen, &history.visits]);
                entries += logs.map(|log| log.entries.len()).sum::<usize>();
            }
        });
        entries
    }

    fn place(&self, viewer: UserId, sequence: u64, entry: Entry, seen_horizon: Millis) -> Vec<u64> {
        let forever = Millis(i64::MIN);
        self.viewers.update(viewer.0, |history| match &entry {
            Entry::Served(platform, _) => {
                let log = &mut history.served[*platform as usize];
                log.push(sequence, entry, MAX_SERVED_POSTS, forever)
            }
            Entry::Seen(..) => history.seen.push(sequence, entry, MAX_IMPRESSIONS, seen_horizon),
            Entry::Visit(_) => history.visits.push(sequence, entry, MAX_VISITS, forever),
        })
    }
}

impl Embedded {
    fn record_history(&self, viewer: UserId, entry: Entry) -> Result<(), StoreError> {
        let horizon = self.memory.history_horizons().seen;
        self.journal.check()?;
        let (sequence, dropped) = self.memory.history.add(viewer, entry.clone(), horizon);
        self.journal.defer(Write::History { viewer, sequence, entry, dropped })
    }
}

impl HistoryStore for Embedded {
    fn served(&self, viewer: UserId, platform: Platform, since: Millis) -> Vec<ServedResponse> {
        self.memory.history.viewers.with(&viewer.0, |history| {
            let Some(history) = history else { return Vec::new() };
            let log = history.served[platform as usize].newest_first();
            log.take_while(|entry| entry.at() >= since)
                .filter_map(|entry| match entry {
                    Entry::Served(_, response) => Some(response.clone()),
                    _ => None,
                })
                .collect()
        })
    }

    fn impressions(&self, viewer: UserId, since: Millis, limit: usize) -> Vec<PostId> {
        self.memory.history.viewers.with(&viewer.0, |history| {
            let Some(history) = history else { return Vec::new() };
            let mut listed = HashSet::new();
            let log = history.seen.newest_first().take_while(|entry| entry.at() >= since);
            log.flat_map(|entry| match entry {
                Entry::Seen(_, posts) => posts.as_slice(),
                _ => &[],
            })
            .copied()
            .filter(|post| listed.insert(*post))
            .take(limit)
            .collect()
        })
    }

    fn visits(&self, viewer: UserId) -> Vec<Millis> {
        self.memory.history.viewers.with(&viewer.0, |history| {
            history.map(|history| history.visits.newest_first().map(Entry::at).collect()).unwrap_or_default()
        })
    }

    fn record_served(
        &self,
        viewer: UserId,
        platform: Platform,
        response: ServedResponse,
    ) -> Result<(), StoreError> {
        self.record_history(viewer, Entry::Served(platform, response))
    }

    fn record_impressions(&self, viewer: UserId, posts: &[PostId], at: Millis) -> Result<(), StoreError> {
        if posts.is_empty() {
            return Ok(());
        }
        self.record_history(viewer, Entry::Seen(at, posts.to_vec()))
    }

    fn record_visit(&self, viewer: UserId, at: Millis) -> Result<(), StoreError> {
        self.record_history(viewer, Entry::Visit(at))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.journal.commit(Write::Flush).map(drop)
    }
}
