//! A model: a configuration, the widths of its inputs and its weights, checked against each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Case, ModelConfig, Task, Widths, widths_from_schema};
use crate::weights::Weights;
use crate::{Error, Result};

/// A model that can be scored with. Opened once; a clone shares everything.
///
/// A model on disk is a folder with `config.yaml`, `model.safetensors` and, optionally, `segdense.json` or `case.json`.
#[derive(Clone, Debug)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: ModelConfig,
    widths: Widths,
    weights: Arc<Weights>,
}

impl Model {
    /// Opens a model's folder.
    ///
    /// # Errors
    /// See [`ModelOptions::open`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(folder)
    }

    /// Opens a golden case's folder: a model's folder with a `case.json`, which may call for seeded weights.
    ///
    /// # Errors
    /// See [`ModelOptions::open`] and [`Case::read`]; seeded weights are called for, and there is no seed.
    pub fn open_case(folder: impl AsRef<Path>) -> Result<(Self, Case)> {
        let folder = folder.as_ref();
        let case = Case::read(folder.join("case.json"))?;
        let mut options = Self::options();
        if case.seeded_weights {
            let missing =
                || Error::config(&case.file, "seed", "expected the seed of the weights, found none");
            options = options.seed(case.seed.ok_or_else(missing)?);
        }
        Ok((options.open(folder)?, case))
    }

    /// For a model whose parts are not all in their usual places.
    #[must_use]
    pub fn options() -> ModelOptions {
        ModelOptions::default()
    }

    /// A model of parts in memory.
    ///
    /// # Errors
    /// The weights do not have the names, shapes, types and values that the configuration and the widths call for.
    pub fn new(config: ModelConfig, widths: Widths, weights: impl Into<Arc<Weights>>) -> Result<Self> {
        let weights = weights.into();
        weights.check(&config, widths)?;
        Ok(Self { inner: Arc::new(Inner { config, widths, weights }) })
    }

    /// A model with seeded weights.
    ///
    /// # Errors
    /// The widths do not fit the configuration, or the weights would exceed 16 GiB.
    pub fn seeded(config: ModelConfig, widths: Widths, seed: u64) -> Result<Self> {
        let weights = Weights::seeded(&config, widths, seed)?;
        Self::new(config, widths, weights)
    }

    /// What the model computes.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.inner.config
    }

    /// Widths of the raw inputs.
    #[must_use]
    pub fn widths(&self) -> Widths {
        self.inner.widths
    }

    /// The weights, checked.
    #[must_use]
    pub fn weights(&self) -> &Arc<Weights> {
        &self.inner.weights
    }

    /// The predicted engagements, in the order of the configuration and of every output.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.inner.config.tasks
    }
}

/// Where the parts of a model are, as far as they are not in its folder.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    config: Option<PathBuf>,
    weights: Option<PathBuf>,
    schema: Option<PathBuf>,
    widths: Option<Widths>,
    seed: Option<u64>,
}

impl ModelOptions {
    /// The configuration, instead of the folder's `config.yaml`.
    #[must_use]
    pub fn config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// The weights, instead of the folder's `model.safetensors`.
    #[must_use]
    pub fn weights(mut self, path: impl Into<PathBuf>) -> Self {
        self.weights = Some(path.into());
        self
    }

    /// The segdense schema, instead of the folder's `segdense.json`.
    #[must_use]
    pub fn schema(mut self, path: impl Into<PathBuf>) -> Self {
        self.schema = Some(path.into());
        self
    }

    /// The widths of the inputs. Whatever else tells them must agree.
    #[must_use]
    pub fn widths(mut self, widths: Widths) -> Self {
        self.widths = Some(widths);
        self
    }

    /// Seeded weights instead of a file.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Reads the configuration of a model alone.
    ///
    /// # Errors
    /// See [`ModelConfig::read`].
    pub fn read_config(&self, folder: impl AsRef<Path>) -> Result<ModelConfig> {
        ModelConfig::read(self.config.clone().unwrap_or_else(|| folder.as_ref().join("config.yaml")))
    }

    /// Opens the model. The widths come from those given, the segdense schema with the configuration's truncations,
    /// `case.json`, or else the weights; all that are there must agree.
    ///
    /// # Errors
    /// A part is missing, broken or not supported; two sources disagree about a width; nothing tells the widths; the
    /// weights do not fit.
    pub fn open(&self, folder: impl AsRef<Path>) -> Result<Model> {
        let folder = folder.as_ref();
        let config = self.read_config(folder)?;
        let told = self.told_widths(folder, &config)?;
        if let Some(seed) = self.seed {
            let Some((_, widths)) = told else {
                return Err(Error::Argument {
                    argument: "widths",
                    expected: "a segdense schema, a case.json or given widths".into(),
                    found: format!("none of them in {}, and seeded weights tell none", folder.display()),
                });
            };
            return Model::seeded(config, widths, seed);
        }
        let weights =
            Weights::open(self.weights.clone().unwrap_or_else(|| folder.join("model.safetensors")))?;
        let Some((source, widths)) = told else {
            let widths = weights.widths(&config)?;
            return Model::new(config, widths, weights);
        };
        let contradiction = weights.widths_seen(&config).contradiction(widths);
        Model::new(config, widths, weights).map_err(|error| match (error, contradiction) {
            (Error::Weights { file, tensor, problem }, Some((name, told, seen))) => {
                let source = source.display();
                let problem = format!("{problem}; {source} has {name} {told}, these weights have {seen}");
                Error::Weights { file, tensor, problem }
            }
            (error, _) => error,
        })
    }

    /// The widths that are told by anything but the weights, and by what.
    ///
    /// # Errors
    /// A source cannot be read, or two of them disagree; the error names both.
    pub fn told_widths(&self, folder: &Path, config: &ModelConfig) -> Result<Option<(PathBuf, Widths)>> {
        let mut told: Vec<(PathBuf, Widths)> = Vec::new();
        if let Some(widths) = self.widths {
            told.push((PathBuf::from("the given widths"), widths));
        }
        let schema = self.schema.clone().or_else(|| existing(folder, "segdense.json"));
        if let Some(schema) = schema {
            let widths = widths_from_schema(&schema, &config.records)?;
            told.push((schema, widths));
        }
        if let Some(case) = existing(folder, "case.json") {
            told.push((case.clone(), Case::read(&case)?.widths));
        }
        if let Some((first, rest)) = told.split_first() {
            for (other, widths) in rest {
                if let Some((name, a, b)) = first.1.difference(*widths) {
                    return Err(disagreement(&first.0, other, name, a, b));
                }
            }
        }
        Ok(told.into_iter().next())
    }
}

fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(name)).filter(|path| path.exists())
}

fn disagreement(a: &Path, b: &Path, name: &str, in_a: usize, in_b: usize) -> Error {
    Error::Argument {
        argument: "widths",
        expected: format!("{name} {in_a} as {} has it", a.display()),
        found: format!("{in_b} in {}", b.display()),
    }
}
