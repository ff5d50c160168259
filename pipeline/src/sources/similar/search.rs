//! The posts nearest to an embedding of communities, by cosine.
//!
//! An inverted index: for each of the query's strongest communities, the strongest of its posts within the window are
//! taken, and what they share with the query is summed. Both limits make it approximate: a post that is weak in every
//! community of the query can be missed, and of a community with more posts than the limit the weak ones are not summed.
//! Where no limit bites the result is exact. Posts of a single community have the largest shares, so a limit cuts those
//! between two communities first, which a query between the same two wants most: it must be well above what a community
//! of usual size has in the window.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::CommunitySearchConfig;
use crate::domain::stores::RetrievalIndex;
use crate::domain::{Millis, PostId, SparseEmbedding};

/// The nearest posts with their cosines, nearest first, equal ones newest first.
pub fn nearest(
    index: &dyn RetrievalIndex,
    config: &CommunitySearchConfig,
    now: Millis,
    query: &SparseEmbedding,
) -> Vec<(PostId, f32)> {
    let since = now - Duration::from_millis(config.max_age_ms);
    let mut strongest = query.entries().to_vec();
    strongest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    strongest.truncate(config.max_communities);
    let mut sums = HashMap::<PostId, f32>::new();
    let mut postings = Vec::new();
    for (community, strength) in strongest {
        postings.clear();
        index.visit_posts(community, since, &mut |post, share| postings.push((post, share)));
        let limit = config.max_posts_per_community;
        if postings.len() > limit {
            // Equal shares are cut oldest first.
            let order = |a: &(PostId, f32), b: &(PostId, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
            postings.select_nth_unstable_by(limit, order);
            postings.truncate(limit);
        }
        let part = strength / query.norm();
        for (post, share) in &postings {
            *sums.entry(*post).or_default() += part * share;
        }
    }
    let mut found: Vec<(PostId, f32)> = sums.into_iter().collect();
    found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    found
}
