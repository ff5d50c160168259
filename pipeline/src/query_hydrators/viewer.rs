//! The viewer's account and settings.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::UserStore;
use crate::domain::{Feature, Query, User, ViewerSettings};
use crate::engine::{Failure, QueryHydrator};

/// Reads the viewer's account and settings.
pub struct Viewer {
    /// Accounts.
    pub users: Arc<dyn UserStore>,
}

component!(Viewer, "viewer", "the viewer's account and settings");

#[async_trait]
impl QueryHydrator<Query> for Viewer {
    type Output = (Arc<User>, Arc<ViewerSettings>);

    fn enabled(&self, query: &Query) -> bool {
        query.facts.user.value().is_none()
    }

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        let unknown = || Failure::rejected("viewer", format_args!("there is no account {}", query.viewer));
        let user = self.users.get(query.viewer).ok_or_else(unknown)?;
        let settings = self.users.settings(query.viewer).unwrap_or_default();
        Ok((user, settings))
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        let (user, settings) = match found {
            Ok((user, settings)) => (Feature::Value(user), Feature::Value(settings)),
            Err(_) => (Feature::Failed(None), Feature::Failed(None)),
        };
        query.facts.user = user;
        query.facts.settings = settings;
    }
}
