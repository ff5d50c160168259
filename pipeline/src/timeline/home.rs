//! The facade: one place that answers requests for all timelines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Unit;

use super::{CursorCodec, Deed, Timeline, TimelineError, TimelineRequest};
use crate::config::PipelineConfig;
use crate::domain::stores::Stores;
use crate::domain::{Ad, Clock, Cursor, PostId, Query, RequestFacts, ScorerClient, TimelineKind, UserId};
use crate::engine::{ComponentRow, Engine, Failure, Mixed, Product, Report};
use crate::explain::Explanation;
use crate::features::{Registry, RegistryError};
use crate::mixing::Item;
use crate::mixing::sources::Recommender;
use crate::products::{ForYou, Names, Parts, declare_for_you, following, list, subscribed};
use crate::sealed::Key;
use crate::side_effects::{Announced, ServedCounters};

/// Most posts that a caller may ask for.
const MAX_COUNT: usize = 500;
/// Most posts that a client may say its reader has seen.
const MAX_SEEN: usize = 10_000;

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
    /// Who knows accounts that may interest a viewer; without one, what the recommended-authors
    /// source knows.
    pub recommender: Option<Arc<dyn Recommender>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What cursors and feedback actions are sealed with. Tokens of other kinds may share it.
    pub key: Key,
}

/// All timelines over one set of stores.
pub struct Home {
    parts: HomeParts,
    config: PipelineConfig,
    shared: Shared,
    for_you: ForYou,
    following: Product<Query, Item, Timeline>,
    list: Product<Query, Item, Timeline>,
    subscribed: Product<Query, Item, Timeline>,
}

/// What outlives a change of the constants.
#[derive(Clone)]
struct Shared {
    engine: Arc<Engine>,
    announced: Arc<Announced>,
    counters: ServedCounters,
    next_request: Arc<AtomicU64>,
}

