//! What all requests share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use super::admission::{Lane, Place};
use super::config::ServiceConfig;
use super::connections::Connections;
use super::crew::Crew;
use super::metrics::{Metrics, Now};
use super::problem::Problem;
use super::tokens::Tokens;
use super::viewers::Viewers;
use super::writes::PostIds;
use crate::domain::stores::Stores;
use crate::domain::{Clock, Millis, SystemClock};
use crate::timeline::Home;

/// What the service is made of.
pub struct Parts {
    /// The products, as they are configured at the start.
    pub home: Arc<Home>,
    /// The world's clock.
    pub clock: Arc<dyn Clock>,
    /// Makes and reads tokens.
    pub tokens: Tokens,
    /// Limits.
    pub config: ServiceConfig,
    /// Accounts that the page may be, and get tokens for, without asking for any secret; empty for none.
    pub demo: Option<super::demo::Demo>,
}

/// One configuration, whole: products and limits are always of the same one.
pub(super) struct Generation {
    /// Counts configurations, from 1.
    pub(super) number: u64,
    pub(super) home: Arc<Home>,
    pub(super) limits: Arc<ServiceConfig>,
}

impl Generation {
    /// The stores that the products read.
    pub(super) fn stores(&self) -> &Stores {
        &self.home.parts().stores
    }
}

/// Lanes by the kind of work.
pub(super) struct Lanes {
    pub(super) ranked: Arc<Lane>,
    pub(super) chronological: Arc<Lane>,
    pub(super) writes: Arc<Lane>,
}

/// Threads by the kind of work.
pub(super) struct Crews {
    pub(super) ranked: Crew,
    pub(super) chronological: Crew,
}

/// What all requests share.
pub struct App {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tokens: Tokens,
    pub(super) demo: Option<super::demo::Demo>,
    pub(super) metrics: Metrics,
    pub(super) connections: Arc<Connections>,
    pub(super) viewers: Arc<Viewers>,
    pub(super) lanes: Lanes,
    pub(super) crews: Crews,
    pub(super) post_ids: Arc<PostIds>,
    generation: RwLock<Arc<Generation>>,
    /// Products of earlier configurations: their side effects may be under way.
    retired: Mutex<Vec<Weak<Home>>>,
    is_draining: AtomicBool,
    last_request: AtomicU64,
    /// Expiry of tokens goes by the machine's clock: a world may stand still, or be set back.
    machine: SystemClock,
}

impl App {
    /// The service over its parts.
    ///
    /// # Errors
    /// The system has no threads for it.
    pub fn new(parts: Parts) -> std::io::Result<Arc<Self>> {
        let Parts { home, clock, tokens, config, demo } = parts;
        let machine = SystemClock::default();
        let lanes = Lanes {
            ranked: Lane::new("ranked", config.ranked),
            chronological: Lane::new("chronological", config.chronological),
            writes: Lane::new("writes", config.writes),
        };
        let crews = Crews { ranked: Crew::new("ranked")?, chronological: Crew::new("chronological")? };
        let generation = Generation { number: 1, home, limits: Arc::new(config) };
        // Ids go on rising over restarts, so that no two requests in the log have the same.
        let first_request = u64::try_from(machine.now().0).unwrap_or(0) << 12;
        Ok(Arc::new(Self {
            clock,
            tokens,
            demo,
            metrics: Metrics::default(),
            connections: Connections::new(),
            viewers: Arc::default(),
            lanes,
            crews,
            post_ids: Arc::default(),
            generation: RwLock::new(Arc::new(generation)),
            retired: Mutex::default(),
            is_draining: AtomicBool::new(false),
            last_request: AtomicU64::new(first_request),
            machine,
        }))
    }

    /// The configuration in use.
    pub(super) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The limits in use.
    pub(super) fn limits(&self) -> Arc<ServiceConfig> {
        Arc::clone(&self.generation().limits)
    }

    /// Puts a configuration in the place of the one in use, whole: requests under way end under the old one.
    pub fn replace(&self, home: Arc<Home>, config: ServiceConfig) -> u64 {
        let (ranked, chronological, writes) = (config.ranked, config.chronological, config.writes);
        let mut current = self.generation.write().unwrap_or_else(PoisonError::into_inner);
        let number = current.number + 1;
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.retain(|home| home.strong_count() > 0);
        retired.push(Arc::downgrade(&current.home));
        *current = Arc::new(Generation { number, home, limits: Arc::new(config) });
        self.lanes.ranked.set(ranked);
        self.lanes.chronological.set(chronological);
        self.lanes.writes.set(writes);
        number
    }

    /// The number of the configuration in use, from 1.
    pub fn generation_number(&self) -> u64 {
        self.generation().number
    }

    /// Counters of the service.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn next_request_id(&self) -> u64 {
        self.last_request.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The time by which tokens expire.
    pub(super) fn token_time(&self) -> Millis {
        self.machine.now()
    }

    /// A place in a lane, or the answer that there is none in time.
    pub(super) async fn enter(&self, lane: &Arc<Lane>) -> Result<Place, Problem> {
        lane.enter().await.map_err(|shed| {
            self.metrics.shed(lane.name());
            Problem::overloaded(shed.retry_after)
        })
    }

    /// Does work of the stores that waits for the disk, on a thread that may. It keeps its place until it is done, also
    /// when the caller gave up: so a disk that hangs cannot gather more threads than the lane has places.
    pub(super) async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Stores) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.enter(&self.lanes.writes).await?;
        let generation = self.generation();
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(generation.stores())
        });
        work.await.unwrap_or_else(|joined| {
            tracing::error!(%joined, "a write panicked");
            Err(Problem::internal())
        })
    }

    /// Whether a shutdown has begun.
    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    pub(super) fn start_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Waits for side effects and makes history durable; whether all of it is on disk.
    pub(super) async fn finish(&self, limit: Duration) -> bool {
        let retired: Vec<_> = {
            let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
            retired.iter().filter_map(Weak::upgrade).collect()
        };
        let drain = async {
            for home in retired {
                home.drain().await;
            }
            self.generation().home.drain().await;
        };
        let drained = tokio::time::timeout(limit, drain).await.is_ok();
        let history = Arc::clone(&self.generation().stores().history);
        let flush = tokio::task::spawn_blocking(move || history.flush());
        let flushed = match tokio::time::timeout(limit, flush).await {
            Ok(Ok(Ok(()))) => true,
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "history was not written");
                false
            }
            _ => false,
        };
        drained && flushed
    }

    /// All metrics, in the OpenMetrics text format.
    pub(super) fn metrics_text(&self) -> Result<String, std::fmt::Error> {
        let generation = self.generation();
        let of = |lane: &Lane| (lane.name(), lane.working(), lane.waiting());
        let lanes = [of(&self.lanes.ranked), of(&self.lanes.chronological), of(&self.lanes.writes)];
        let now = Now { lanes: &lanes, connections: self.connections.open(), generation: generation.number };
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry, &now);
        generation.home.engine().metrics().register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}
