//! Scored posts of the last minutes, in memory only.

use std::sync::Arc;

use crate::domain::{CachedPost, Millis, UserId};

/// Scored posts by viewer. Loses everything with the process, and may forget at any time.
pub trait ScoredPostsCache: Send + Sync {
    /// What was last put for the viewer at or after `since`, entry by entry; empty when nothing was.
    fn get(&self, viewer: UserId, since: Millis) -> Arc<[CachedPost]>;

    /// Replaces what is kept for the viewer.
    fn put(&self, viewer: UserId, posts: Vec<CachedPost>);

    /// Forgets what is kept for the viewer, because what it was scored under no longer holds.
    fn clear(&self, viewer: UserId);
}
