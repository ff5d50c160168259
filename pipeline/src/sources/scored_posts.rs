//! The ranked posts of a recommendation pipeline, asked in-process.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Failure, RecommendationPipeline, Scope, Source};

/// Runs a recommendation pipeline within the same request and gives what it served.
pub struct ScoredPosts {
    /// The pipeline.
    pub pipeline: Arc<RecommendationPipeline<Query, Candidate>>,
}

component!(ScoredPosts, "scored_posts", "the ranked posts of the scored-posts pipeline, asked in-process");

#[async_trait]
impl Source<Query, Candidate> for ScoredPosts {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let outcome = self.pipeline.run(scope.run, Arc::new(query.clone())).await?;
        Ok(outcome.served.selected.clone())
    }
}
