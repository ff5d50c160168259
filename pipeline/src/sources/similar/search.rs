//! The posts nearest to an embedding of communities, by cosine.
//!
//! An inverted index: for each of the query's strongest communities, the strongest of its posts within the window are
//! taken, and what they share with the query is summed. Both limits make it approximate: a post that is weak in every
//! community of the query can be missed, and of a community with more posts than the limit the weak ones are not summed.
//! Where no limit bites the result is exact. Posts of a single community have the largest shares, so a limit cuts those
//! between two communities first, which a query between the same two wants most: it must be well above what a community
//! of usual size has in the window.

use std::time::Duration;

use crate::config::CommunitySearchConfig;
use crate::domain::stores::RetrievalIndex;
use crate::domain::{IdMap, Millis, PostId, SparseEmbedding};

/// The nearest posts with their cosines, nearest first, equal ones newest first.
pub fn nearest(
    index: &dyn RetrievalIndex,
    config: &CommunitySearchConfig,
    now: Millis,
    query: &SparseEmbedding,
) -> Vec<(PostId, f32)> {
    Search::new(index, config, now).nearest(query, 0.0, usize::MAX)
}

/// Searches for one request. Its queries are of like communities, so each community's posts are read and cut once; posts
/// are numbered as they are met, and a query sums into an array by number.
pub(super) struct Search<'a> {
    index: &'a dyn RetrievalIndex,
    config: &'a CommunitySearchConfig,
    since: Millis,
    /// Posts by number.
    posts: Vec<PostId>,
    numbers: IdMap<PostId, u32>,
    /// (number of the post, its share) by community.
    communities: IdMap<u32, Vec<(u32, f32)>>,
    /// By number; 0 between queries.
    sums: Vec<f32>,
}

impl<'a> Search<'a> {
    pub(super) fn new(index: &'a dyn RetrievalIndex, config: &'a CommunitySearchConfig, now: Millis) -> Self {
        Self {
            index,
            config,
            since: now - Duration::from_millis(config.max_age_ms),
            posts: Vec::new(),
            numbers: IdMap::default(),
            communities: IdMap::default(),
            sums: Vec::new(),
        }
    }

    /// At most `limit` nearest posts of at least this cosine, nearest first, equal ones newest first.
    pub(super) fn nearest(
        &mut self,
        query: &SparseEmbedding,
        least: f32,
        limit: usize,
    ) -> Vec<(PostId, f32)> {
        let mut strongest = query.entries().to_vec();
        strongest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        strongest.truncate(self.config.max_communities);
        for (community, _) in &strongest {
            self.read(*community);
        }
        let mut found = Vec::new();
        for (community, strength) in &strongest {
            let part = strength / query.norm();
            for &(number, share) in self.communities.get(community).into_iter().flatten() {
                let sum = &mut self.sums[number as usize];
                if *sum == 0.0 {
                    found.push(number);
                }
                *sum += part * share;
            }
        }
        // Strengths are positive, so a post is met for the first time where its sum is 0; one whose products vanish is
        // met again, at the same sum, and falls out as too far.
        let cosine = |number: u32| (self.posts[number as usize], self.sums[number as usize]);
        let mut near: Vec<(PostId, f32)> = found
            .iter()
            .map(|number| cosine(*number))
            .filter(|(_, sum)| *sum > 0.0 && *sum >= least)
            .collect();
        for number in found {
            self.sums[number as usize] = 0.0;
        }
        let order = |a: &(PostId, f32), b: &(PostId, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
        if near.len() > limit {
            near.select_nth_unstable_by(limit, order);
            near.truncate(limit);
        }
        near.sort_unstable_by(order);
        near
    }

    /// Reads a community's posts, when it was not read yet: the strongest within the window.
    fn read(&mut self, community: u32) {
        if self.communities.contains_key(&community) {
            return;
        }
        let mut postings = Vec::new();
        self.index.visit_posts(community, self.since, &mut |post, share| postings.push((post, share)));
        let limit = self.config.max_posts_per_community;
        if postings.len() > limit {
            // Equal shares are cut oldest first.
            let order = |a: &(PostId, f32), b: &(PostId, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
            postings.select_nth_unstable_by(limit, order);
            postings.truncate(limit);
        }
        let mut number = |post: PostId| {
            *self.numbers.entry(post).or_insert_with(|| {
                self.posts.push(post);
                self.posts.len() as u32 - 1
            })
        };
        let numbered = postings.into_iter().map(|(post, share)| (number(post), share)).collect();
        self.communities.insert(community, numbered);
        self.sums.resize(self.posts.len(), 0.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::UserId;

    /// Shares of posts by community.
    struct Index(BTreeMap<u32, BTreeMap<u64, f32>>);

    impl RetrievalIndex for Index {
        fn visit_posts(&self, community: u32, since: Millis, visit: &mut dyn FnMut(PostId, f32)) {
            let posts = self.0.get(&community).into_iter().flatten();
            let recent = posts.rev().filter(|(post, _)| **post >= since.0 as u64);
            recent.for_each(|(post, share)| visit(PostId(*post), *share));
        }

        fn people(&self, _community: u32, _limit: usize) -> Vec<UserId> {
            Vec::new()
        }

        fn visit_popular_videos(&self, _visit: &mut dyn FnMut(PostId, f64) -> ControlFlow<()>) {}
    }

    proptest! {
        #[test]
        fn queries_of_one_request_do_not_disturb_each_other(
            shares in prop::collection::btree_map(0..6_u32, prop::collection::btree_map(0..40_u64, 0.01_f32..1.0, 0..30), 0..6),
            queries in prop::collection::vec((prop::collection::vec((0..7_u32, 0.1_f32..3.0), 0..5), 0.0_f32..0.8, 0..20_usize), 1..8),
            max_communities in 1..6_usize,
            max_posts_per_community in 1..40_usize,
        ) {
            let (index, now) = (Index(shares), Millis(5));
            let config = CommunitySearchConfig { max_communities, max_posts_per_community, max_age_ms: 0 };
            let mut search = Search::new(&index, &config, now);
            for (entries, least, limit) in queries {
                let query = SparseEmbedding::new(entries);
                // The plain way: every post's products in the order of the communities.
                let mut communities = query.entries().to_vec();
                communities.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                communities.truncate(max_communities);
                let mut sums = BTreeMap::<u64, f32>::new();
                for (community, strength) in communities {
                    let mut posts: Vec<(u64, f32)> = index.0.get(&community).into_iter().flatten()
                        .map(|(post, share)| (*post, *share)).filter(|(post, _)| *post >= 5).collect();
                    posts.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
                    posts.truncate(max_posts_per_community);
                    for (post, share) in posts {
                        *sums.entry(post).or_default() += strength / query.norm() * share;
                    }
                }
                let mut expected: Vec<(PostId, f32)> =
                    sums.into_iter().filter(|(_, sum)| *sum >= least).map(|(post, sum)| (PostId(post), sum)).collect();
                expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
                expected.truncate(limit);
                prop_assert_eq!(search.nearest(&query, least, limit), expected);
            }
        }
    }
}
