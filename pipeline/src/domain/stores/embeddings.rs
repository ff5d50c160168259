//! Embeddings of users and posts.

use crate::domain::{DenseEmbedding, PostId, SparseEmbedding, UserId};

/// Embeddings of users and posts.
pub trait EmbeddingStore: Send + Sync {
    /// Width of the dense embeddings.
    fn width(&self) -> usize;

    /// Whom a user follows.
    fn follow(&self, user: UserId) -> Option<DenseEmbedding>;

    /// What a user engages with.
    fn engagement(&self, user: UserId) -> Option<DenseEmbedding>;

    /// By whom an author is followed.
    fn author(&self, author: UserId) -> Option<DenseEmbedding>;

    /// Which communities a user belongs to.
    fn user_communities(&self, user: UserId) -> Option<SparseEmbedding>;

    /// Which communities a post appeals to.
    fn post_communities(&self, post: PostId) -> Option<SparseEmbedding>;
}
