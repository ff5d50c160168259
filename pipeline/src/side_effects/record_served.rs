//! Keeps what was served.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::HistoryStore;
use crate::domain::{Query, ServedResponse};
use crate::engine::{Failure, Served, SideEffect};
use crate::mixing::{Item, Shown};

/// Records the served posts in their order.
pub struct RecordServed {
    /// History.
    pub history: Arc<dyn HistoryStore>,
}

component!(RecordServed, "record_served", "records the served posts in their order");

#[async_trait]
impl SideEffect<Query, Item> for RecordServed {
    async fn run(&self, served: &Served<Query, Item>) -> Result<(), Failure> {
        let query = &served.query;
        let post = |shown: &Shown| {
            let candidate = &shown.candidate;
            (candidate.post_id, candidate.is_repost().then(|| candidate.original_id()))
        };
        let response = ServedResponse {
            request_id: query.request.request_id,
            at: query.now,
            page: query.request.page(),
            posts: served.selected.iter().flat_map(Item::posts).map(post).collect(),
        };
        self.history
            .record_served(query.viewer, query.request.platform, response)
            .map_err(|error| Failure::failed("record_served", error))
    }
}
