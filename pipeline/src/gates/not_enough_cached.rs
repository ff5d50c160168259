//! The cache does not hold enough of a source's posts.

use crate::component;
use crate::domain::{Candidate, Query, SourceKind};
use crate::engine::Gate;

/// Open when fewer than `enough` posts of `source` are cached that the viewer has not seen.
pub struct NotEnoughCached {
    /// The source.
    pub source: SourceKind,
    /// How many are enough.
    pub enough: usize,
}

component!(NotEnoughCached, "not_enough_cached", "open when too few unseen posts of the source are cached");

impl Gate<Query, Candidate> for NotEnoughCached {
    fn is_open(&self, query: &Query, _earlier: &[Candidate]) -> bool {
        let cached = query.facts.cached.get().map_or(&[][..], |cached| cached);
        let seen = query.facts.impressions.get();
        let is_unseen = |id| seen.is_none_or(|seen| !seen.contains(id));
        let usable = cached.iter().filter(|post| post.source == self.source && is_unseen(post.post_id));
        usable.count() < self.enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CachedPost, Feature, Millis, PostId, RequestFacts, SuggestKind, UserId};

    #[test]
    fn it_closes_when_enough_unseen_posts_of_its_own_source_are_cached() {
        let cached = |id, source| CachedPost {
            post_id: PostId(id),
            author_id: UserId(1),
            source,
            suggest: SuggestKind::RankedTimeline,
            model_score: 1.0,
            probabilities: [0.0; 10],
            scored_at: Millis(0),
        };
        let mut query = Query::new(UserId(1), Millis(0), RequestFacts::default());
        let gate = NotEnoughCached { source: SourceKind::InNetwork, enough: 2 };
        assert!(gate.is_open(&query, &[]), "nothing known");
        let posts = vec![
            cached(1, SourceKind::InNetwork),
            cached(2, SourceKind::InNetwork),
            cached(3, SourceKind::Backfill),
        ];
        query.facts.cached = Feature::Value(posts.into());
        assert!(!gate.is_open(&query, &[]));
        query.facts.impressions = Feature::Value([PostId(2)].into_iter().collect());
        assert!(gate.is_open(&query, &[]), "a seen post does not count");
        assert!(NotEnoughCached { source: SourceKind::Backfill, enough: 2 }.is_open(&query, &[]));
    }
}
