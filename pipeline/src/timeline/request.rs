//! What a caller asks for.

use crate::domain::{DeviceContext, Language, Platform, PostId, TimelineKind, UserId};

/// A request for one page of a timeline.
#[derive(Clone, Debug, Default)]
pub struct TimelineRequest {
    /// Which timeline.
    pub product: TimelineKind,
    /// Whose.
    pub viewer: UserId,
    /// A cursor of an earlier page of this viewer's timeline; none asks for the first page.
    pub cursor: Option<String>,
    /// Most posts that the caller wants.
    pub count: Option<usize>,
    /// What made the client ask.
    pub context: DeviceContext,
    /// What the client says of itself.
    pub client: Client,
    /// Posts that the client says its reader has seen.
    pub seen: Vec<PostId>,
    /// The post of a notification that the reader opened, to stand first in For You.
    pub push_to_home: Option<PostId>,
    /// Names the request in logs, served history and events; 0 for one that the facade chooses.
    pub request_id: u64,
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// What it runs on. Served history is kept for each platform apart.
    pub platform: Platform,
    /// The device's language.
    pub language: Language,
    /// ISO 3166 country code, lower case; empty when unknown.
    pub country: String,
}

impl TimelineRequest {
    /// A request for the first page of a viewer's timeline.
    pub fn new(product: TimelineKind, viewer: UserId) -> Self {
        Self { product, viewer, ..Self::default() }
    }

    /// The same request for the page that a cursor stands for.
    #[must_use]
    pub fn at(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }
}