/// A timeline, what it was made of, and what each stage did.
pub struct Answer {
    /// The timeline, and what was served.
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
        let engine = Engine::new(Arc::clone(&parts.clock), config.engine.clone());
        // Two processes over the same stores should not name two requests alike; only replays need the same names, and
        // they bring them along.
        let mut first = [0; 8];
        let first = getrandom::fill(&mut first).map_or(1, |()| u64::from_be_bytes(first) >> 1);
        let shared = Shared {
            engine,
            announced: Arc::default(),
            counters: ServedCounters::default(),
            next_request: Arc::new(AtomicU64::new(first.max(1))),
        };
        Self::declare(config, parts, shared)
    }

    /// The same timelines with other constants, for requests from now on. Requests under way end with the old ones;
    /// metrics and what is not recorded yet are shared.
    ///
    /// # Errors
    /// As [`Home::new`].
    pub fn reconfigured(&self, config: PipelineConfig) -> Result<Self, RegistryError> {
        let engine = self.shared.engine.reconfigured(config.engine.clone());
        Self::declare(config, self.parts.clone(), Shared { engine, ..self.shared.clone() })
    }

    fn declare(config: PipelineConfig, home: HomeParts, shared: Shared) -> Result<Self, RegistryError> {
        let parts = Parts {
            config: &config,
            home: &home,
            announced: &shared.announced,
            counters: &shared.counters,
            names: Names::FOR_YOU,
        };
        let for_you = declare_for_you(&parts, Arc::clone(&shared.engine))?;
        let of = |names| Parts { names, ..parts };
        let following = following(&of(Names::FOLLOWING));
        let (list, subscribed) = (list(&of(Names::LIST)), subscribed(&of(Names::SUBSCRIBED)));
        Ok(Self { for_you, following, list, subscribed, parts: home, config, shared })
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
        let product = match timeline {
            TimelineKind::ForYou => {
                let (mixed, report) = self.for_you.answer(viewer, facts).await?;
                return Ok(Answer { mixed, report });
            }
            TimelineKind::Following => &self.following,
            TimelineKind::List(_) => &self.list,
            TimelineKind::Subscribed => &self.subscribed,
        };
        let run = self.shared.engine.start();
        let query = Arc::new(Query::new(viewer, self.parts.clock.now(), facts));
        let mut mixed = product.run(&run, query).await?;
        let report = run.report();
        mixed.response.missing = report.failures();
        Ok(Answer { mixed, report })
    }

    /// What the products read of a request: the cursor opened, defaults filled in.
    fn facts(&self, request: TimelineRequest) -> Result<RequestFacts, TimelineError> {
        let refuse = |parameter, expected: String, found: usize| TimelineError::Parameter {
            parameter,
            expected,
            found: found.to_string(),
        };
        if let Some(count) = request.count.filter(|count| !(1..=MAX_COUNT).contains(count)) {
            return Err(refuse("count", format!("1 to {MAX_COUNT}"), count));
        }
        if request.seen.len() > MAX_SEEN {
            return Err(refuse("seen", format!("at most {MAX_SEEN} posts"), request.seen.len()));
        }
        let codec = CursorCodec { key: &self.parts.key, viewer: request.viewer, timeline: request.product };
        let place = request.cursor.as_deref().map(|text| codec.decode(text)).transpose()?;
        let request_id = match request.request_id {
            0 => self.shared.next_request.fetch_add(1, Ordering::Relaxed),
            given => given,
        };
        // A page of newer posts is a new beginning: it counts down from this moment, in a session of its own.
        let going_on = place.filter(|place| !matches!(place.cursor, Cursor::Top { .. }));
        Ok(RequestFacts {
            request_id,
            timeline: request.product,
            cursor: place.map(|place| place.cursor),
            sort_from: going_on.map(|place| place.sort_from),
            session: going_on.map_or(request_id, |place| place.session),
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

    /// Takes back what [`Home::act`] did with this token; stored when the call returns, in force with the next request.
    /// Returns whether there was anything to take back.
    ///
    /// # Errors
    /// As [`Home::act`].
    pub fn undo(&self, viewer: UserId, token: &str) -> Result<bool, TimelineError> {
        let deed = Deed::open(&self.parts.key, viewer, token)?;
        deed.take_back(&self.parts.stores, viewer, self.parts.clock.now())
    }

    /// Why a post is, or is not, on the page that a request for For You would be answered with now. Changes nothing.
    ///
    /// # Errors
    /// The request is refused; see [`TimelineError`].
    pub async fn explain(
        &self,
        request: TimelineRequest,
        post: PostId,
    ) -> Result<Explanation, TimelineError> {
        let (viewer, timeline) = (request.viewer, request.product);
        if timeline != TimelineKind::ForYou {
            let why = format_args!("{timeline} ranks nothing: only For You is explained");
            return Err(Failure::rejected("explain", why).into());
        }
        let facts = self.facts(request)?;
        Ok(self.for_you.explain(viewer, facts, post).await)
    }

    /// Why a post was, or was not, on the page that a viewer's earlier request for For You was answered with; none when
    /// that request is no longer known.
    pub async fn explain_served(&self, viewer: UserId, request_id: u64, post: PostId) -> Option<Explanation> {
        self.for_you.explain_served(viewer, request_id, post).await
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

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// Waits until no side effect is under way.
    pub async fn drain(&self) {
        self.shared.engine.drain().await;
    }

    /// Adds all metrics to a registry: of every component, of what was served, of the feature families.
    pub fn register_metrics(&self, registry: &mut prometheus_client::registry::Registry) {
        self.shared.engine.metrics().register(registry);
        self.shared.counters.register(registry);
        let seconds: Family<FamilyLabels, Counter<f64>> = Family::default();
        let (runs, failures): (Family<FamilyLabels, Counter>, Family<FamilyLabels, Counter>) =
            Default::default();
        for time in self.for_you.feature_times() {
            let labels = FamilyLabels { family: time.family };
            seconds.get_or_create(&labels).inc_by(time.total.as_secs_f64());
            runs.get_or_create(&labels).inc_by(time.runs);
            failures.get_or_create(&labels).inc_by(time.failures);
        }
        let registry = registry.sub_registry_with_prefix("features");
        registry.register_with_unit("time", "Time a feature family took", Unit::Seconds, seconds);
        registry.register("runs", "Runs of a feature family", runs);
        registry.register("failures", "Failures of a feature family", failures);
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// Never, as far as writing to a string goes; the encoder's error is passed on.
    pub fn metrics(&self) -> Result<String, std::fmt::Error> {
        let mut registry = prometheus_client::registry::Registry::default();
        self.register_metrics(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }

    /// All components in the order of execution, product by product.
    pub fn components(&self) -> Vec<ComponentRow> {
        let mut rows = self.for_you.components();
        for product in [&self.following, &self.list, &self.subscribed] {
            rows.extend(product.components());
        }
        rows
    }
}

/// Which feature family.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FamilyLabels {
    family: &'static str,
}
