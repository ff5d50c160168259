//! When the viewer was last there.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::HistoryStore;
use crate::domain::{Feature, Millis, Query};
use crate::engine::{Failure, QueryHydrator};

/// Reads when the viewer last asked for a timeline, polls aside.
pub struct LastVisit {
    /// History.
    pub history: Arc<dyn HistoryStore>,
}

component!(LastVisit, "last_visit", "when the viewer last asked for a timeline, polls aside");

#[async_trait]
impl QueryHydrator<Query> for LastVisit {
    type Output = Option<Millis>;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        Ok(self.history.visits(query.viewer).first().copied())
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        query.facts.last_visit = found.map_or(Feature::Failed(None), Feature::Value);
    }
}
