//! Who engaged with what: the last 24 hours as a graph.

use super::StoreError;
use crate::domain::{Engagement, EngagementKind, Millis, PostId, UserId};

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

/// The bipartite graph of users and posts over the last 24 hours.
pub trait EngagementGraph: Send + Sync {
    /// A user's engagements of the last 24 hours, newest first, at most `limit`.
    fn of_user(&self, user: UserId, limit: usize) -> Vec<GraphEngagement>;

    /// A post's engagements of the last 24 hours, newest first, at most `limit`.
    fn of_post(&self, post: PostId, limit: usize) -> Vec<GraphEngagement>;

    /// Shows engagements of the last 24 hours with each of `posts`, newest first, at most `limit` of each, with the
    /// post's position among `posts`.
    fn visit_posts(
        &self,
        posts: &[PostId],
        limit: usize,
        visit: &mut dyn FnMut(usize, UserId, EngagementKind),
    ) {
        for (position, post) in posts.iter().enumerate() {
            self.of_post(*post, limit).into_iter().for_each(|edge| visit(position, edge.user, edge.kind));
        }
    }

    /// Records engagements: graph, counts and the posts' own counts. On disk when the call returns.
    ///
    /// # Errors
    /// The disk fails, or one of them cannot be: a user who does not exist, a post by another author, a moment that has
    /// not come. Nothing was recorded then.
    fn record(&self, engagements: &[Engagement]) -> Result<(), StoreError>;
}
