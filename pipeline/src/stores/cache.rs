//! Scored posts of the last minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::shards::ShardedMap;
use crate::domain::stores::ScoredPostsCache;
use crate::domain::{CachedPost, Clock, Millis, UserId};

/// How long entries are worth their memory: longer than any reader's own limit of three minutes.
const KEEP_MS: i64 = 10 * 60_000;

/// After so many changes the expired entries are thrown out.
const CHANGES_PER_SWEEP: usize = 1_024;

/// Scored posts by viewer, in memory only.
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    viewers: ShardedMap<u64, Arc<[CachedPost]>>,
    changes: AtomicUsize,
}

impl MemoryCache {
    /// An empty cache.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, viewers: ShardedMap::default(), changes: AtomicUsize::new(0) }
    }

    /// Forgets viewers none of whose posts was scored lately.
    fn sweep(&self) {
        let horizon = Millis(self.clock.now().0.saturating_sub(KEEP_MS));
        self.viewers.for_each_shard(|shard| {
            shard.retain(|_, posts| posts.iter().any(|post| post.scored_at >= horizon));
        });
    }
}

impl ScoredPostsCache for MemoryCache {
    fn get(&self, viewer: UserId, since: Millis) -> Arc<[CachedPost]> {
        let Some(posts) = self.viewers.get(&viewer.0) else { return Arc::default() };
        if posts.iter().all(|post| post.scored_at >= since) {
            return posts;
        }
        posts.iter().filter(|post| post.scored_at >= since).cloned().collect()
    }

    fn put(&self, viewer: UserId, posts: Vec<CachedPost>) {
        self.viewers.insert(viewer.0, posts.into());
        if self.changes.fetch_add(1, Ordering::Relaxed) % CHANGES_PER_SWEEP == CHANGES_PER_SWEEP - 1 {
            self.sweep();
        }
    }

    fn clear(&self, viewer: UserId) {
        self.viewers.remove(&viewer.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, PostId, SourceKind, SuggestKind};

    fn scored(id: u64, at: i64) -> CachedPost {
        CachedPost {
            post_id: PostId(id),
            author_id: UserId(1),
            source: SourceKind::InNetwork,
            suggest: SuggestKind::RankedTimeline,
            model_score: 1.0,
            probabilities: [0.0; 10],
            scored_at: Millis(at),
        }
    }

    #[test]
    fn old_entries_are_not_given_out_and_cleared_ones_are_gone() {
        let cache = MemoryCache::new(Arc::new(ManualClock::new(Millis(1_000_000))));
        cache.put(UserId(7), vec![scored(1, 999_000), scored(2, 1_000_000)]);
        let ids =
            |since| cache.get(UserId(7), Millis(since)).iter().map(|post| post.post_id.0).collect::<Vec<_>>();
        assert_eq!(ids(0), [1, 2]);
        assert_eq!(ids(999_500), [2]);
        assert!(ids(1_000_001).is_empty());
        cache.clear(UserId(7));
        assert!(ids(0).is_empty());
    }

    #[test]
    fn viewers_who_stay_away_are_forgotten() {
        let clock = Arc::new(ManualClock::new(Millis(0)));
        let cache = MemoryCache::new(clock.clone());
        for viewer in 0..3 * CHANGES_PER_SWEEP as u64 {
            clock.set(Millis(viewer as i64 * 10_000));
            cache.put(UserId(viewer), vec![scored(1, viewer as i64 * 10_000)]);
        }
        assert!(cache.viewers.len() <= 2 * KEEP_MS as usize / 10_000, "{} viewers", cache.viewers.len());
    }
}
