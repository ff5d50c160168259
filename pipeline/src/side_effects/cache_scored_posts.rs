//! Keeps scores for the next minutes.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::ScoredPostsCache;
use crate::domain::{CachedPost, Candidate, Query, best_first};
use crate::engine::{Failure, Served, SideEffect};

/// Keeps the best posts that the model scored, served or not, with the model's own score: the factors belong to one
/// request, the score to some minutes. Posts out of the cache stay with the time they were scored at.
pub struct CacheScoredPosts {
    /// The cache.
    pub cache: Arc<dyn ScoredPostsCache>,
    /// How many posts are kept.
    pub max_posts: usize,
}

component!(
    CacheScoredPosts,
    "cache_scored_posts",
    "keeps the best scored posts, with the model's own score, for the next minutes"
);

#[async_trait]
impl SideEffect<Query, Candidate> for CacheScoredPosts {
    async fn run(&self, served: &Served<Query, Candidate>) -> Result<(), Failure> {
        let removed = served.removed.iter().map(|removed| &removed.candidate);
        let mut posts: Vec<CachedPost> = served.selected.iter().chain(removed).filter_map(entry).collect();
        posts.sort_by(|a, b| best_first(a.model_score, b.model_score));
        posts.truncate(self.max_posts);
        self.cache.put(served.query.viewer, posts);
        Ok(())
    }
}

fn entry(candidate: &Candidate) -> Option<CachedPost> {
    let model_score = *candidate.model_score.value()?;
    (model_score > 0.0 && model_score.is_finite()).then_some(CachedPost {
        post_id: candidate.post_id,
        author_id: candidate.author_id,
        source: candidate.first_source(),
        suggest: candidate.suggest,
        model_score,
        probabilities: *candidate.probabilities.value()?,
        scored_at: candidate.scored_at?,
    })
}
