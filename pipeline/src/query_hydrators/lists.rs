//! The viewer's lists.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::ListStore;
use crate::domain::{Feature, ListId, Query};
use crate::engine::{Failure, QueryHydrator};

/// Reads which lists the viewer owns or subscribes to.
pub struct Lists {
    /// Lists.
    pub lists: Arc<dyn ListStore>,
    /// How many.
    pub limit: usize,
}

component!(Lists, "lists", "lists the viewer owns or subscribes to");

#[async_trait]
impl QueryHydrator<Query> for Lists {
    type Output = Vec<ListId>;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        Ok(self.lists.of_user(query.viewer, self.limit))
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        query.facts.lists = found.map_or(Feature::Failed(None), |lists| Feature::Value(lists.into()));
    }
}
