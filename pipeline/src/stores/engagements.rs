//! Who engaged with what in the last 24 hours, from both ends.
//!
//! An edge is sixteen bytes: the other end's id, and moment and kind in one word, so that sorting by that word sorts by
//! time. Each end keeps its edges oldest first; the expired ones at the front are dropped when they are half of it.

use super::shards::{ShardedMap, ShardedSlots};
use crate::domain::stores::GraphEngagement;
use crate::domain::{Engagement, EngagementKind, Millis, PostId, UserId};

/// How long an engagement stays in the graph: 24 hours.
pub(super) const GRAPH_WINDOW_MS: i64 = 24 * 3_600_000;

/// Bits below the moment that hold the kind.
const KIND_BITS: u32 = 8;

#[derive(Clone, Copy, Debug)]
struct Edge {
    /// Id of the other end.
    other: u64,
    /// Moment and kind.
    stamp: u64,
}

impl Edge {
    fn new(other: u64, kind: EngagementKind, at: Millis) -> Self {
        Self { other, stamp: (at.0.max(0) as u64) << KIND_BITS | kind.index() as u64 }
    }

    fn at(self) -> Millis {
        Millis((self.stamp >> KIND_BITS) as i64)
    }

    fn kind(self) -> EngagementKind {
        let index = (self.stamp & ((1 << KIND_BITS) - 1)) as usize;
        EngagementKind::ALL.get(index).copied().unwrap_or(EngagementKind::Click)
    }
}

/// Adds an edge in order of time and drops what has expired when that is worth it.
fn push(edges: &mut Vec<Edge>, edge: Edge, since: Millis) {
    let place = match edges.last() {
        Some(last) if last.stamp > edge.stamp => edges.partition_point(|other| other.stamp <= edge.stamp),
        _ => edges.len(),
    };
    edges.insert(place, edge);
    if edges.len() >= 16 && edges[edges.len() / 2].at() < since {
        expire(edges, since);
    }
}

fn expire(edges: &mut Vec<Edge>, since: Millis) {
    let expired = edges.partition_point(|edge| edge.at() < since);
    edges.drain(..expired);
    if edges.capacity() > 4 * edges.len() + 16 {
        edges.shrink_to_fit();
    }
}

/// The newest edges since a moment, newest first.
fn newest(edges: Option<&Vec<Edge>>, since: Millis, limit: usize) -> Vec<Edge> {
    let edges = edges.map(Vec::as_slice).unwrap_or_default();
    edges.iter().rev().take_while(|edge| edge.at() >= since).take(limit).copied().collect()
}

/// The graph.
#[derive(Debug, Default)]
pub(super) struct Engagements {
    by_user: ShardedSlots<Vec<Edge>>,
    by_post: ShardedMap<u64, Vec<Edge>>,
}

impl Engagements {
    /// Records an engagement of the user at `slot`, when it happened after `since`.
    pub(super) fn record(&self, engagement: &Engagement, slot: u32, since: Millis) {
        let Engagement { user, post, kind, at, .. } = *engagement;
        if at >= since {
            self.by_user.update(slot, |edges| push(edges, Edge::new(post.0, kind, at), since));
            self.by_post.update(post.0, |edges| push(edges, Edge::new(user.0, kind, at), since));
        }
    }

    /// What a user engaged with.
    pub(super) fn of_user(
        &self,
        user: UserId,
        slot: u32,
        since: Millis,
        limit: usize,
    ) -> Vec<GraphEngagement> {
        let edges = self.by_user.with(slot, |edges| newest(edges, since, limit));
        let seen =
            |edge: Edge| GraphEngagement { user, post: PostId(edge.other), kind: edge.kind(), at: edge.at() };
        edges.into_iter().map(seen).collect()
    }

    /// Who engaged with a post.
    pub(super) fn of_post(&self, post: PostId, since: Millis, limit: usize) -> Vec<GraphEngagement> {
        let edges = self.by_post.with(&post.0, |edges| newest(edges, since, limit));
        let seen =
            |edge: Edge| GraphEngagement { user: UserId(edge.other), post, kind: edge.kind(), at: edge.at() };
        edges.into_iter().map(seen).collect()
    }

    /// Frees what the graph no longer shows.
    pub(super) fn sweep(&self, since: Millis) {
        self.by_user.for_each(|_, edges| expire(edges, since));
        self.by_post.for_each_shard(|shard| {
            shard.retain(|_, edges| {
                expire(edges, since);
                !edges.is_empty()
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    proptest! {
        #[test]
        fn both_ends_show_the_same_edges_newest_first(
            events in prop::collection::vec((0..4_u64, 0..5_u64, 0..14_usize, 0..30_i64), 0..200),
            limit in 0..20_usize,
        ) {
            let since = Millis(NOW - GRAPH_WINDOW_MS);
            let graph = Engagements::default();
            let mut twin = Vec::new();
            for (order, (user, post, kind, hours)) in events.into_iter().enumerate() {
                // Distinct moments, so that the order is one order only.
                let at = Millis(NOW - hours * 3_600_000 - order as i64);
                let kind = EngagementKind::ALL[kind];
                let author = UserId(9);
                let event = Engagement { user: UserId(user), post: PostId(post), author, kind, at };
                graph.record(&event, user as u32, since);
                twin.push(GraphEngagement { user: UserId(user), post: PostId(post), kind, at });
            }
            twin.retain(|edge| edge.at >= since);
            twin.sort_by_key(|edge| std::cmp::Reverse(edge.at));
            for is_swept in [false, true] {
                if is_swept {
                    graph.sweep(since);
                }
                for id in 0..5 {
                    let of_user = twin.iter().filter(|edge| edge.user.0 == id).take(limit).copied();
                    let of_post = twin.iter().filter(|edge| edge.post.0 == id).take(limit).copied();
                    let user = UserId(id);
                    prop_assert_eq!(graph.of_user(user, id as u32, since, limit), of_user.collect::<Vec<_>>());
                    prop_assert_eq!(graph.of_post(PostId(id), since, limit), of_post.collect::<Vec<_>>());
                }
            }
        }
    }
}
