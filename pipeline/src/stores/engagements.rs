//! Who engaged with what in the last 24 hours, from both ends, in segments that rotate.
//!
//! An edge is sixteen bytes: the other end's id, and moment and kind in one word, so that sorting by that word sorts by
//! time. Edges lie in segments of three hours, or of fewer when one is full; what a segment holds is dropped with it, at
//! once, when all of it is over or when the graph is full. So memory is bounded by a number of edges whatever arrives,
//! dropping costs nothing a reader waits for, and between drops the graph shows exactly what came: a full graph shows
//! less of the day, never a sample of it.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use super::shards::{ShardedMap, ShardedSlots, read, write};
use crate::domain::stores::GraphEngagement;
use crate::domain::{Engagement, EngagementKind, Millis, PostId, UserId};

/// How long an engagement stays in the graph: 24 hours.
pub(super) const GRAPH_WINDOW_MS: i64 = 24 * 3_600_000;

/// Segments in the window.
const SEGMENTS: i64 = 8;

/// The longest time that one segment covers.
const SEGMENT_MS: i64 = GRAPH_WINDOW_MS / SEGMENTS;

/// Most edges of a graph by default. Both ends of an edge take 32 bytes, so these take a gibibyte.
pub(super) const DEFAULT_MAX_EDGES: usize = 1 << 25;

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

/// Adds an edge in order of time; of equal moments and kinds the last to come is the newest.
fn push(edges: &mut Vec<Edge>, edge: Edge) {
    let place = match edges.last() {
        Some(last) if last.stamp > edge.stamp => edges.partition_point(|other| other.stamp <= edge.stamp),
        _ => edges.len(),
    };
    edges.insert(place, edge);
}

/// What every new edge changes: apart from what every reader reads.
#[derive(Debug)]
#[repr(align(128))]
struct Counters {
    /// The newest moment of an edge.
    newest: AtomicI64,
    edges: AtomicUsize,
}

/// The edges of a stretch of time.
#[derive(Debug)]
struct Segment {
    /// The first moment that belongs here. The last one is before the next segment's first, and within three hours.
    start: i64,
    counters: Counters,
    by_user: ShardedSlots<Vec<Edge>>,
    by_post: ShardedMap<u64, Vec<Edge>>,
}

impl Segment {
    fn new(start: i64) -> Arc<Self> {
        Arc::new(Self {
            start,
            counters: Counters { newest: AtomicI64::new(start), edges: AtomicUsize::new(0) },
            by_user: ShardedSlots::default(),
            by_post: ShardedMap::default(),
        })
    }

    fn add(&self, Engagement { user, post, kind, at, .. }: Engagement, slot: u32) {
        self.by_user.update(slot, |edges| push(edges, Edge::new(post.0, kind, at)));
        self.by_post.update(post.0, |edges| push(edges, Edge::new(user.0, kind, at)));
        self.counters.newest.fetch_max(at.0, Ordering::Relaxed);
        self.counters.edges.fetch_add(1, Ordering::Relaxed);
    }

    fn len(&self) -> usize {
        self.counters.edges.load(Ordering::Relaxed)
    }
}

/// Adds a segment's newest edges since a moment, newest first, until there are `limit`.
fn collect(edges: Option<&Vec<Edge>>, since: Millis, limit: usize, into: &mut Vec<Edge>) {
    let edges = edges.map(Vec::as_slice).unwrap_or_default();
    let recent = edges.iter().rev().take_while(|edge| edge.at() >= since);
    into.extend(recent.take(limit.saturating_sub(into.len())));
}

/// The graph. One thread writes, many read.
#[derive(Debug)]
pub(super) struct Engagements {
    max_edges: usize,
    /// Ascending by time. Changed as a whole: a reader goes on with the list that it found.
    segments: RwLock<Arc<[Arc<Segment>]>>,
    /// From before this moment nothing is taken any more: its segment was dropped because the graph was full.
    floor: AtomicI64,
}

impl Default for Engagements {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_EDGES)
    }
}

impl Engagements {
    /// A graph of at most so many edges.
    pub(super) fn new(max_edges: usize) -> Self {
        Self { max_edges, segments: RwLock::new(Arc::from([])), floor: AtomicI64::new(i64::MIN) }
    }

    /// Changes how many edges there may be, and drops what is beyond.
    pub(super) fn set_max_edges(&mut self, max_edges: usize) {
        self.max_edges = max_edges;
        self.make_room(&mut self.list(), 0);
    }

    /// Number of edges that are kept, those that no reader is shown any more among them.
    pub(super) fn len(&self) -> usize {
        self.list().iter().map(|segment| segment.len()).sum()
    }

    /// From before this moment nothing is shown, because the graph was full.
    pub(super) fn floor(&self) -> Millis {
        Millis(self.floor.load(Ordering::Relaxed))
    }

