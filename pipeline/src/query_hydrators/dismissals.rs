//! Modules and prompts that the viewer closed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::FeedbackStore;
use crate::domain::{Dismissal, Feature, Query};
use crate::engine::{Failure, QueryHydrator};

/// Reads what the viewer closed, as far back as it has an effect.
pub struct Dismissals {
    /// Dismissals.
    pub feedback: Arc<dyn FeedbackStore>,
    /// How far back it has an effect.
    pub window: Duration,
}

component!(Dismissals, "dismissals", "modules and prompts the viewer closed");

#[async_trait]
impl QueryHydrator<Query> for Dismissals {
    type Output = Vec<Dismissal>;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        Ok(self.feedback.dismissals(query.viewer, query.now - self.window))
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        query.facts.dismissals =
            found.map_or(Feature::Failed(None), |dismissals| Feature::Value(dismissals.into()));
    }
}
