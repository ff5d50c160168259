//! The viewer's account exists.

use std::sync::Arc;

use crate::component;
use crate::domain::Query;
use crate::domain::stores::UserStore;
use crate::engine::Gate;

/// Open when the viewer's account exists and is not withdrawn.
pub struct KnownViewer {
    /// Accounts.
    pub users: Arc<dyn UserStore>,
}

component!(KnownViewer, "known_viewer", "open when the viewer's account exists and is not withdrawn");

impl<C> Gate<Query, C> for KnownViewer {
    fn is_open(&self, query: &Query, _earlier: &[C]) -> bool {
        self.users.get(query.viewer).is_some_and(|user| !user.is_withdrawn)
    }
}
