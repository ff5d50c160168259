//! What viewers asked to see fewer of.

use super::StoreError;
use crate::domain::{Dismissal, Feedback, Millis, UserId};

/// Feedback and dismissals.
pub trait FeedbackStore: Send + Sync {
    /// A viewer's feedback since `since`, oldest first.
    fn feedback(&self, viewer: UserId, since: Millis) -> Vec<Feedback>;

    /// A viewer's dismissals since `since`, oldest first.
    fn dismissals(&self, viewer: UserId, since: Millis) -> Vec<Dismissal>;

    /// Records feedback. On disk when the call returns.
    ///
    /// # Errors
    /// The disk fails.
    fn record_feedback(&self, feedback: Feedback) -> Result<(), StoreError>;

    /// Records a dismissal. On disk when the call returns.
    ///
    /// # Errors
    /// The disk fails.
    fn record_dismissal(&self, dismissal: Dismissal) -> Result<(), StoreError>;

    /// Takes back all that the viewer said of this kind about this account, and where a post is named, of this post.
    /// Returns whether there was any. On disk when the call returns.
    ///
    /// # Errors
    /// The disk fails.
    fn withdraw_feedback(&self, feedback: Feedback) -> Result<bool, StoreError>;

    /// Takes back the viewer's newest dismissal of this module. Returns whether there was one. On disk when the call
    /// returns.
    ///
    /// # Errors
    /// The disk fails.
    fn withdraw_dismissal(&self, dismissal: Dismissal) -> Result<bool, StoreError>;
}
