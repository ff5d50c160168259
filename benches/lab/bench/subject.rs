//! What is scored: models, inputs, and the truth about them.

use std::fs;
use std::path::{Path, PathBuf};

use maskrank::config::Widths;
use maskrank::golden::Case;
use maskrank::plan::{Cost, Folding, Plan};
use maskrank::weights::seeded::{self, SeededInputs};
use maskrank::{Binary, Columns, Features, Model, ModelConfig, Request, Split, truth};

/// Seed of all inputs.
pub(crate) const SEED: u64 = 7;
/// Most candidates of any row.
pub(crate) const CANDIDATES: usize = 1500;
/// Rows of the inputs that the reference scores in f64.
pub(crate) const TRUTH_ROWS: usize = 256;

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where what is made once is kept: under the build folder, which git ignores.
pub(crate) fn cache() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("bench-cache")
}

/// The production model and its golden case.
pub(crate) fn production() -> Result<Case, String> {
    Case::open(&root().join("tests/golden/production")).map_err(|error| error.to_string())
}

/// A model of another size than production's, with production's inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    aggregation: usize,
    hidden: usize,
    backbone: usize,
    tower: (usize, usize),
}

/// About an eighth of production's FLOPs, and four times.
pub(crate) const SIZES: [Size; 2] = [
    Size { name: "small", aggregation: 128, hidden: 128, backbone: 256, tower: (64, 32) },
    Size { name: "large", aggregation: 5120, hidden: 2048, backbone: 4096, tower: (512, 256) },
];

impl Size {
    /// # Errors
    /// When the production configuration cannot be read.
    pub(crate) fn model(&self) -> Result<Model, String> {
        let path = root().join("tests/golden/production/config.yaml");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = text
            .replace("aggregation_size: 1024", &format!("aggregation_size: {}", self.aggregation))
            .replace("output_size: 1024", &format!("output_size: {}", self.hidden))
            .replace("- 2048\n", &format!("- {}\n", self.backbone))
            .replace("- 256\n", &format!("- {}\n", self.tower.0))
            .replace("- 128\n", &format!("- {}\n", self.tower.1));
        let config = ModelConfig::from_yaml(&text, &path).map_err(|error| error.to_string())?;
        Model::seeded(config, PRODUCTION_WIDTHS, SEED).map_err(|error| error.to_string())
    }
}

/// Widths of the released model's inputs.
pub(crate) const PRODUCTION_WIDTHS: Widths = Widths {
    continuous: 2117,
    binary: 59,
    user_embedding: 200,
    user_eng_embedding: 200,
    author_embedding: 200,
};

/// Work and weights of a model.
pub(crate) fn cost(model: &Model) -> Cost {
    Plan::build(model.config(), model.widths(), model.weights(), 32, Folding::Weights).cost()
}

/// The same where some columns are given once a request.
pub(crate) fn cost_for(model: &Model, split: &Split) -> Cost {
    Plan::build_for(model.config(), model.widths(), model.weights(), 32, Folding::Weights, split).cost()
}

/// Random inputs, (candidates, width) each.
pub(crate) struct Inputs {
    pub(crate) widths: Widths,
    pub(crate) values: SeededInputs,
}

impl Inputs {
    pub(crate) fn new(model: &Model, candidates: usize) -> Self {
        Self { widths: model.widths(), values: seeded::inputs(model.widths(), candidates, SEED) }
    }

    /// Candidates `start..start + candidates` as one request. An embedding that the split takes once is the first
    /// candidate's.
    pub(crate) fn request(&self, start: usize, candidates: usize, split: &Split) -> Request<'_> {
        let rows = |width: usize, count: usize| start * width..(start + count) * width;
        let (values, widths) = (&self.values, self.widths);
        let embedding = |at: usize, once: bool| {
            if split.embeddings[at] != once {
                return Features::default();
            }
            let all = &values.embeddings[at];
            Features::F32(&all[rows(widths.embeddings()[at], if once { 1 } else { candidates })])
        };
        let embeddings = |once| Columns {
            user_embedding: embedding(0, once),
            user_eng_embedding: embedding(1, once),
            author_embedding: embedding(2, once),
            ..Columns::default()
        };
        let (continuous, binary) = (&values.continuous, &values.binary);
        Request {
            candidates,
            request: embeddings(true),
            candidate: Columns {
                continuous: Features::F32(&continuous[rows(widths.continuous, candidates)]),
                binary: Binary::Numbers(&binary[rows(widths.binary, candidates)]),
                ..embeddings(false)
            },
        }
    }
}

