//! Who engaged with what: the last 24 hours as a graph, all of it as counts.

use super::StoreError;
use crate::domain::{DecayedCounts, Engagement, EngagementKind, Millis, PostId, UserId};

/// One edge of the engagement graph, seen from either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphEngagement {
    /// Who engaged.
    pub user: UserId,
    /// With which post.
    pub post: PostId,
    /// In which way.
    pub kind: EngagementKind,
    /// When.
    pub at: Millis,
}

/// What engagements are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CountKey {
    /// Engagements that a post received.
    Post(PostId),
    /// Engagements that an author received.
    Author(UserId),
    /// Engagements that a viewer gave.
    Viewer(UserId),
    /// Engagements that a viewer gave to an author.
    ViewerAuthor(UserId, UserId),
}

/// The bipartite graph of users and posts over the last 24 hours, and decayed counts.
pub trait EngagementGraph: Send + Sync {
    /// A user's engagements of the last 24 hours, newest first, at most `limit`.
    fn of_user(&self, user: UserId, limit: usize) -> Vec<GraphEngagement>;

    /// A post's engagements of the last 24 hours, newest first, at most `limit`.
    fn of_post(&self, post: PostId, limit: usize) -> Vec<GraphEngagement>;

    /// Shows the counts of each key to `visit`, in order; none when nothing was ever counted. One call for all keys of
    /// a request, so that a store can lock and look up in its own best order.
    ///
    /// `visit` must not call the store: it may hold a lock.
    fn visit_counts(&self, keys: &[CountKey], visit: &mut dyn FnMut(usize, Option<&DecayedCounts>));

    /// Records engagements: graph, counts and the posts' own counts. On disk when the call returns.
    ///
    /// # Errors
    /// The disk fails; nothing was recorded then.
    fn record(&self, engagements: &[Engagement]) -> Result<(), StoreError>;
}
