//! Posts by author, newest first, and by id.
//!
//! Each author has one array of posts, ascending by id, which for snowflake ids is by time. An id leads to its author
//! by a map, and from there to the post by a binary search. Text and everything else of a post is packed
//! ([`super::post_codec`]); a reader gets it unpacked, which costs about as much as copying its text.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::post_codec::{created_at, decode, encode};
use super::shards::{ShardedMap, ShardedSlots};
use crate::domain::{EngagementKind, Millis, Post, PostCounts, PostId, PostTraits};

/// One post as it is kept.
#[derive(Debug)]
struct Entry {
    id: u64,
    counts: PostCounts,
    traits: PostTraits,
    packed: Box<[u8]>,
}

impl Entry {
    fn is_kept(&self, horizon: Millis) -> bool {
        created_at(&self.packed) >= horizon
    }
}

/// All posts in memory.
///
/// Posts from before a caller's `horizon` do not exist for it, whether they have been swept out yet or not.
#[derive(Debug, Default)]
pub(super) struct Posts {
    /// Slot of the author by post id. A deleted post has none.
    authors: ShardedMap<u64, u32>,
    /// Posts by author's slot, ascending by id.
    timelines: ShardedSlots<Vec<Entry>>,
}

impl Posts {
    /// Adds a post of the author at `slot`; false when its id is taken.
    pub(super) fn insert(&self, slot: u32, post: &Post, counts: PostCounts) -> bool {
        if self.authors.contains(&post.id.0) {
            return false;
        }
        let entry = Entry { id: post.id.0, counts, traits: PostTraits::of(post), packed: encode(post) };
        self.timelines.update(slot, |timeline| {
            let place = timeline.partition_point(|other| other.id < entry.id);
            timeline.insert(place, entry);
        });
        // Only now can it be found by its id: whoever finds it there finds it in the timeline too.
        self.authors.insert(post.id.0, slot);
        true
    }

    /// Takes a post out; whether it was there.
    pub(super) fn remove(&self, id: PostId) -> bool {
        let Some(slot) = self.authors.remove(&id.0) else { return false };
        self.timelines.update(slot, |timeline| {
            if let Ok(place) = timeline.binary_search_by_key(&id.0, |entry| entry.id) {
                timeline.remove(place);
            }
        });
        true
    }

    /// A post and its counts.
    pub(super) fn get(&self, id: PostId, horizon: Millis) -> Option<(Arc<Post>, PostCounts)> {
        let slot = self.authors.get(&id.0)?;
        self.timelines.with(slot, |timeline| {
            let timeline = timeline?;
            let place = timeline.binary_search_by_key(&id.0, |entry| entry.id).ok()?;
            let entry = &timeline[place];
            entry.is_kept(horizon).then(|| (Arc::new(decode(id, &entry.packed)), entry.counts))
        })
    }

    /// Whether there is a post of this id.
    pub(super) fn contains(&self, id: PostId) -> bool {
        self.authors.contains(&id.0)
    }

    /// The slot of a post's author.
    pub(super) fn author_slot(&self, id: PostId) -> Option<u32> {
        self.authors.get(&id.0)
    }

    /// Shows the posts of the author at `slot`, newest first.
    pub(super) fn visit(
        &self,
        slot: u32,
        horizon: Millis,
        visit: &mut dyn FnMut(&Arc<Post>, PostCounts) -> ControlFlow<()>,
    ) {
        self.timelines.with(slot, |timeline| {
            for entry in timeline.into_iter().flatten().rev().filter(|entry| entry.is_kept(horizon)) {
                let post = Arc::new(decode(PostId(entry.id), &entry.packed));
                if visit(&post, entry.counts).is_break() {
                    return;
                }
            }
        });
    }

    /// The slot of a post's author, and what engagements with it are told apart by.
    pub(super) fn traits(&self, id: PostId) -> Option<(u32, PostTraits)> {
        let slot = self.authors.get(&id.0)?;
        self.timelines.with(slot, |timeline| {
            let timeline = timeline?;
            let place = timeline.binary_search_by_key(&id.0, |entry| entry.id).ok()?;
            Some((slot, timeline[place].traits))
        })
    }

    /// Whether readers see how many engagements of a kind there were.
    pub(super) fn counts(kind: EngagementKind) -> bool {
        use EngagementKind::{Favorite, Quote, Reply, Repost};
        matches!(kind, Favorite | Reply | Repost | Quote)
    }

