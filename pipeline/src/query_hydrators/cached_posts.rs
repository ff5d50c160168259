//! Posts that were scored for the viewer within the cache's time to live.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::ScoredPostsCache;
use crate::domain::{CachedPost, Feature, Query};
use crate::engine::{Failure, QueryHydrator};

/// Reads the cache of scored posts.
pub struct CachedPosts {
    /// The cache.
    pub cache: Arc<dyn ScoredPostsCache>,
    /// How old a score may be.
    pub time_to_live: Duration,
}

component!(CachedPosts, "cached_posts", "posts scored for the viewer within the cache's time to live");

#[async_trait]
impl QueryHydrator<Query> for CachedPosts {
    type Output = Arc<[CachedPost]>;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        let oldest = query.now - self.time_to_live;
        let cached = self.cache.get(query.viewer, oldest);
        // A score from the future is one from before the clock was set back: its age is not known.
        let is_usable = |post: &CachedPost| post.scored_at >= oldest && post.scored_at <= query.now;
        if cached.iter().all(is_usable) {
            return Ok(cached);
        }
        Ok(cached.iter().filter(|post| is_usable(post)).cloned().collect())
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        query.facts.cached = found.map_or(Feature::Failed(None), Feature::Value);
    }
}
