//! A service in this process over a small generated world, whose model and stores do as they are told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::stores::{Relation, Stores};
use maskrank_pipeline::domain::{Clock, ManualClock, SystemClock, UserId};
use maskrank_pipeline::engine::EngineConfig;
use maskrank_pipeline::features::{Registry, families};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::service::{self, App, Demo, Drained, Parts, ServiceConfig, Tokens};
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::timeline::{Home, HomeParts};
use maskrank_pipeline::world::{LoadedWorld, WorldConfig};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::contract;
use crate::http::{self, Answer};
use crate::model::Model;

pub(crate) const USERS: u32 = 300;
const POSTS: u32 = 4_000;
const LIFETIME: Duration = Duration::from_secs(3600);

/// What a test changes of the service.
pub(crate) struct Settings {
    pub(crate) config: ServiceConfig,
    pub(crate) pipeline: PipelineConfig,
    pub(crate) demo: bool,
    /// Puts other stores in place of the embedded ones.
    pub(crate) stores: Option<Box<dyn FnOnce(Stores) -> Stores>>,
}

impl Default for Settings {
    /// With limits for a machine that is busy with other tests, but the model's: some tests let it hang.
    fn default() -> Self {
        let mut engine = EngineConfig::patient();
        engine.timeouts_ms.insert("model".to_owned(), 1_500);
        Self {
            config: ServiceConfig::default(),
            pipeline: PipelineConfig { engine, ..PipelineConfig::default() },
            demo: false,
            stores: None,
        }
    }
}

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) app: Arc<App>,
    pub(crate) parts: HomeParts,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) model: Arc<Model>,
    pub(crate) key: Key,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Drained>>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let world = WorldConfig::sized(USERS, POSTS);
        let clock = Arc::new(ManualClock::new(world.now));
        let world = LoadedWorld::generate(world).expect("a world");
        let ads = world.ads.into();
        let embedded = Embedded::in_memory(world.base, clock.clone(), StoreOptions::default());
        let stores = Arc::new(embedded.expect("stores")).stores();
        let stores = settings.stores.map_or_else(|| stores.clone(), |change| change(stores.clone()));
        let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
        let model = Arc::new(Model::new(&registry));
        let key = Key::new([7; 32]);
        let parts = HomeParts {
            stores: stores.clone(),
            ads,
            registry,
            client: model.clone(),
            recommender: None,
            clock: clock.clone(),
            key: key.clone(),
        };
        let home = Arc::new(Home::new(settings.pipeline, parts.clone()).expect("declared"));
        let demo = settings.demo.then(|| Demo::choose(&stores, (1..=u64::from(USERS)).map(UserId)));
        let tokens = Tokens::new(key.clone());
        let app = Parts { home, clock: clock.clone(), tokens, config: settings.config, demo };
        let app = App::new(app).expect("threads");
        let listener = service::bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let router = service::router(&app);
        let serving = service::serve(Arc::clone(&app), router, listener, async {
            _ = stopped.await;
        });
        let task = tokio::spawn(serving);
        Self { address, app, parts, clock, model, key, stop: Some(stop), task: Some(task) }
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.parts.stores
    }

    pub(crate) fn token(&self, viewer: u64) -> String {
        Tokens::new(self.key.clone()).mint(UserId(viewer), SystemClock::default().now(), LIFETIME)
    }

    /// One request, whose answer is held against the document.
    pub(crate) async fn ask(&self, method: &str, path: &str, viewer: Option<u64>, body: &[u8]) -> Answer {
        let field = viewer.map(|viewer| format!("Bearer {}", self.token(viewer)));
        let mut fields = Vec::new();
        if let Some(field) = &field {
            fields.push(("authorization", field.as_str()));
        }
        if !body.is_empty() {
            fields.push(("content-type", "application/json"));
        }
        self.ask_with(method, path, &fields, body).await
    }

    /// The same with header fields of one's own.
    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let answer = http::exchange(self.address, method, path, fields, body).await.expect("an answer");
        contract::check(method, path, &answer);
        answer
    }

    /// A timeline that is there.
    pub(crate) async fn timeline(&self, viewer: u64, path: &str) -> Value {
        let answer = self.ask("GET", &format!("/v1/timelines/{path}"), Some(viewer), b"").await;
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// A write that is taken.
    pub(crate) async fn post(&self, viewer: u64, path: &str, body: Value) -> Value {
        let answer = self.send(viewer, path, body).await;
        assert!(answer.status < 300, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// A write.
    pub(crate) async fn send(&self, viewer: u64, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(viewer), body.to_string().as_bytes()).await
    }

    /// A viewer who reads at least this many others.
    pub(crate) fn reader(&self, others: usize) -> u64 {
        self.readers(others).next().expect("somebody reads")
    }

    /// Another viewer than this one, who reads others as well.
    pub(crate) fn other(&self, viewer: u64) -> u64 {
        self.readers(5).find(|id| *id != viewer).expect("two read")
    }

    fn readers(&self, others: usize) -> impl Iterator<Item = u64> {
        (1..=u64::from(USERS)).filter(move |id| {
            let account = self.stores().users.get(UserId(*id));
            account.is_some_and(|account| !account.is_withdrawn)
                && self.stores().graph.targets(Relation::Follow, UserId(*id)).iter().count() >= others
        })
    }

    /// Ends the service as a signal does.
    pub(crate) async fn stop(&mut self) -> Drained {
        if let Some(stop) = self.stop.take() {
            _ = stop.send(());
        }
        self.task.take().expect("stopped once").await.expect("no panic")
    }

    /// Whether the probes answer.
    pub(crate) async fn is_well(&self) -> bool {
        self.ask("GET", "/healthz", None, b"").await.status == 200
            && self.ask("GET", "/readyz", None, b"").await.status == 200
    }
}

/// All entries of a timeline, from its instructions.
pub(crate) fn entries(timeline: &Value) -> Vec<Value> {
    let steps = timeline["instructions"].as_array().expect("instructions");
    steps.iter().flat_map(|step| step["entries"].as_array().cloned().unwrap_or_default()).collect()
}

/// The cursor of a kind.
pub(crate) fn cursor(timeline: &Value, kind: &str) -> Option<String> {
    let entries = entries(timeline);
    let found = entries
        .iter()
        .find(|entry| entry["content"]["type"] == "cursor" && entry["content"]["kind"] == kind)?;
    found["content"]["value"].as_str().map(str::to_owned)
}

/// All posts of a timeline, those in modules included, without ads.
pub(crate) fn posts(timeline: &Value) -> Vec<Value> {
    let mut posts = Vec::new();
    for entry in entries(timeline) {
        let content = &entry["content"];
        match content["type"].as_str() {
            Some("post") => posts.push(content.clone()),
            Some("module") => {
                let items = content["items"].as_array().cloned().unwrap_or_default();
                posts.extend(
                    items
                        .into_iter()
                        .map(|item| item["content"].clone())
                        .filter(|item| item["type"] == "post"),
                );
            }
            _ => {}
        }
    }
    posts
}

/// Ids of all posts of a timeline.
pub(crate) fn post_ids(timeline: &Value) -> Vec<String> {
    posts(timeline).iter().map(|post| post["id"].as_str().expect("an id").to_owned()).collect()
}
