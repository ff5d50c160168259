//! `serve`: timelines over HTTP, and the page.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::{Ad, Clock, UserId};
use maskrank_pipeline::features::{Registry, families};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::service::{
    self, App, Build, DEFAULT_LISTEN, Demo, Parts, Reloader, RunningClock, Tokens, Watched,
};
use maskrank_pipeline::stores::{Embedded, MemoryCache, StoreOptions};
use maskrank_pipeline::timeline::{Home, HomeParts};
use maskrank_pipeline::world::{self, Manifest, default_folder, default_world};

use crate::Outcome;
use crate::setup::ModelArguments;

/// How often the world's present is noted.
const NOTE_EVERY: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, default_value_t = DEFAULT_LISTEN, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Allow addresses that other machines can reach
    #[arg(long)]
    public: bool,
    /// Hand out tokens for any account to the page, without any secret; on this machine only
    #[arg(long, conflicts_with = "public")]
    demo: bool,
    /// The world's folder; without it the small world
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    /// Keep a generated world's present where it is, instead of letting time pass
    #[arg(long)]
    stand_still: bool,
    /// The key's file, which is made when it is not there; without it the world's own
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    /// Score weights, as YAML or JSON, in place of those in the funnel's constants; reloaded when changed
    #[arg(long, value_name = "FILE")]
    score_weights: Option<PathBuf>,
    /// The service's limits, as YAML or JSON; reloaded when changed
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
}

/// The file of the key: the given one, else the world's.
pub(crate) fn key_path(key: Option<&Path>, world: Option<&Path>) -> PathBuf {
    let in_world = || world.map_or_else(default_folder, Path::to_owned).join("key");
    key.map_or_else(in_world, Path::to_owned)
}

/// A world to live in: its stores, and a clock that runs.
struct Inhabited {
    embedded: Arc<Embedded>,
    ads: Arc<[Ad]>,
    clock: Arc<dyn Clock>,
    /// The clock again, when its present is to be noted.
    running: Option<Arc<RunningClock>>,
}

impl Inhabited {
    fn open(folder: &Path, stand_still: bool) -> Result<Self, Box<dyn std::error::Error>> {
        let options = StoreOptions::default();
        let present = Manifest::of(folder)?.now.filter(|_| !stand_still);
        let note = folder.join("present");
        let running = present.map(|present| RunningClock::new(present, Some(&note))).transpose()?;
        let running = running.map(Arc::new);
        let world = match running.clone() {
            Some(clock) => world::World::open_with(folder, options, clock)?,
            None => world::World::open(folder, options)?,
        };
        Ok(Self { embedded: world.stores, ads: world.ads.into(), clock: world.clock, running })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if !arguments.listen.ip().is_loopback() && !arguments.public {
        let problem = "can be reached from other machines; say --public if it shall";
        return Err(format!("{} {problem}", arguments.listen).into());
    }
    let watched = Watched {
        pipeline: arguments.model.config.clone(),
        weights: arguments.score_weights.clone(),
        service: arguments.limits.clone(),
        otherwise: PipelineConfig::default(),
    };
    // A wrong file ends it here, before anything is loaded.
    watched.read()?;
    let folder = arguments.world.clone().map_or_else(default_world, Ok)?;
    let inhabited = Inhabited::open(&folder, arguments.stand_still)?;
    let key = Key::open_or_create(&key_path(arguments.key.as_deref(), Some(&folder)))?;
    let parts = home_parts(arguments, &inhabited, &key)?;
    let build: Build = Box::new(move |config| {
        let mut parts = parts.clone();
        // What was scored under other weights is not shown beside what is scored under these.
        parts.stores.cache = Arc::new(MemoryCache::new(Arc::clone(&parts.clock)));
        Ok(Arc::new(Home::new(config.clone(), parts)?))
    });
    let reloader = Reloader::new(watched, build);
    let (home, config) = reloader.read()?;
    let (users, posts) = inhabited.embedded.sizes();
    let offered = (1..=u64::try_from(users)?).map(UserId);
    let demo = arguments.demo.then(|| Demo::choose(&home.parts().stores, offered));
    let (clock, tokens) = (Arc::clone(&inhabited.clock), Tokens::new(key));
    let app = App::new(Parts { home, clock, tokens, config, demo })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let drained = runtime.block_on(async {
        let listener = service::bind(arguments.listen).await?;
        let address = listener.local_addr()?;
        writeln!(
            std::io::stdout().lock(),
            "maskrank-timeline: {users} users, {posts} posts, http://{address}/"
        )?;
        let watching = tokio::spawn(reloader.watch(Arc::clone(&app), asked_to_reload()?));
        let noting = tokio::spawn(note_present(inhabited.running.clone()));
        let router = service::router(&app);
        let drained = service::serve(app, router, listener, asked_to_end()?).await;
        watching.abort();
        noting.abort();
        std::io::Result::Ok(drained)
    })?;
    // Work that hangs in a store must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    if let Some(running) = &inhabited.running {
        running.note()?;
    }
    match (drained.answered, drained.stored) {
        (true, true) => Ok(()),
        (false, _) => Err("the shutdown's limit passed with requests under way".into()),
        (true, false) => Err("not everything that was recorded could be stored".into()),
    }
}

fn home_parts(
    arguments: &Arguments,
    inhabited: &Inhabited,
    key: &Key,
) -> Result<HomeParts, Box<dyn std::error::Error>> {
    let stores = Arc::clone(&inhabited.embedded).stores();
    let registry = Arc::new(Registry::new(families::all(&stores))?);
    let client = arguments.model.client(&registry)?;
    let (ads, clock, key) = (Arc::clone(&inhabited.ads), Arc::clone(&inhabited.clock), key.clone());
    Ok(HomeParts { stores, ads, registry, client, recommender: None, clock, key })
}

/// Notes the world's present from time to time, so that it goes on from there after a crash.
async fn note_present(clock: Option<Arc<RunningClock>>) {
    let Some(clock) = clock else { return };
    let mut every = tokio::time::interval(NOTE_EVERY);
    loop {
        every.tick().await;
        if let Err(error) = clock.note() {
            tracing::warn!(%error, "the world's present was not noted");
        }
    }
}

#[cfg(unix)]
mod signals {
    use std::sync::Arc;

    use tokio::signal::unix::{SignalKind, signal};
    use tokio::sync::Mutex;

    /// Resolves when the process is asked to end: by the terminal or by its supervisor.
    pub(super) fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }

    /// Resolves, again and again, when the process is asked to read its configuration again: by SIGHUP.
    pub(super) fn asked_to_reload() -> std::io::Result<impl FnMut() -> Reload> {
        let hangup = Arc::new(Mutex::new(signal(SignalKind::hangup())?));
        Ok(move || -> Reload {
            let hangup = Arc::clone(&hangup);
            Box::pin(async move { _ = hangup.lock().await.recv().await })
        })
    }

    type Reload = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
}

#[cfg(not(unix))]
mod signals {
    /// Resolves when the process is asked to end.
    pub(super) fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
        Ok(async { _ = tokio::signal::ctrl_c().await })
    }

    /// Never resolves: files are looked at anyway.
    pub(super) fn asked_to_reload() -> std::io::Result<impl FnMut() -> std::future::Pending<()>> {
        Ok(std::future::pending)
    }
}

use signals::{asked_to_end, asked_to_reload};
