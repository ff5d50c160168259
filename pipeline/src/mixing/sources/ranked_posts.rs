//! The ranked posts of a recommendation pipeline, asked in-process, replies under what they answer.

use std::sync::Arc;

use async_trait::async_trait;

use super::conversations::open_conversations;
use crate::component;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Query};
use crate::engine::{Failure, RecommendationPipeline, Scope, Source};
use crate::mixing::Item;

/// Runs a recommendation pipeline within the same request and gives what it served, best first.
pub struct RankedPosts {
    /// The ranking.
    pub pipeline: Arc<RecommendationPipeline<Query, Candidate>>,
    /// Posts.
    pub posts: Arc<dyn PostStore>,
}

component!(
    RankedPosts,
    "scored_posts",
    "the ranked posts of the scored-posts pipeline, asked in-process, replies under what they answer"
);

#[async_trait]
impl Source<Query, Item> for RankedPosts {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let outcome = self.pipeline.run(scope.run, Arc::new(query.clone())).await?;
        Ok(open_conversations(&*self.posts, query, outcome.served.selected.clone()))
    }
}
