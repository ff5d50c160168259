//! Indexes that find what a viewer does not know to ask for.

use std::ops::ControlFlow;

use crate::domain::{Millis, PostId, UserId};

/// Posts and people by community, and videos by popularity.
pub trait RetrievalIndex: Send + Sync {
    /// Shows the posts made at or after `since` that appeal to a community to `visit`, newest first, each with its
    /// strength there divided by the length of its whole embedding: a cosine's share.
    ///
    /// `visit` must not call the store: it may hold a lock.
    fn visit_posts(&self, community: u32, since: Millis, visit: &mut dyn FnMut(PostId, f32));

    /// People of a community, the strongest members first, at most `limit`.
    fn people(&self, community: u32, limit: usize) -> Vec<UserId>;

    /// Shows videos to `visit`, the most popular first, until it breaks. A video's popularity is the sum of what was done
    /// with it, by [`popularity_weight`], halved every 24 hours; it is shown as its binary logarithm as of 1970, which
    /// orders videos the same way at every moment.
    ///
    /// `visit` must not call the store: it may hold a lock.
    fn visit_popular_videos(&self, visit: &mut dyn FnMut(PostId, f64) -> ControlFlow<()>);
}

/// How much a kind of engagement says for a video's popularity.
pub fn popularity_weight(kind: crate::domain::EngagementKind) -> f64 {
    use crate::domain::EngagementKind as Kind;
    match kind {
        Kind::Favorite | Kind::VideoHalf => 1.0,
        Kind::Repost | Kind::Quote | Kind::Reply | Kind::Share => 2.0,
        _ => 0.0,
    }
}
