//! The viewer's embeddings.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::EmbeddingStore;
use crate::domain::{DenseEmbedding, Feature, Query, SparseEmbedding};
use crate::engine::{Failure, QueryHydrator};

/// Reads the viewer's three embeddings.
pub struct ViewerEmbeddings {
    /// Embeddings.
    pub embeddings: Arc<dyn EmbeddingStore>,
}

component!(ViewerEmbeddings, "viewer_embeddings", "the viewer's dense embeddings and communities");

#[async_trait]
impl QueryHydrator<Query> for ViewerEmbeddings {
    /// Whom the viewer follows, what the viewer engages with, the viewer's communities.
    type Output = (Option<DenseEmbedding>, Option<DenseEmbedding>, Option<SparseEmbedding>);

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        let viewer = query.viewer;
        Ok((
            self.embeddings.follow(viewer),
            self.embeddings.engagement(viewer),
            self.embeddings.user_communities(viewer),
        ))
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        let facts = &mut query.facts;
        match found {
            Ok((follow, engagement, communities)) => {
                facts.follow_embedding = Feature::Value(follow);
                facts.engagement_embedding = Feature::Value(engagement);
                facts.communities = Feature::Value(communities);
            }
            Err(_) => {
                facts.follow_embedding = Feature::Failed(Some(None));
                facts.engagement_embedding = Feature::Failed(Some(None));
                facts.communities = Feature::Failed(Some(None));
            }
        }
    }
}
