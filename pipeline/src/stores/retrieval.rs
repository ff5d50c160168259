//! Posts by community, and videos by popularity, kept as engagements arrive.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::RwLock;

use super::postings::{Posting, Postings};
use super::shards::{ShardedMap, read, write};
use crate::domain::stores::popularity_weight;
use crate::domain::{EngagementKind, IdMap, Millis, PostId};

/// Half-life of a video's popularity.
const POPULARITY_HALF_LIFE_MS: f64 = 24.0 * 3_600_000.0;

/// Posts by community, ascending by id, which is by time.
#[derive(Debug, Default)]
pub(super) struct CommunityPosts {
    lists: ShardedMap<u32, Postings>,
}

impl CommunityPosts {
    /// Replaces a post's communities: leaves those that are only in `before`, enters or changes those of `after`.
    pub(super) fn replace(&self, post: PostId, before: &[(u32, f32)], after: &[(u32, f32)]) {
        for (community, _) in before.iter().filter(|old| after.iter().all(|new| new.0 != old.0)) {
            self.lists.update(*community, |list| list.remove(post));
        }
        let length = after.iter().map(|entry| entry.1 * entry.1).sum::<f32>().sqrt();
        for &(community, strength) in after {
            let posting = Posting { post: post.0, share: strength / length };
            self.lists.update(community, |list| list.set(posting));
        }
    }

    /// Shows a community's posts, newest first.
    pub(super) fn visit(&self, community: u32, since: PostId, visit: &mut dyn FnMut(PostId, f32)) {
        self.lists.with(&community, |list| {
            let newest = list.into_iter().flat_map(Postings::newest_first);
            let recent = newest.take_while(|posting| posting.post >= since.0);
            recent.for_each(|posting| visit(PostId(posting.post), posting.share));
        });
    }

    /// Forgets posts made before a moment.
    pub(super) fn sweep(&self, horizon: Millis) {
        let first = PostId::at(horizon);
        self.lists.for_each_shard(|shard| shard.retain(|_, list| list.forget_before(first)));
    }
}

/// Videos in order of popularity.
#[derive(Debug, Default)]
pub(super) struct PopularVideos {
    inner: RwLock<Ranking>,
}

#[derive(Debug, Default)]
struct Ranking {
    /// log2 of the popularity as of 1970. Logarithms, because the sum itself would leave the range of any float.
    scores: IdMap<u64, f64>,
    /// (score, post); scores are positive numbers, whose bits are in their order.
    order: BTreeSet<(u64, u64)>,
}

impl PopularVideos {
    /// Counts an engagement with a video.
    pub(super) fn record(&self, post: PostId, kind: EngagementKind, at: Millis) {
        let weight = popularity_weight(kind);
        if weight <= 0.0 || at.0 <= 0 {
            return;
        }
        let event = at.0 as f64 / POPULARITY_HALF_LIFE_MS + weight.log2();
        let mut ranking = write(&self.inner);
        let old = ranking.scores.get(&post.0).copied();
        let new = old.map_or(event, |old| {
            let (low, high) = if old < event { (old, event) } else { (event, old) };
            high + (1.0 + (low - high).exp2()).log2()
        });
        if let Some(old) = old {
            ranking.order.remove(&(old.to_bits(), post.0));
        }
        ranking.scores.insert(post.0, new);
        ranking.order.insert((new.to_bits(), post.0));
    }

    /// A video's score, as [`PopularVideos::put`] takes it.
    pub(super) fn score(&self, post: PostId) -> Option<f64> {
        read(&self.inner).scores.get(&post.0).copied()
    }

    /// Replaces a video's score.
    pub(super) fn put(&self, post: PostId, score: f64) {
        let mut ranking = write(&self.inner);
        if let Some(old) = ranking.scores.insert(post.0, score) {
            ranking.order.remove(&(old.to_bits(), post.0));
        }
        ranking.order.insert((score.to_bits(), post.0));
    }

