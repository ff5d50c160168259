//! Lists of accounts.

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::{ListId, UserId};

/// A list of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct List {
    /// Snowflake id.
    pub id: ListId,
    /// Who keeps it.
    pub owner: UserId,
    /// Its name.
    pub name: String,
    /// Whose posts it shows.
    pub members: Vec<UserId>,
    /// Who reads it.
    pub subscribers: Vec<UserId>,
}

/// Lists of accounts.
pub trait ListStore: Send + Sync {
    /// A list.
    fn get(&self, id: ListId) -> Option<List>;

    /// The lists that a user owns or subscribes to, owned ones first, at most `limit`.
    fn of_user(&self, user: UserId, limit: usize) -> Vec<ListId>;

    /// Adds a list or replaces it. On disk when the call returns.
    ///
    /// # Errors
    /// The disk fails.
    fn put(&self, list: List) -> Result<(), StoreError>;
}
