//! Posts that the viewer has seen.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::HistoryStore;
use crate::domain::{Feature, IdSet, PostId, Query};
use crate::engine::{Failure, QueryHydrator};

/// Reads what the viewer has seen lately; what the client says with the request comes first.
pub struct Impressions {
    /// History.
    pub history: Arc<dyn HistoryStore>,
    /// For how long a post counts as seen.
    pub window: Duration,
    /// How many posts are read at most, the client's included.
    pub limit: usize,
}

component!(Impressions, "impressions", "posts the viewer has seen, by history and by the client's own word");

impl Impressions {
    fn of_client<'a>(&self, query: &'a Query) -> impl Iterator<Item = PostId> + use<'a> {
        query.request.seen.iter().copied().take(self.limit)
    }
}

#[async_trait]
impl QueryHydrator<Query> for Impressions {
    type Output = IdSet<PostId>;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        let stored = self.history.impressions(query.viewer, query.now - self.window, self.limit);
        let seen = self.of_client(query).chain(stored);
        Ok(seen.take(self.limit).collect())
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        // When history is not there, the client's own word still is.
        let fallback = |_| Feature::Failed(Some(self.of_client(query).collect()));
        query.facts.impressions = found.map_or_else(fallback, Feature::Value);
    }
}
