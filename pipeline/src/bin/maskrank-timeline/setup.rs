//! A world, a model and the product over them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use maskrank::config::Widths;
use maskrank::{Backend, Model, ModelConfig, Precision, ScorerBuilder};
use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::stores::Stores;
use maskrank_pipeline::domain::{Ad, Clock, ManualClock, ModelInputs, ScorerClient};
use maskrank_pipeline::engine::EngineConfig;
use maskrank_pipeline::features::{Registry, families};
use maskrank_pipeline::model_client::ModelClient;
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::timeline::{Home, HomeParts};
use maskrank_pipeline::world::{self, LoadedWorld, WorldConfig};

use crate::stand_in::StandIn;

/// Seed of the weights that take the place of trained ones.
const WEIGHTS_SEED: u64 = 1;

/// Most candidates that a processor scores together. It gains nothing from more, and whoever comes first would wait for
/// all of them.
const CPU_BATCH: usize = 512;

/// Which model ranks.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArguments {
    /// A model's folder (config.yaml, model.safetensors); "seeded" for the released model's shape with seeded weights;
    /// "none" for a stand-in that costs nothing
    #[arg(long, default_value = "seeded", value_name = "DIR|seeded|none")]
    pub(crate) model: String,
    /// Where the model runs: cuda, wgpu, cpu, or auto for a GPU where the build has one's backend and the machine has one,
    /// else the processor; a named backend never falls back to another
    #[arg(long, default_value = "auto")]
    pub(crate) backend: Backend,
    /// Storage type of the model's weights and activations: f32, tf32, bf16 or f16; without it f32, and a packed model's
    /// own
    #[arg(long)]
    pub(crate) precision: Option<Precision>,
    /// The funnel's constants, as YAML or JSON; what the file does not name keeps its default
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How long a request may wait for others to be scored with it
    #[arg(long, default_value_t = 1.0, value_name = "MILLISECONDS")]
    pub(crate) batch_delay_ms: f64,
}

/// All timelines over a world.
pub(crate) struct Timeline {
    pub(crate) home: Home,
    pub(crate) registry: Arc<Registry>,
    pub(crate) world: World,
}

/// Stores, and the clock that stands at their world's present.
pub(crate) struct World {
    pub(crate) embedded: Arc<Embedded>,
    pub(crate) stores: Stores,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ads: Arc<[Ad]>,
    pub(crate) key: Key,
}

impl ModelArguments {
    /// No model: for what does not rank.
    pub(crate) fn stand_in(config: Option<PathBuf>) -> Self {
        Self {
            model: "none".to_owned(),
            backend: Backend::Auto,
            precision: None,
            config,
            batch_delay_ms: 0.0,
        }
    }

    /// The configuration: the named file's, else the defaults with limits for a person at a terminal.
    pub(crate) fn pipeline_config(&self) -> Result<PipelineConfig, Box<dyn std::error::Error>> {
        if let Some(path) = &self.config {
            return Ok(PipelineConfig::open(path)?);
        }
        Ok(PipelineConfig { engine: EngineConfig::patient(), ..PipelineConfig::default() })
    }

    pub(crate) fn client(
        &self,
        registry: &Registry,
    ) -> Result<Arc<dyn ScorerClient>, Box<dyn std::error::Error>> {
        let model = match self.model.as_str() {
            "none" => return Ok(Arc::new(StandIn::new(registry, ModelInputs::PRODUCTION))),
            "seeded" => {
                // The released model's configuration; its weights were never released.
                Model::seeded(ModelConfig::production()?, Widths::PRODUCTION, WEIGHTS_SEED)?
            }
            folder => Model::open(folder)?,
        };
        let delay = Duration::try_from_secs_f64(self.batch_delay_ms / 1e3)
            .map_err(|error| format!("--batch-delay-ms {}: {error}", self.batch_delay_ms))?;
        let client =
            ModelClient::new(&model, registry, |builder| self.settings(builder))?.with_delay(delay)?;
        let live = client.scorer().live().current();
        tracing::info!(device = ?live.scorer().device(), "the model is ready");
        Ok(Arc::new(client))
    }

    fn settings(&self, builder: ScorerBuilder) -> ScorerBuilder {
        let builder = builder.backend(self.backend);
        let builder = match self.precision {
            Some(precision) => builder.precision(precision),
            None => builder,
        };
        let has_gpus = cfg!(any(feature = "cuda", feature = "wgpu"));
        let may_be_gpu = self.backend != Backend::Cpu && (has_gpus || self.backend != Backend::Auto);
        match may_be_gpu {
            true => builder,
            // One after the other, each on all cores: two at once would both take twice as long.
            false => builder.max_in_flight(1).max_candidates(CPU_BATCH),
        }
    }

    /// All timelines over a world.
    pub(crate) fn timeline(
        &self,
        world: World,
        config: &PipelineConfig,
    ) -> Result<Timeline, Box<dyn std::error::Error>> {
        let registry = Arc::new(Registry::new(families::all(&world.stores))?);
        let client = self.client(&registry)?;
        let parts = HomeParts {
            stores: world.stores.clone(),
            ads: Arc::clone(&world.ads),
            registry: Arc::clone(&registry),
            client,
            recommender: None,
            clock: Arc::clone(&world.clock),
            key: world.key.clone(),
        };
        let home = Home::new(config.clone(), parts)?;
        Ok(Timeline { home, registry, world })
    }
}

impl World {
    /// The world in a folder, else the small one, which is generated into the cache folder on first use.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Box<dyn std::error::Error>> {
        let options = StoreOptions::default();
        let world = match folder {
            Some(folder) => world::World::open(folder, options)?,
            None => world::World::open_default(options)?,
        };
        // Beside the world, so that a cursor of one call opens in the next.
        let folder = folder.map_or_else(world::default_folder, Path::to_owned);
        Ok(Self {
            stores: Arc::clone(&world.stores).stores(),
            embedded: world.stores,
            clock: world.clock,
            ads: world.ads.into(),
            key: Key::open_or_create(&folder.join("key"))?,
        })
    }

    /// A generated world in memory that leaves nothing behind.
    pub(crate) fn generate(config: WorldConfig) -> Result<Self, Box<dyn std::error::Error>> {
        let clock = Arc::new(ManualClock::new(config.now));
        let world = LoadedWorld::generate(config)?;
        let ads = world.ads.into();
        let embedded = Arc::new(Embedded::in_memory(world.base, clock.clone(), StoreOptions::default())?);
        Ok(Self { stores: Arc::clone(&embedded).stores(), embedded, clock, ads, key: Key::random()? })
    }
}

/// A runtime with a worker for each core.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_time().build()
}
