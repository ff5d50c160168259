//! A model: a configuration, the widths of its inputs and its weights, checked against each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Case, ModelConfig, Task, Widths, read_text, widths_from_schema};
use crate::weights::Weights;
use crate::{Error, Result};

/// A model that can be scored with. Opened once; a clone shares everything.
///
/// A model on disk is a folder with `config.yaml`, `model.safetensors` and, optionally, `segdense.json` or `case.json`; or
/// one file that [`crate::ScorerBuilder::pack`] made of such a folder.
#[derive(Clone, Debug)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: ModelConfig,
    widths: Widths,
    weights: Arc<Weights>,
    texts: Texts,
}

/// The texts that a model was read from, where it was read.
#[derive(Clone, Debug, Default)]
struct Texts {
    config: Option<String>,
    schema: Option<String>,
}

impl Model {
    /// Opens a model's folder, or a packed model's file.
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
        Ok(Self { inner: Arc::new(Inner { config, widths, weights, texts: Texts::default() }) })
    }

    fn with_texts(self, texts: Texts) -> Self {
        let Inner { config, widths, weights, .. } = &*self.inner;
        let (config, weights) = (config.clone(), Arc::clone(weights));
        Self { inner: Arc::new(Inner { config, widths: *widths, weights, texts }) }
    }

    /// Opens a packed model's file without a copy: what processes have mapped so, they share.
    ///
    /// # Errors
    /// See [`Weights::open_packed`].
    ///
    /// # Safety
    /// Until the model and every scorer made of it are dropped, nothing may write to the file or shrink it: a write
    /// changes scores after they were checked, reading past a shrunken end kills the process.
    pub unsafe fn open_packed_shared(path: impl AsRef<Path>) -> Result<Self> {
        // SAFETY: the caller's promise is the one that `open_packed_shared` asks for; the model owns the weights.
        Ok(Self::of_packed(unsafe { Weights::open_packed_shared(path) }?))
    }

    /// A packed model from the bytes of its file; `name` stands for the file in errors.
    ///
    /// # Errors
    /// See [`Weights::open_packed`].
    pub fn from_packed_bytes(name: impl Into<PathBuf>, bytes: &[u8]) -> Result<Self> {
        Ok(Self::of_packed(Weights::packed_from_bytes(name, bytes)?))
    }

    /// Opening has held the weights against their configuration.
    fn of_packed(weights: Weights) -> Self {
        let (config, widths, texts) = match weights.packed() {
            Some(packed) => {
                let texts = Texts {
                    config: Some(packed.config_text().to_owned()),
                    schema: packed.schema().map(str::to_owned),
                };
                (packed.config().clone(), packed.widths(), texts)
            }
            None => unreachable!("a packed file's weights are packed"),
        };
        Self { inner: Arc::new(Inner { config, widths, weights: Arc::new(weights), texts }) }
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

    /// The text of the configuration, where the model was read from one.
    #[must_use]
    pub fn config_text(&self) -> Option<&str> {
        self.inner.texts.config.as_deref()
    }

    /// The text of the segdense schema, where the model came with one.
    #[must_use]
    pub fn schema_text(&self) -> Option<&str> {
        self.inner.texts.schema.as_deref()
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
        ModelConfig::read(self.config_path(folder.as_ref()))
    }

    fn config_path(&self, folder: &Path) -> PathBuf {
        self.config.clone().unwrap_or_else(|| folder.join("config.yaml"))
    }

    /// Opens the model: a folder, or a packed model's file, which has all parts in it. The widths come from those given, the segdense schema with the configuration's truncations,
    /// `case.json`, or else the weights; all that are there must agree.
    ///
    /// # Errors
    /// A part is missing, broken or not supported; two sources disagree about a width; nothing tells the widths; the
    /// weights do not fit.
    pub fn open(&self, folder: impl AsRef<Path>) -> Result<Model> {
        let folder = folder.as_ref();
        if folder.is_file() {
            return self.open_packed(folder);
        }
        let (config, text) = ModelConfig::read_with_text(&self.config_path(folder))?;
        let schema = self.schema.clone().or_else(|| existing(folder, "segdense.json"));
        let schema = schema.map(|path| read_text(&path, MAX_SCHEMA)).transpose()?;
        let texts = Texts { config: Some(text), schema };
        Ok(self.open_parts(folder, config)?.with_texts(texts))
    }

    fn open_packed(&self, file: &Path) -> Result<Model> {
        let others = [
            ("config", self.config.is_some()),
            ("weights", self.weights.is_some()),
            ("seed", self.seed.is_some()),
        ];
        if let Some((argument, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(Error::Argument {
                argument,
                expected: "a model folder, whose parts can be replaced".into(),
                found: format!("the packed model {}", file.display()),
            });
        }
        let model = Model::of_packed(Weights::open_packed(file)?);
        if let Some((name, a, b)) = self.widths.and_then(|widths| widths.difference(model.widths())) {
            return Err(disagreement(Path::new("the given widths"), file, name, a, b));
        }
        Ok(model)
    }

    fn open_parts(&self, folder: &Path, config: ModelConfig) -> Result<Model> {
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

/// Most bytes of a schema that is kept for packing.
const MAX_SCHEMA: u64 = 64 << 20;

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
