//! What viewers were served and have seen.
//!
//! Written after the response and committed in groups: after a crash at most the last 100 ms may be missing. Everything
//! else that is stored is on disk before the caller hears of it.

use super::StoreError;
use crate::domain::{Millis, Platform, PostId, ServedResponse, UserId};

/// Served responses, impressions and visits.
pub trait HistoryStore: Send + Sync {
    /// Responses served to a viewer on a platform since `since`, newest first.
    fn served(&self, viewer: UserId, platform: Platform, since: Millis) -> Vec<ServedResponse>;

    /// Posts that a viewer has seen since `since`, newest first, at most `limit`.
    fn impressions(&self, viewer: UserId, since: Millis, limit: usize) -> Vec<PostId>;

    /// A viewer's visits that were no polls, newest first, at most ten.
    fn visits(&self, viewer: UserId) -> Vec<Millis>;

    /// Records a served response.
    ///
    /// # Errors
    /// The store is shut down, or an earlier group could not be written.
    fn record_served(
        &self,
        viewer: UserId,
        platform: Platform,
        response: ServedResponse,
    ) -> Result<(), StoreError>;

    /// Records posts that the viewer has seen.
    ///
    /// # Errors
    /// The store is shut down, or an earlier group could not be written.
    fn record_impressions(&self, viewer: UserId, posts: &[PostId], at: Millis) -> Result<(), StoreError>;

    /// Records a visit.
    ///
    /// # Errors
    /// The store is shut down, or an earlier group could not be written.
    fn record_visit(&self, viewer: UserId, at: Millis) -> Result<(), StoreError>;

    /// Waits until everything recorded so far is on disk.
    ///
    /// # Errors
    /// The disk fails.
    fn flush(&self) -> Result<(), StoreError>;
}