    fn list(&self) -> Arc<[Arc<Segment>]> {
        Arc::clone(&read(&self.segments))
    }

    /// Records engagements, each with its user's slot, that happened after `since`.
    pub(super) fn record(&self, all: impl IntoIterator<Item = (Engagement, u32)>, since: Millis) {
        let mut segments = self.list();
        for (engagement, slot) in all {
            let at = engagement.at.0.max(0);
            if engagement.at < since || at < self.floor.load(Ordering::Relaxed) {
                continue;
            }
            let segment = self.segment(&mut segments, at, since);
            if self.make_room(&mut segments, 1) && at >= self.floor.load(Ordering::Relaxed) {
                segment.add(engagement, slot);
            }
        }
    }

    /// Changes the list.
    fn put(&self, list: &mut Arc<[Arc<Segment>]>, segments: impl Into<Arc<[Arc<Segment>]>>) {
        *list = segments.into();
        *write(&self.segments) = Arc::clone(list);
    }

    /// The segment of a moment, made when there is none. A new one is the time to drop those that are over.
    fn segment(&self, segments: &mut Arc<[Arc<Segment>]>, at: i64, since: Millis) -> Arc<Segment> {
        let after = segments.partition_point(|segment| segment.start <= at);
        let first = at - at % SEGMENT_MS;
        let mut start = first;
        if let Some(segment) = after.checked_sub(1).map(|place| &segments[place]).filter(|s| s.start >= first)
        {
            // The newest one is full: what comes now begins another. Late ones still go where they belong.
            let is_full = segment.len() >= (self.max_edges / SEGMENTS as usize).max(1);
            let may_rotate = after == segments.len() && at > segment.counters.newest.load(Ordering::Relaxed);
            if !(is_full && may_rotate) {
                return Arc::clone(segment);
            }
            start = at;
        }
        let fresh = Segment::new(start);
        let mut grown = segments.to_vec();
        drop_over(&mut grown, since);
        grown.insert(grown.partition_point(|segment| segment.start <= at), Arc::clone(&fresh));
        self.put(segments, grown);
        fresh
    }

    /// Drops the oldest segments until there is room for so many edges more; false when there cannot be.
    fn make_room(&self, segments: &mut Arc<[Arc<Segment>]>, more: usize) -> bool {
        let mut edges: usize = segments.iter().map(|segment| segment.len()).sum();
        let mut gone = 0;
        // The newest one stays: what belongs to the same moments is refused instead.
        while edges + more > self.max_edges && gone + 1 < segments.len() {
            edges -= segments[gone].len();
            gone += 1;
        }
        if gone > 0 {
            self.floor.fetch_max(segments[gone].start, Ordering::Relaxed);
            let left: Arc<[Arc<Segment>]> = segments[gone..].into();
            self.put(segments, left);
        }
        edges + more <= self.max_edges
    }

    /// What a user engaged with.
    pub(super) fn of_user(
        &self,
        user: UserId,
        slot: u32,
        since: Millis,
        limit: usize,
    ) -> Vec<GraphEngagement> {
        let edges = self.newest(since, limit, |segment, into| {
            segment.by_user.with(slot, |edges| collect(edges, since, limit, into));
        });
        let seen =
            |edge: Edge| GraphEngagement { user, post: PostId(edge.other), kind: edge.kind(), at: edge.at() };
        edges.into_iter().map(seen).collect()
    }

    /// Who engaged with a post.
    pub(super) fn of_post(&self, post: PostId, since: Millis, limit: usize) -> Vec<GraphEngagement> {
        let edges = self.newest(since, limit, |segment, into| {
            segment.by_post.with(&post.0, |edges| collect(edges, since, limit, into));
        });
        let seen =
            |edge: Edge| GraphEngagement { user: UserId(edge.other), post, kind: edge.kind(), at: edge.at() };
        edges.into_iter().map(seen).collect()
    }

    /// Shows who engaged with each of some posts, with the post's position: at most `limit` of each, newest first.
    pub(super) fn visit_posts(
        &self,
        posts: &[PostId],
        since: Millis,
        limit: usize,
        visit: &mut dyn FnMut(usize, UserId, EngagementKind),
    ) {
        let segments = self.list();
        let after = segments.partition_point(|segment| segment.start.saturating_add(SEGMENT_MS) <= since.0);
        for (position, post) in posts.iter().enumerate() {
            let mut left = limit;
            for segment in segments[after..].iter().rev() {
                if left == 0 {
                    break;
                }
                segment.by_post.with(&post.0, |edges| {
                    let edges = edges.map(Vec::as_slice).unwrap_or_default().iter().rev();
                    for edge in edges.take_while(|edge| edge.at() >= since).take(left) {
                        left -= 1;
                        visit(position, UserId(edge.other), edge.kind());
                    }
                });
            }
        }
    }