/// What the reference says in f64 of the first rows of [`Inputs`].
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// (rows, tasks).
    pub(crate) logits: Vec<f64>,
    /// (rows).
    pub(crate) scores: Vec<f64>,
}

impl Truth {
    /// Where it is kept.
    pub(crate) fn file(name: &str) -> PathBuf {
        cache().join(format!("truth-{name}-seed{SEED}-rows{TRUTH_ROWS}-v1.f64"))
    }

    /// Computed once, with all threads, and kept in the cache.
    ///
    /// # Errors
    /// When the reference refuses the model or the cache cannot be written.
    pub(crate) fn of(name: &str, model: &Model, weights: &[f64], inputs: &Inputs) -> Result<Self, String> {
        let tasks = weights.len();
        let file = Self::file(name);
        if let Ok(bytes) = fs::read(&file)
            && bytes.len() == 8 * TRUTH_ROWS * (tasks + 1)
        {
            let values: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
            let (logits, scores) = values.split_at(TRUTH_ROWS * tasks);
            return Ok(Self { logits: logits.to_vec(), scores: scores.to_vec() });
        }
        eprintln!(
            "the f64 reference scores {TRUTH_ROWS} candidates of {name}, once; later runs read {}",
            file.display()
        );
        let all = Self::fresh(model, weights, inputs)?;
        let bytes: Vec<u8> = all.logits.iter().chain(&all.scores).flat_map(|v| v.to_le_bytes()).collect();
        fs::create_dir_all(cache())
            .and_then(|()| fs::write(&file, bytes))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        Ok(all)
    }

    /// The same, computed now with all threads and kept nowhere.
    ///
    /// # Errors
    /// When the reference refuses the model.
    pub(crate) fn fresh(model: &Model, weights: &[f64], inputs: &Inputs) -> Result<Self, String> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let per = TRUTH_ROWS.div_ceil(threads);
        let parts = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|t| {
                    let rows = (t * per).min(TRUTH_ROWS)..((t + 1) * per).min(TRUTH_ROWS);
                    scope.spawn(move || Self::rows(model, weights, inputs, rows))
                })
                .collect();
            handles
                .into_iter()
                .map(|h| h.join().map_err(|_| "the reference panicked".to_owned())?)
                .collect::<Result<Vec<_>, String>>()
        })?;
        let mut all = Self { logits: Vec::new(), scores: Vec::new() };
        for part in parts {
            all.logits.extend(part.logits);
            all.scores.extend(part.scores);
        }
        Ok(all)
    }

    /// Of some of the inputs' rows, on this thread.
    ///
    /// # Errors
    /// When the reference refuses the model.
    pub(crate) fn rows(
        model: &Model,
        weights: &[f64],
        inputs: &Inputs,
        rows: std::ops::Range<usize>,
    ) -> Result<Self, String> {
        let part = |values: &'_ [f32], width: usize| values[rows.start * width..rows.end * width].to_vec();
        let (values, widths) = (&inputs.values, inputs.widths);
        let (continuous, binary) =
            (part(&values.continuous, widths.continuous), part(&values.binary, widths.binary));
        let embeddings: Vec<Vec<f32>> =
            (0..3).map(|at| part(&values.embeddings[at], widths.embeddings()[at])).collect();
        let given = maskrank_reference::Inputs {
            rows: rows.len(),
            continuous: &continuous,
            binary: &binary,
            user_embedding: &embeddings[0],
            user_eng_embedding: &embeddings[1],
            author_embedding: &embeddings[2],
        };
        let output = truth::forward(model, &given, weights, truth::TruthPrecision::F64)
            .map_err(|error| error.to_string())?;
        Ok(Self { logits: output.logits.values().to_vec(), scores: output.score })
    }
}