    /// Shows videos, the most popular first.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(PostId, f64) -> ControlFlow<()>) {
        for (bits, post) in read(&self.inner).order.iter().rev() {
            if visit(PostId(*post), f64::from_bits(*bits)).is_break() {
                return;
            }
        }
    }

    /// Forgets videos.
    pub(super) fn forget(&self, gone: &[PostId]) {
        let mut ranking = write(&self.inner);
        for post in gone {
            if let Some(score) = ranking.scores.remove(&post.0) {
                ranking.order.remove(&(score.to_bits(), post.0));
            }
        }
    }
}

impl PopularVideos {
    /// Forgets videos that are over.
    pub(super) fn forget_posts(&self, is_over: impl Fn(u64) -> bool) {
        let gone: Vec<PostId> = read(&self.inner)
            .scores
            .keys()
            .filter(|post| is_over(**post))
            .map(|post| PostId(*post))
            .collect();
        self.forget(&gone);
    }
}

/// Most people that a community's list names.
const MAX_PEOPLE: usize = 500;

/// Slots of a community's members, the strongest first, of equal ones the first.
pub(super) fn members(memberships: &[(u32, (u32, f32))]) -> HashMap<u32, Vec<u32>> {
    let mut lists = HashMap::<u32, Vec<(u32, f32)>>::new();
    for &(slot, (community, strength)) in memberships {
        lists.entry(community).or_default().push((slot, strength));
    }
    let cut = |mut list: Vec<(u32, f32)>| {
        list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        list.truncate(MAX_PEOPLE);
        list.into_iter().map(|(slot, _)| slot).collect()
    };
    lists.into_iter().map(|(community, list)| (community, cut(list))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn videos_stand_in_the_order_of_their_decayed_sums(
            events in prop::collection::vec((0..6_u64, 0..EngagementKind::ALL.len(), 0..400_i64), 1..80),
        ) {
            let start = 1_700_000_000_000_i64;
            let videos = PopularVideos::default();
            let mut sums = HashMap::<u64, f64>::new();
            for (post, kind, hours) in events {
                let (kind, at) = (EngagementKind::ALL[kind], start + hours * 3_600_000);
                videos.record(PostId(post), kind, Millis(at));
                let weight = popularity_weight(kind);
                if weight > 0.0 {
                    *sums.entry(post).or_default() += weight * (hours as f64 / 24.0).exp2();
                }
            }
            let mut shown = Vec::new();
            videos.visit(&mut |post, _| {
                shown.push(post.0);
                ControlFlow::Continue(())
            });
            prop_assert_eq!(shown.len(), sums.len());
            for pair in shown.windows(2) {
                prop_assert!(sums[&pair[0]] >= sums[&pair[1]] * (1.0 - 1e-9));
            }
            videos.forget(&[PostId(0), PostId(3)]);
            let mut left = 0;
            videos.visit(&mut |post, _| {
                left += usize::from(post.0 != 0 && post.0 != 3);
                ControlFlow::Continue(())
            });
            prop_assert_eq!(left, sums.keys().filter(|post| **post != 0 && **post != 3).count());
        }

        #[test]
        fn a_community_shows_what_its_posts_have_now(
            changes in prop::collection::vec((0..8_u64, prop::collection::btree_map(0..5_u32, 0.1_f32..4.0, 0..4)), 0..40),
            since in 0..8_u64,
        ) {
            let index = CommunityPosts::default();
            let mut twin = HashMap::<u64, Vec<(u32, f32)>>::new();
            for (post, entries) in changes {
                let after: Vec<(u32, f32)> = entries.into_iter().collect();
                index.replace(PostId(post), twin.get(&post).map(Vec::as_slice).unwrap_or_default(), &after);
                twin.insert(post, after);
            }
            for community in 0..5 {
                let mut shown = Vec::new();
                index.visit(community, PostId(since), &mut |post, share| shown.push((post.0, share)));
                let mut expected: Vec<(u64, f32)> = twin.iter().filter(|(post, _)| **post >= since).filter_map(|(post, entries)| {
                    let length = entries.iter().map(|entry| entry.1 * entry.1).sum::<f32>().sqrt();
                    Some((*post, entries.iter().find(|entry| entry.0 == community)?.1 / length))
                }).collect();
                expected.sort_by_key(|entry| std::cmp::Reverse(entry.0));
                prop_assert_eq!(shown, expected);
            }
        }
    }
}
