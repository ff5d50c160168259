//! Posts that were lately served to the viewer on this platform.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::HistoryStore;
use crate::domain::{Feature, IdSet, PostId, Query};
use crate::engine::{Failure, QueryHydrator};

/// Reads what was lately served to the viewer on this platform, with what reposts passed on.
pub struct ServedPosts {
    /// History.
    pub history: Arc<dyn HistoryStore>,
    /// How far back it reads.
    pub window: Duration,
    /// How many ids of each response it reads, those of reposted posts included.
    pub per_response: usize,
}

component!(ServedPosts, "served_posts", "posts lately served to the viewer on this platform");

#[async_trait]
impl QueryHydrator<Query> for ServedPosts {
    type Output = IdSet<PostId>;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        let responses = self.history.served(query.viewer, query.request.platform, query.now - self.window);
        let ids = responses.iter().flat_map(|response| {
            let pairs = response.posts.iter().flat_map(|&(id, original)| [Some(id), original]);
            pairs.flatten().take(self.per_response)
        });
        Ok(ids.collect())
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        query.facts.served = found.map_or(Feature::Failed(None), Feature::Value);
    }
}
