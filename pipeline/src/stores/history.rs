//! What viewers were served, what they have seen and when they came.
//!
//! In memory at once, on disk with the next group. Every entry carries the sequence number under which it is on disk,
//! so that what falls out of a limit here is deleted there, in the same group as the entry that pushed it out.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
        let retention: Duration = self.memory.options.impression_retention;
        let horizon = self.memory.clock.now() - retention;
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
