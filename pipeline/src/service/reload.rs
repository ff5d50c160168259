//! Takes a changed configuration while the service runs: whole or not at all.
//!
//! All files are read and checked, and products are made from them, before anything is replaced. Whatever is wrong on the
//! way is logged and counted, and the configuration in use stays. Requests under way end under the one they began with.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::app::App;
use super::config::ServiceConfig;
use crate::config::{ConfigError, PipelineConfig, ScoreWeights};
use crate::timeline::Home;

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// The files that a service is configured from; what has none keeps its defaults.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The funnel's constants.
    pub pipeline: Option<PathBuf>,
    /// Score weights, in place of those of the funnel's constants.
    pub weights: Option<PathBuf>,
    /// The service's limits.
    pub service: Option<PathBuf>,
    /// The funnel's constants where there is no file.
    pub otherwise: PipelineConfig,
}

/// Why a configuration was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// A file cannot be read, does not parse, or has a value out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No products can be made with it.
    #[error("no products with this configuration: {0}")]
    Home(Box<dyn std::error::Error + Send + Sync>),
}

/// Makes products from a configuration.
pub type Build =
    Box<dyn Fn(&PipelineConfig) -> Result<Arc<Home>, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

/// Reads configurations and puts them in place.
pub struct Reloader {
    watched: Watched,
    build: Build,
}

/// What can be seen of a file without reading it.
type Stamp = Option<(u64, SystemTime)>;

impl Watched {
    /// Reads and checks all files.
    ///
    /// # Errors
    /// One cannot be read, does not parse, or has a value out of range.
    pub fn read(&self) -> Result<(PipelineConfig, ServiceConfig), ConfigError> {
        let mut pipeline = match &self.pipeline {
            Some(path) => PipelineConfig::open(path)?,
            None => self.otherwise.clone(),
        };
        if let Some(path) = &self.weights {
            pipeline.scoring.weights = read_weights(path)?;
            pipeline.check()?;
        }
        let service = self.service.as_deref().map(ServiceConfig::open).transpose()?;
        Ok((pipeline, service.unwrap_or_default()))
    }

    fn stamps(&self) -> [Stamp; 3] {
        let stamp = |path: &Option<PathBuf>| {
            let metadata = fs::metadata(path.as_ref()?).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        };
        [stamp(&self.pipeline), stamp(&self.weights), stamp(&self.service)]
    }
}

fn read_weights(path: &Path) -> Result<ScoreWeights, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(read)?;
    serde_norway::from_str(&text)
        .map_err(|error| ConfigError::Syntax { path: path.to_owned(), problem: error.to_string() })
}

impl Reloader {
    /// A reloader of these files.
    pub fn new(watched: Watched, build: Build) -> Self {
        Self { watched, build }
    }

    /// The products and limits as the files say now.
    ///
    /// # Errors
    /// A file is not as it must be, or no products can be made.
    pub fn read(&self) -> Result<(Arc<Home>, ServiceConfig), ReloadError> {
        let (pipeline, service) = self.watched.read()?;
        let home = (self.build)(&pipeline).map_err(ReloadError::Home)?;
        Ok((home, service))
    }

    /// Reads the files and puts what they say in place. Returns the configuration's number.
    ///
    /// # Errors
    /// A file is not as it must be: everything stays as it is.
    pub fn reload(&self, app: &App) -> Result<u64, ReloadError> {
        let read = self.read();
        app.metrics().reloaded(read.is_ok());
        match read {
            Ok((home, config)) => {
                let generation = app.replace(home, config);
                tracing::info!(generation, "the configuration was replaced");
                Ok(generation)
            }
            Err(error) => {
                tracing::error!(%error, "the configuration was not taken; the one in use stays");
                Err(error)
            }
        }
    }

    /// Reloads whenever a file has changed and then stayed as it is for a moment, so that one that is still being
    /// written is not taken for a short one; and at once when `asked` resolves. Runs until dropped.
    pub async fn watch<F: Future<Output = ()>>(self, app: Arc<App>, mut asked: impl FnMut() -> F) {
        let this = Arc::new(self);
        let mut taken = this.watched.stamps();
        let mut seen = taken;
        loop {
            let is_asked = tokio::select! {
                () = asked() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let now = this.watched.stamps();
            let is_changed = now != taken && now == seen;
            seen = now;
            if is_asked || is_changed {
                taken = now;
                // Building products computes and reads files: not on a thread that answers requests.
                let (this, app) = (Arc::clone(&this), Arc::clone(&app));
                // Its outcome is in the log and the metrics.
                _ = tokio::task::spawn_blocking(move || _ = this.reload(&app)).await;
            }
        }
    }
}
