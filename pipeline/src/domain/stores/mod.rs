//! What components ask of stores, one trait for each store.
//!
//! The functions are plain, not async: an embedded store answers from memory, and what it was told is on disk before the
//! call returns. A team whose data lies behind a network call writes its own source or hydrator, whose functions are
//! async, and needs none of these.

mod aggregates;
mod cache;
mod embeddings;
mod engagement_graph;
mod feedback;
mod history;
mod lists;
mod posts;
mod real_graph;
mod retrieval;
mod social_graph;
mod users;

use std::sync::Arc;

pub use aggregates::{AggregateStore, Given, TallyKey};
pub use cache::ScoredPostsCache;
pub use embeddings::EmbeddingStore;
pub use engagement_graph::{EngagementGraph, GraphEngagement};
pub use feedback::FeedbackStore;
pub use history::HistoryStore;
pub use lists::{List, ListStore};
pub use posts::PostStore;
pub use real_graph::{RealGraph, TieStrength};
pub use retrieval::{RetrievalIndex, popularity_weight};
pub use social_graph::{Relation, SocialGraph};
pub use users::UserStore;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What was to be written contradicts what is stored.
    #[error("{store}: {operation} refused: {problem}")]
    Refused {
        /// The store's name.
        store: &'static str,
        /// What was asked.
        operation: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// The disk or the database below failed: nothing was written.
    #[error("{store}: {operation} failed: {problem}")]
    Failed {
        /// The store's name.
        store: &'static str,
        /// What was asked.
        operation: &'static str,
        /// The database's or the system's own words.
        problem: String,
    },
}

/// All stores that the components read, each replaceable by itself.
#[derive(Clone)]
pub struct Stores {
    /// Follows, blocks, mutes, subscriptions.
    pub graph: Arc<dyn SocialGraph>,
    /// Posts by author and by id.
    pub posts: Arc<dyn PostStore>,
    /// Accounts and settings.
    pub users: Arc<dyn UserStore>,
    /// Engagements of the last 24 hours.
    pub engagements: Arc<dyn EngagementGraph>,
    /// Counts of engagements.
    pub aggregates: Arc<dyn AggregateStore>,
    /// Ties between accounts.
    pub real_graph: Arc<dyn RealGraph>,
    /// Posts, people and videos to be found.
    pub retrieval: Arc<dyn RetrievalIndex>,
    /// Embeddings of users and posts.
    pub embeddings: Arc<dyn EmbeddingStore>,
    /// Lists of accounts.
    pub lists: Arc<dyn ListStore>,
    /// What viewers asked to see fewer of.
    pub feedback: Arc<dyn FeedbackStore>,
    /// What viewers were served and have seen.
    pub history: Arc<dyn HistoryStore>,
    /// Scored posts of the last minutes.
    pub cache: Arc<dyn ScoredPostsCache>,
}
