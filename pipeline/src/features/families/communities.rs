//! How near post and author are to the viewer's communities.

use std::sync::Arc;

use crate::component;
use crate::domain::stores::EmbeddingStore;
use crate::domain::{Candidate, Query, SparseEmbedding};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Similarities in community space.
pub struct CommunityFeatures {
    /// Embeddings.
    pub embeddings: Arc<dyn EmbeddingStore>,
}

component!(CommunityFeatures, "communities", "similarity of viewer, post and author in community space");

const CONTINUOUS: [&str; 8] = [
    "post_cosine",
    "post_dot",
    "post_norm",
    "post_communities",
    "author_cosine",
    "author_dot",
    "author_norm",
    "author_communities",
];

impl FeatureFamily for CommunityFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("communities", &CONTINUOUS)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let viewer = query.facts.communities.get_or(None).unwrap_or_default();
        let against = |other: Option<SparseEmbedding>| {
            other.map_or([0.0; 4], |other| {
                let dot = viewer.dot(&other);
                let length = viewer.norm() * other.norm();
                let cosine = if length > 0.0 { dot / length } else { 0.0 };
                [cosine, dot, other.norm(), other.entries().len() as f32]
            })
        };
        for (index, candidate) in candidates.iter().enumerate() {
            let mut row = rows.row(index);
            row.put_from(0, against(self.embeddings.post_communities(candidate.original_id())));
            row.put_from(4, against(self.embeddings.user_communities(candidate.original_author_id())));
        }
        Ok(())
    }
}
