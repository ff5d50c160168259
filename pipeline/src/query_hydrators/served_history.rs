//! What was lately served to the viewer of this timeline on this platform.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::HistoryStore;
use crate::domain::{Feature, IdSet, PostId, Query, ServedResponse};
use crate::engine::{Failure, QueryHydrator};
use crate::side_effects::Announced;

/// Reads what was served of this timeline: the responses as far back as any rule looks, and the posts of those that
/// count as "a moment ago".
///
/// In a ranked timeline these are the responses of the last minutes; on later pages of any timeline those of the same
/// session as well, however long it takes. Responses whose recording is still under way are read where they were
/// announced, so the next request misses none.
pub struct ServedHistory {
    /// History.
    pub history: Arc<dyn HistoryStore>,
    /// What was served and is not recorded yet.
    pub announced: Arc<Announced>,
    /// How far back responses are read.
    pub window: Duration,
    /// How far back a post counts as served a moment ago.
    pub moment: Duration,
    /// How many ids of each response count, those of reposted posts included.
    pub per_response: usize,
}

component!(ServedHistory, "served_history", "what was lately served of this timeline on this platform");

#[async_trait]
impl QueryHydrator<Query> for ServedHistory {
    type Output = (Arc<[ServedResponse]>, IdSet<PostId>);

    fn enabled(&self, query: &Query) -> bool {
        query.facts.history.value().is_none()
    }

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        let (viewer, platform) = (query.viewer, query.request.platform);
        let timeline = query.request.timeline;
        let mut responses = self.announced.of(viewer, platform);
        let recorded = self.history.served(viewer, platform, query.now - self.window);
        let is_new = |response: &ServedResponse| {
            !responses
                .iter()
                .any(|announced| announced.request_id == response.request_id && announced.at == response.at)
        };
        let recorded: Vec<_> = recorded.into_iter().filter(is_new).collect();
        responses.extend(recorded);
        responses.retain(|response| response.timeline == timeline);
        Ok(self.found(query, responses))
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        // Without the store, what this process itself has just served is still known.
        let (history, served) = match found {
            Ok((history, served)) => (Feature::Value(history), Feature::Value(served)),
            Err(_) => {
                let mut responses = self.announced.of(query.viewer, query.request.platform);
                responses.retain(|response| response.timeline == query.request.timeline);
                let (history, served) = self.found(query, responses);
                (Feature::Failed(Some(history)), Feature::Failed(Some(served)))
            }
        };
        query.facts.history = history;
        query.facts.served = served;
    }
}

impl ServedHistory {
    fn found(&self, query: &Query, responses: Vec<ServedResponse>) -> (Arc<[ServedResponse]>, IdSet<PostId>) {
        let oldest = query.now - self.moment;
        let session = query.request.session;
        let counts = |response: &&ServedResponse| {
            (session != 0 && response.session == session)
                || (!response.timeline.is_chronological() && response.at >= oldest)
        };
        let ids = responses.iter().filter(counts).flat_map(|response| {
            let pairs = response.posts.iter().flat_map(|&(id, original)| [Some(id), original]);
            // Of its own session a page must repeat nothing, however much a response had.
            let is_own = session != 0 && response.session == session;
            pairs.flatten().take(if is_own { usize::MAX } else { self.per_response })
        });
        let served = ids.collect();
        (responses.into(), served)
    }
}
