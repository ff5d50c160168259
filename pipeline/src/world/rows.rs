//! What a world consists of, and whoever takes it row by row.

use serde::{Deserialize, Serialize};

use crate::domain::stores::{List, Relation, TieStrength};
pub use crate::domain::{Ad, BrandSafety};
use crate::domain::{Engagement, Post, PostCounts, TopicId, User, UserId, ViewerSettings};

/// A topic that posts are filed under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: String,
}

/// One user's embeddings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserEmbeddingRow {
    /// The user.
    pub user: UserId,
    /// Whom they follow, what they engage with, by whom they are followed: each of the world's width, or empty.
    pub dense: [Vec<f32>; 3],
    /// (community, strength), ascending by community.
    pub communities: Vec<(u32, f32)>,
}

/// A post with what is known of it beside its words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostRow {
    /// The post.
    pub post: Post,
    /// Its counts before the world's engagements.
    pub counts: PostCounts,
    /// (community, strength), ascending by community.
    pub communities: Vec<(u32, f32)>,
}

/// Takes a world's rows, in this order: users, relations, embeddings, lists, topics, posts, engagements by time, ties,
/// ads.
pub trait WorldSink {
    /// Why it takes no more.
    type Error;

    /// Takes a user with their settings.
    ///
    /// # Errors
    /// As the sink says; so do all others.
    fn user(&mut self, user: User, settings: ViewerSettings) -> Result<(), Self::Error>;

    /// Takes a relation.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn relation(&mut self, relation: Relation, from: UserId, to: UserId) -> Result<(), Self::Error>;

    /// Takes a user's embeddings.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn embeddings(&mut self, row: UserEmbeddingRow) -> Result<(), Self::Error>;

    /// Takes a list.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn list(&mut self, list: List) -> Result<(), Self::Error>;

    /// Takes a topic.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn topic(&mut self, topic: Topic) -> Result<(), Self::Error>;

    /// Takes a post.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn post(&mut self, row: &PostRow) -> Result<(), Self::Error>;

    /// Takes an engagement.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn engagement(&mut self, engagement: &Engagement) -> Result<(), Self::Error>;

    /// Takes a tie.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn tie(&mut self, viewer: UserId, author: UserId, strength: &TieStrength) -> Result<(), Self::Error>;

    /// Takes an ad.
    ///
    /// # Errors
    /// See [`WorldSink::user`].
    fn ad(&mut self, ad: Ad) -> Result<(), Self::Error>;
}
