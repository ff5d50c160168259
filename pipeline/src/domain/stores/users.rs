//! Accounts and what they have set.

use std::sync::Arc;

use super::StoreError;
use crate::domain::{User, UserId, ViewerSettings};

/// Accounts and settings.
pub trait UserStore: Send + Sync {
    /// An account.
    fn get(&self, id: UserId) -> Option<Arc<User>>;

    /// An account's settings; none when there is no such account.
    fn settings(&self, id: UserId) -> Option<Arc<ViewerSettings>>;

    /// Adds an account or replaces it. On disk when the call returns.
    ///
    /// # Errors
    /// The disk fails.
    fn put(&self, user: User) -> Result<(), StoreError>;

    /// Replaces an account's settings. On disk when the call returns.
    ///
    /// # Errors
    /// There is no such account, or the disk fails.
    fn put_settings(&self, id: UserId, settings: ViewerSettings) -> Result<(), StoreError>;
}
