//! Keeps when the viewer was there.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::Query;
use crate::domain::stores::HistoryStore;
use crate::engine::{Failure, PipelineCandidate, Served, SideEffect};

/// Records the visit, unless nobody looks at the answer right away.
pub struct RecordVisit {
    /// History.
    pub history: Arc<dyn HistoryStore>,
}

component!(RecordVisit, "record_visit", "records the visit, polls and background fetches aside");

#[async_trait]
impl<C: PipelineCandidate> SideEffect<Query, C> for RecordVisit {
    fn enabled(&self, served: &Served<Query, C>) -> bool {
        !served.query.request.is_polling()
    }

    async fn run(&self, served: &Served<Query, C>) -> Result<(), Failure> {
        let query = &served.query;
        self.history
            .record_visit(query.viewer, query.now)
            .map_err(|error| Failure::failed("record_visit", error))
    }
}
