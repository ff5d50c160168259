//! Keeps what the client says its reader has seen.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::Query;
use crate::domain::stores::HistoryStore;
use crate::engine::{Failure, PipelineCandidate, Served, SideEffect};

/// Records the posts that came with the request as seen.
pub struct RecordImpressions {
    /// History.
    pub history: Arc<dyn HistoryStore>,
}

component!(RecordImpressions, "record_impressions", "records what the client says its reader has seen");

#[async_trait]
impl<C: PipelineCandidate> SideEffect<Query, C> for RecordImpressions {
    fn enabled(&self, served: &Served<Query, C>) -> bool {
        !served.query.request.seen.is_empty()
    }

    async fn run(&self, served: &Served<Query, C>) -> Result<(), Failure> {
        let query = &served.query;
        self.history
            .record_impressions(query.viewer, &query.request.seen, query.now)
            .map_err(|error| Failure::failed("record_impressions", error))
    }
}
