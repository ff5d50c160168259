//! What was needed to serve the latest requests, so that they can be run again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::domain::{Millis, RequestFacts, UserId};
use crate::engine::Recording;

/// One request that was served.
#[derive(Clone)]
pub(crate) struct Logged {
    pub(crate) viewer: UserId,
    pub(crate) now: Millis,
    pub(crate) request: RequestFacts,
    pub(crate) recording: Recording,
}

/// The latest requests. Most of what is kept of one is shared with the stores and the other requests of its viewer.
pub(crate) struct RequestLog {
    kept: usize,
    latest: Mutex<VecDeque<Logged>>,
}

impl RequestLog {
    /// A log of the latest `kept` requests.
    pub(crate) fn new(kept: usize) -> Self {
        Self { kept, latest: Mutex::default() }
    }

    /// Adds a request.
    pub(crate) fn push(&self, logged: Logged) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.push_back(logged);
        while latest.len() > self.kept {
            latest.pop_front();
        }
    }

    /// The viewer's latest request of this id, if it is still kept.
    pub(crate) fn find(&self, viewer: UserId, request_id: u64) -> Option<Logged> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest_first = latest.iter().rev();
        newest_first
            .find(|logged| logged.viewer == viewer && logged.request.request_id == request_id)
            .cloned()
    }
}