    /// Counts an engagement under a post, when the post is there and readers see that kind.
    pub(super) fn count(&self, id: PostId, kind: EngagementKind) {
        if !Self::counts(kind) {
            return;
        }
        let Some(slot) = self.authors.get(&id.0) else { return };
        self.timelines.update(slot, |timeline| {
            let Ok(place) = timeline.binary_search_by_key(&id.0, |entry| entry.id) else { return };
            let counts = &mut timeline[place].counts;
            let count = match kind {
                EngagementKind::Favorite => &mut counts.favorites,
                EngagementKind::Reply => &mut counts.replies,
                EngagementKind::Repost => &mut counts.reposts,
                EngagementKind::Quote => &mut counts.quotes,
                _ => return,
            };
            *count = count.saturating_add(1);
        });
    }

    /// Replaces the counts of a post that is there.
    pub(super) fn put_counts(&self, id: PostId, counts: PostCounts) {
        let Some(slot) = self.authors.get(&id.0) else { return };
        self.timelines.update(slot, |timeline| {
            if let Ok(place) = timeline.binary_search_by_key(&id.0, |entry| entry.id) {
                timeline[place].counts = counts;
            }
        });
    }

    /// The counts of a post, also of one that no reader is shown any more.
    pub(super) fn counts_of(&self, id: PostId) -> Option<PostCounts> {
        let slot = self.authors.get(&id.0)?;
        self.timelines.with(slot, |timeline| {
            let timeline = timeline?;
            let place = timeline.binary_search_by_key(&id.0, |entry| entry.id).ok()?;
            Some(timeline[place].counts)
        })
    }

    /// Frees the posts from before `horizon`, and returns their ids.
    pub(super) fn sweep(&self, horizon: Millis) -> Vec<PostId> {
        let mut gone = Vec::new();
        self.timelines.for_each(|_, timeline| {
            timeline.retain(|entry| {
                let kept = entry.is_kept(horizon);
                if !kept {
                    gone.push(PostId(entry.id));
                }
                kept
            });
        });
        for id in &gone {
            self.authors.remove(&id.0);
        }
        gone
    }

    /// Number of posts.
    pub(super) fn len(&self) -> usize {
        self.authors.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn ids_of(posts: &Posts, slot: u32, horizon: Millis) -> Vec<u64> {
        let mut ids = Vec::new();
        posts.visit(slot, horizon, &mut |post, _| {
            ids.push(post.id.0);
            ControlFlow::Continue(())
        });
        ids
    }

    fn post(id: u64, age_key: i64) -> Post {
        Post { id: PostId(id), created_at: Millis(age_key), text: format!("post {id}"), ..Post::default() }
    }

    proptest! {
        #[test]
        fn posts_behave_as_a_map_by_author(
            changes in prop::collection::vec((0..5_u32, 0..60_u64, 0..3_u8), 0..200),
            horizon in 0..70_i64,
        ) {
            let posts = Posts::default();
            let mut twin = BTreeMap::<u64, (u32, u32)>::new();
            for (slot, id, change) in changes {
                match change {
                    0 => {
                        let is_new = !twin.contains_key(&id);
                        prop_assert_eq!(posts.insert(slot, &post(id, id as i64), PostCounts::default()), is_new);
                        twin.entry(id).or_insert((slot, 0));
                    }
                    1 => prop_assert_eq!(posts.remove(PostId(id)), twin.remove(&id).is_some()),
                    _ => {
                        posts.count(PostId(id), EngagementKind::Favorite);
                        if let Some((_, favorites)) = twin.get_mut(&id) {
                            *favorites += 1;
                        }
                    }
                }
            }
            // Once hidden, once swept: what a reader sees is the same.
            let kept: BTreeMap<_, _> = twin.range(horizon as u64..).map(|(id, entry)| (*id, *entry)).collect();
            for is_swept in [false, true] {
                if is_swept {
                    prop_assert_eq!(posts.sweep(Millis(horizon)).len(), twin.len() - kept.len());
                    prop_assert_eq!(posts.len(), kept.len());
                }
                for slot in 0..5 {
                    let expected = kept.iter().rev().filter(|(_, entry)| entry.0 == slot).map(|(id, _)| *id);
                    prop_assert_eq!(ids_of(&posts, slot, Millis(horizon)), expected.collect::<Vec<_>>());
                }
                for id in 0..60 {
                    let favorites = posts.get(PostId(id), Millis(horizon)).map(|(post, counts)| {
                        assert_eq!(post.text, format!("post {id}"));
                        counts.favorites
                    });
                    prop_assert_eq!(favorites, kept.get(&id).map(|entry| entry.1));
                }
            }
        }
    }

    #[test]
    fn a_visitor_that_breaks_sees_no_more() {
        let posts = Posts::default();
        (0..10).for_each(|id| assert!(posts.insert(3, &post(id, 0), PostCounts::default())));
        let mut seen = 0;
        posts.visit(3, Millis(0), &mut |_, _| {
            seen += 1;
            if seen == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, 4);
    }
}
