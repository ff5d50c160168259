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
}