    /// What `look` adds of each segment that may have edges since a moment, the newest first, until there are `limit`.
    fn newest(&self, since: Millis, limit: usize, look: impl Fn(&Segment, &mut Vec<Edge>)) -> Vec<Edge> {
        let mut edges = Vec::new();
        for segment in self.list().iter().rev() {
            if edges.len() >= limit || segment.start.saturating_add(SEGMENT_MS) <= since.0 {
                break;
            }
            look(segment, &mut edges);
        }
        edges
    }

    /// Drops what the graph no longer shows.
    pub(super) fn sweep(&self, since: Millis) {
        let mut segments = self.list().to_vec();
        let before = segments.len();
        drop_over(&mut segments, since);
        if segments.len() < before {
            *write(&self.segments) = segments.into();
        }
    }
}

/// Drops segments of which every moment is before `since`.
fn drop_over(segments: &mut Vec<Arc<Segment>>, since: Millis) {
    segments.retain(|segment| segment.counters.newest.load(Ordering::Relaxed).max(segment.start) >= since.0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn event(user: u64, post: u64, kind: usize, at: i64) -> Engagement {
        let (user, post, author) = (UserId(user), PostId(post), UserId(9));
        Engagement { user, post, author, kind: EngagementKind::ALL[kind], at: Millis(at) }
    }

    #[test]
    fn segments_that_are_over_go_whole_also_when_nobody_sweeps() {
        let graph = Engagements::default();
        let hour = 3_600_000;
        for step in 0..10 * 24 * 4 {
            let at = NOW + step * hour / 4;
            graph.record([(event(1, step as u64, 0, at), 1)], Millis(at - GRAPH_WINDOW_MS));
            // A day of four an hour, and of the oldest segment what is over.
            assert!(graph.len() <= 24 * 4 + 3 * 4 + 1, "{} edges at step {step}", graph.len());
            assert!(graph.list().len() <= 1 + SEGMENTS as usize);
        }
        graph.sweep(Millis(NOW + 12 * 24 * hour));
        assert_eq!(graph.len(), 0);
    }

    #[test]
    fn one_moment_with_more_than_fits_is_cut_and_the_next_one_is_taken() {
        let graph = Engagements::new(8);
        (0..100).for_each(|post| graph.record([(event(1, post, 0, NOW), 1)], Millis(0)));
        assert_eq!(graph.len(), 8);
        graph.record([(event(1, 100, 0, NOW + 1), 1)], Millis(0));
        let shown = graph.of_user(UserId(1), 1, Millis(0), 100);
        assert_eq!(shown.iter().map(|edge| edge.post.0).collect::<Vec<_>>(), [100]);
        // What would lie before what was dropped stays out.
        graph.record([(event(1, 101, 0, NOW - 1), 1)], Millis(0));
        assert_eq!(graph.len(), 1);
    }

    proptest! {
        #[test]
        fn a_full_graph_shows_less_of_the_day_and_never_a_sample_of_it(
            steps in prop::collection::vec((0..4_u64, 0..5_u64, 1..2 * SEGMENT_MS), 1..300),
            max_edges in 1..64_usize,
        ) {
            let graph = Engagements::new(max_edges);
            let (mut at, mut twin) = (NOW, Vec::new());
            for (user, post, pause) in steps {
                at += pause / 20;
                let since = at - GRAPH_WINDOW_MS;
                graph.record([(event(user, post, 0, at), user as u32)], Millis(since));
                twin.push((at, user, post));
                prop_assert!(graph.len() <= max_edges);
                let mut shown: Vec<_> = (0..4).flat_map(|user| graph.of_user(UserId(user), user as u32, Millis(since), usize::MAX))
                    .map(|edge| (edge.at.0, edge.user.0, edge.post.0)).collect();
                shown.sort_unstable();
                let live: Vec<_> = twin.iter().copied().filter(|edge| edge.0 >= since).collect();
                prop_assert!(live.ends_with(&shown), "{shown:?} of {live:?}");
                // At most one segment of an eighth, or an edge, is missing from what fits.
                let least = live.len().min(max_edges - max_edges.div_ceil(8).min(max_edges - 1));
                prop_assert!(shown.len() >= least, "{} of {}, at most {max_edges}", shown.len(), live.len());
            }
        }

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
                graph.record([(event(user, post, kind, at.0), user as u32)], since);
                let kind = EngagementKind::ALL[kind];
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
                // Some posts at once, one of them twice, show what each of them shows alone.
                let posts = [3, 0, 4, 3].map(PostId);
                let mut shown = Vec::new();
                graph.visit_posts(&posts, since, limit, &mut |place, user, kind| shown.push((place, user, kind)));
                let alone = posts.iter().enumerate().flat_map(|(place, post)| {
                    graph.of_post(*post, since, limit).into_iter().map(move |edge| (place, edge.user, edge.kind))
                });
                prop_assert_eq!(shown, alone.collect::<Vec<_>>());
            }
        }
    }
}
