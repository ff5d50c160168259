//! How much accounts have to do with each other.

use crate::domain::{RealGraphScores, UserId};

/// The tie from one account to another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TieStrength {
    /// Predicted strength, 0..=1.
    pub score: f32,
    /// Likes given.
    pub favorites: f32,
    /// Replies given.
    pub replies: f32,
    /// Reposts and quotes given.
    pub reposts: f32,
    /// Mentions.
    pub mentions: f32,
    /// Posts opened.
    pub clicks: f32,
    /// Profile visits.
    pub profile_visits: f32,
    /// Days on which there was any interaction.
    pub active_days: f32,
    /// Days since the last one.
    pub days_since_last: f32,
}

/// Ties between accounts.
pub trait RealGraph: Send + Sync {
    /// The viewer's strongest ties, at most `limit`.
    fn strongest(&self, viewer: UserId, limit: usize) -> RealGraphScores;

    /// The tie from the viewer to each author, in order; none where there is none.
    fn ties(&self, viewer: UserId, authors: &[UserId]) -> Vec<Option<TieStrength>>;
}
