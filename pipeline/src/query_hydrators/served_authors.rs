//! Whose posts the viewer was served lately.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::{HistoryStore, PostStore};
use crate::domain::{Feature, Query, UserId};
use crate::engine::{Failure, QueryHydrator};

/// Half-lives after which a served post no longer counts: it would count less than a two-hundredth.
const HALF_LIVES: u32 = 8;

/// Counts the posts that were served to the viewer on this kind of device, by who posted them: each by
/// `2^-(age / half-life)`.
pub struct ServedAuthors {
    /// What was served.
    pub history: Arc<dyn HistoryStore>,
    /// Posts, for their authors.
    pub posts: Arc<dyn PostStore>,
    /// The half-life.
    pub half_life: Duration,
}

component!(ServedAuthors, "served_authors", "whose posts were served lately, fading with time");

#[async_trait]
impl QueryHydrator<Query> for ServedAuthors {
    type Output = HashMap<UserId, f64>;

    async fn hydrate(&self, query: &Query) -> Result<HashMap<UserId, f64>, Failure> {
        let since = query.now - self.half_life * HALF_LIVES;
        let mut served = HashMap::new();
        for response in self.history.served(query.viewer, query.request.platform, since) {
            let age = query.now.since(response.at).as_secs_f64();
            let weight = (-age / self.half_life.as_secs_f64().max(1e-3)).exp2();
            for (post, _) in response.posts {
                if let Some((post, _)) = self.posts.get(post) {
                    *served.entry(post.author).or_default() += weight;
                }
            }
        }
        Ok(served)
    }

    fn apply(&self, query: &mut Query, found: Result<HashMap<UserId, f64>, &Failure>) {
        // Without it authors start anew: that is how it is when it is off.
        query.facts.served_authors = found.map_or(Feature::Failed(None), |served| Arc::new(served).into());
    }
}
