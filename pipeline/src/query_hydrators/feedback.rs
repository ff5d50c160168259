//! What the viewer asked to see fewer of.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::FeedbackStore;
use crate::domain::{Feature, Feedback, Query};
use crate::engine::{Failure, QueryHydrator};

/// Reads the viewer's feedback as far back as it has an effect.
pub struct FeedbackHistory {
    /// Feedback.
    pub feedback: Arc<dyn FeedbackStore>,
    /// How far back it has an effect.
    pub window: Duration,
}

component!(FeedbackHistory, "feedback_history", "what the viewer asked to see fewer of");

#[async_trait]
impl QueryHydrator<Query> for FeedbackHistory {
    type Output = Vec<Feedback>;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        Ok(self.feedback.feedback(query.viewer, query.now - self.window))
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        query.facts.feedback = found.map_or(Feature::Failed(None), |history| Feature::Value(history.into()));
    }
}
