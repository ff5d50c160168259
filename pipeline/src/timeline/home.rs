//! The facade: one place that answers requests for all timelines.

use std::sync::Arc;

use super::{CursorCodec, Deed, Timeline, TimelineError, TimelineRequest};
use crate::config::PipelineConfig;
use crate::domain::stores::Stores;
use crate::domain::{Ad, Clock, Cursor, Query, RequestFacts, ScorerClient, TimelineKind, UserId};
use crate::engine::{ComponentRow, Engine, Failure, Mixed, Report};
use crate::features::{Registry, RegistryError};
use crate::mixing::Item;
use crate::products::{ForYou, for_you};
use crate::sealed::Key;

/// What timelines are made from.
#[derive(Clone)]
pub struct HomeParts {
    /// Stores.
    pub stores: Stores,
    /// Ads that compete for places.
    pub ads: Arc<[Ad]>,
    /// Features.
    pub registry: Arc<Registry>,
    /// The model.
    pub client: Arc<dyn ScorerClient>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What cursors and feedback actions are sealed with. Tokens of other kinds may share it.
    pub key: Key,
}

/// All timelines over one set of stores.
pub struct Home {
    parts: HomeParts,
    config: PipelineConfig,
    for_you: ForYou,
}

/// A timeline, what it was made of, and what each stage did.
pub struct Answer {
    /// The timeline.
    pub mixed: Mixed<Query, Item, Timeline>,
    /// What each stage did.
    pub report: Report,
}

impl Home {
    /// Declares all timelines.
    ///
    /// # Errors
    /// The model takes columns once a request that differ between candidates.
    pub fn new(config: PipelineConfig, parts: HomeParts) -> Result<Self, RegistryError> {
        let HomeParts { stores, registry, client, clock, key, .. } = parts.clone();
        let for_you = for_you(&config, &stores, registry, client, clock, &key)?;
        Ok(Self { parts, config, for_you })
    }

    /// The same timelines with other constants, for requests from now on. Requests under way end with the old ones.
    ///
    /// # Errors
    /// As [`Home::new`].
    pub fn reconfigured(&self, config: PipelineConfig) -> Result<Self, RegistryError> {
        Self::new(config, self.parts.clone())
    }

    /// One page of a timeline.
    ///
    /// # Errors
    /// The request is refused, or no timeline could be made; see [`TimelineError`].
    pub async fn timeline(&self, request: TimelineRequest) -> Result<Timeline, TimelineError> {
        self.answer(request).await.map(|answer| answer.mixed.response)
    }

    /// The same, with what it was made of and what each stage did.
    ///
    /// # Errors
    /// As [`Home::timeline`].
    pub async fn answer(&self, request: TimelineRequest) -> Result<Answer, TimelineError> {
        let (viewer, timeline) = (request.viewer, request.product);
        let known = self.parts.stores.users.get(viewer).filter(|user| !user.is_withdrawn);
        known.ok_or(TimelineError::UnknownViewer(viewer))?;
        if let TimelineKind::List(list) = timeline {
            self.parts.stores.lists.get(list).ok_or(TimelineError::UnknownList(list))?;
        }
        let facts = self.facts(request)?;
        if timeline != TimelineKind::ForYou {
            return Err(Failure::rejected("home", format_args!("{timeline} is not declared")).into());
        }
        let (mixed, report) = self.for_you.answer(viewer, facts).await?;
        Ok(Answer { mixed, report })
    }

    /// What the products read of a request: the cursor opened, defaults filled in.
    fn facts(&self, request: TimelineRequest) -> Result<RequestFacts, TimelineError> {
        let codec = CursorCodec { key: &self.parts.key, viewer: request.viewer, timeline: request.product };
        let place = request.cursor.as_deref().map(|text| codec.decode(text)).transpose()?;
        // A page of newer posts is a new beginning: it counts down from this moment.
        let is_top = place.is_some_and(|place| matches!(place.cursor, Cursor::Top { .. }));
        Ok(RequestFacts {
            request_id: request.request_id,
            timeline: request.product,
            cursor: place.map(|place| place.cursor),
            sort_from: place.filter(|_| !is_top).map(|place| place.sort_from),
            scroll_started: place.map(|place| place.started),
            context: request.context,
            platform: request.client.platform,
            language: request.client.language,
            country: request.client.country,
            seen: request.seen,
            push_to_home: request.push_to_home,
            max_results: request.count,
        })
    }

    /// Does what a feedback action's token says, for the viewer that it was given to: stored when the call returns, in
    /// force with the next request.
    ///
    /// # Errors
    /// The token is none of this viewer's, or the store refuses or fails.
    pub fn act(&self, viewer: UserId, token: &str) -> Result<Deed, TimelineError> {
        let deed = Deed::open(&self.parts.key, viewer, token)?;
        deed.clone().carry_out(&self.parts.stores, viewer, self.parts.clock.now())?;
        Ok(deed)
    }

    /// The constants.
    pub fn config(&self) -> &PipelineConfig {
        &self.config
    }

    /// What the timelines are made from.
    pub fn parts(&self) -> &HomeParts {
        &self.parts
    }

    /// For You, for callers that want the plain ranking.
    pub fn for_you(&self) -> &ForYou {
        &self.for_you
    }

    /// The engine, for its metrics.
    pub fn engine(&self) -> &Arc<Engine> {
        self.for_you.engine()
    }

    /// Waits until no side effect is under way.
    pub async fn drain(&self) {
        self.engine().drain().await;
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// Never, as far as writing to a string goes.
    pub fn metrics(&self) -> Result<String, std::fmt::Error> {
        self.engine().metrics().encode()
    }

    /// All components in the order of execution.
    pub fn components(&self) -> Vec<ComponentRow> {
        self.for_you.components()
    }
}
