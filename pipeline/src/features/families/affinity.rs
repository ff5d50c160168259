//! How near viewer, author and post are in the spaces of the embeddings.

use std::sync::Arc;

use super::standing::{cosine, top_share};
use crate::component;
use crate::domain::stores::EmbeddingStore;
use crate::domain::{Candidate, Query, SparseEmbedding};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Similarities of dense embeddings, and shapes of sparse ones.
pub struct AffinityFeatures {
    /// Embeddings.
    pub embeddings: Arc<dyn EmbeddingStore>,
}

component!(
    AffinityFeatures,
    "affinity",
    "similarity of viewer and author as embeddings, shape of the post's communities"
);

const CONTINUOUS: [&str; 12] = [
    "follow_author_cosine",
    "engagement_author_cosine",
    "author_own_cosine",
    "post_author_cosine",
    "post_top_share",
    "post_entropy",
    "author_top_share",
    "author_entropy",
    "shared_communities",
    "viewers_top_in_post",
    "posts_top_in_viewer",
    "authors_top_in_viewer",
];

impl FeatureFamily for AffinityFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("affinity", &CONTINUOUS)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let facts = &query.facts;
        let viewer = facts.communities.get_or(None).unwrap_or_default();
        let (follow, engagement) =
            (facts.follow_embedding.get_or(None), facts.engagement_embedding.get_or(None));
        for (index, candidate) in candidates.iter().enumerate() {
            let id = candidate.original_author_id();
            let author = self.embeddings.author(id);
            let near = |own: &Option<crate::domain::DenseEmbedding>| {
                own.as_ref().zip(author.as_ref()).map_or(0.0, |(a, b)| cosine(a, b))
            };
            let interest = self.embeddings.engagement(id);
            let post = self.embeddings.post_communities(candidate.original_id()).unwrap_or_default();
            let home = self.embeddings.user_communities(id).unwrap_or_default();
            rows.row(index).put_from(
                0,
                [
                    near(&follow),
                    near(&engagement),
                    near(&interest),
                    post.cosine(&home),
                    top_share(&post),
                    entropy(&post),
                    top_share(&home),
                    entropy(&home),
                    shared(&viewer, &post),
                    strength(&post, top(&viewer)),
                    strength(&viewer, top(&post)),
                    strength(&viewer, top(&home)),
                ],
            );
        }
        Ok(())
    }
}

/// The strongest community; of equal ones the first.
fn top(embedding: &SparseEmbedding) -> Option<u32> {
    let best = embedding.entries().iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|entry| entry.0)
}

fn strength(embedding: &SparseEmbedding, community: Option<u32>) -> f32 {
    let find = |community: u32| {
        let place = embedding.entries().binary_search_by_key(&community, |entry| entry.0).ok()?;
        Some(embedding.entries()[place].1)
    };
    community.and_then(find).unwrap_or(0.0)
}

fn shared(a: &SparseEmbedding, b: &SparseEmbedding) -> f32 {
    a.entries().iter().filter(|entry| strength(b, Some(entry.0)) > 0.0).count() as f32
}

/// Entropy of the strengths as shares, in bits.
fn entropy(embedding: &SparseEmbedding) -> f32 {
    let sum: f32 = embedding.entries().iter().map(|entry| entry.1).sum();
    let part = |entry: &(u32, f32)| entry.1 / sum;
    if sum > 0.0 {
        -embedding.entries().iter().map(|entry| part(entry) * part(entry).log2()).sum::<f32>()
    } else {
        0.0
    }
}
