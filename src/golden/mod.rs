//! Golden cases: a model, its inputs, and the outputs that the released training code gave for them in f64.
//!
//! A case is a folder with `config.yaml`, `case.json`, `inputs.safetensors`, `expected.safetensors` and, unless its
//! weights are seeded, `model.safetensors`.

mod bound;
mod compare;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

pub use bound::{Bound, HEAD_RELATIVE, logit_bound_f32};
pub use compare::{Check, Comparison};

use crate::records::RecordBlock;
use crate::weights::{Dtype, Tensor};
use crate::{
    Batch, Binary, Columns, Error, Features, Model, Request, Result, ScoreOptions, Scorer, Scores, truth,
};

/// A case in memory.
#[derive(Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// The model.
    pub model: Model,
    /// Candidates.
    pub rows: usize,
    /// (tasks), in the model's order.
    pub score_weights: Vec<f64>,
    inputs: BTreeMap<String, Vec<f32>>,
    expected: BTreeMap<String, Vec<f64>>,
    folder: PathBuf,
}

impl Case {
    /// The case folders inside `folder`, sorted by name, or `folder` itself when it is one.
    ///
    /// # Errors
    /// When the folder cannot be read or holds no case.
    pub fn find(folder: &Path) -> Result<Vec<PathBuf>> {
        if folder.join("case.json").is_file() {
            return Ok(vec![folder.to_owned()]);
        }
        let entries = std::fs::read_dir(folder).map_err(|source| Error::io("read", folder, source))?;
        let mut cases = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| Error::io("read", folder, source))?.path();
            if path.join("case.json").is_file() {
                cases.push(path);
            }
        }
        cases.sort();
        if cases.is_empty() {
            return Err(Error::config(
                folder,
                "case.json",
                "expected in this folder or in a folder inside it, found none",
            ));
        }
        Ok(cases)
    }

    /// Reads and checks a case.
    ///
    /// # Errors
    /// Whatever is missing from it, damaged, or of another shape than its model's.
    pub fn open(folder: &Path) -> Result<Self> {
        let (model, description) = Model::open_case(folder)?;
        let file = &description.file;
        let tasks: Vec<&str> = model.tasks().iter().map(|task| task.name.as_str()).collect();
        if !description.tasks.is_empty() && description.tasks != tasks {
            return Err(Error::config(file, "tasks", format!("expected the configuration's {tasks:?}")));
        }
        if description.score_weights.len() != tasks.len() {
            let found = description.score_weights.len();
            return Err(Error::config(
                file,
                "score_weights",
                format!("expected {}, found {found}", tasks.len()),
            ));
        }
        let Some(rows) = description.rows else {
            return Err(Error::config(file, "rows", "expected the number of candidates, found none"));
        };
        let mut case = Self {
            name: folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(),
            rows,
            score_weights: description.score_weights,
            inputs: BTreeMap::new(),
            expected: BTreeMap::new(),
            folder: folder.to_owned(),
            model,
        };
        case.read_inputs()?;
        case.read_expected()?;
        Ok(case)
    }

    /// A case whose expected outputs the reference computes. Inputs are (rows, width) by name.
    ///
    /// # Errors
    /// When an input is missing or misshapen.
    pub fn from_inputs(
        name: &str,
        model: &Model,
        rows: usize,
        score_weights: Vec<f64>,
        inputs: BTreeMap<String, Vec<f32>>,
    ) -> Result<Self> {
        let mut case = Self {
            name: name.to_owned(),
            model: model.clone(),
            rows,
            score_weights,
            inputs,
            expected: BTreeMap::new(),
            folder: PathBuf::from(name),
        };
        let output = case.truth(truth::TruthPrecision::F64)?;
        case.expected = BTreeMap::from([
            ("logits".to_owned(), output.logits.values().to_vec()),
            ("probabilities".to_owned(), output.probabilities.values().to_vec()),
            ("calibrated_probabilities".to_owned(), output.calibrated_probabilities.values().to_vec()),
            ("score".to_owned(), output.score),
            ("score_uncalibrated".to_owned(), output.score_uncalibrated),
        ]);
        Ok(case)
    }

    /// The first `rows` records of a block.
    ///
    /// # Errors
    /// When the block was read for a model of other widths.
    pub fn from_block(
        model: &Model,
        block: &RecordBlock,
        rows: usize,
        score_weights: Vec<f64>,
    ) -> Result<Self> {
        let widths = block.widths();
        let take = |values: &[f32], width: usize| values[..rows * width].to_vec();
        let binary = block.binary()[..rows * widths.binary].iter().map(|&b| f32::from(b)).collect();
        let inputs = BTreeMap::from([
            ("continuous".to_owned(), take(block.continuous(), widths.continuous)),
            ("binary".to_owned(), binary),
            ("user_embedding".to_owned(), take(block.user_embedding(), widths.user_embedding)),
            ("user_eng_embedding".to_owned(), take(block.user_eng_embedding(), widths.user_eng_embedding)),
            ("author_embedding".to_owned(), take(block.author_embedding(), widths.author_embedding)),
        ]);
        Self::from_inputs("records", model, rows, score_weights, inputs)
    }

    /// The case's first rows, with what is expected of them.
    ///
    /// # Errors
    /// When it has fewer.
    pub fn first(&self, rows: usize) -> Result<Self> {
        if rows > self.rows {
            return Err(Error::Argument {
                argument: "rows",
                expected: format!("at most {}", self.rows),
                found: rows.to_string(),
            });
        }
        fn take<T: Copy>(
            values: &BTreeMap<String, Vec<T>>,
            of: usize,
            rows: usize,
        ) -> BTreeMap<String, Vec<T>> {
            let part = |values: &Vec<T>| values[..values.len() / of.max(1) * rows].to_vec();
            values.iter().map(|(name, values)| (name.clone(), part(values))).collect()
        }
        Ok(Self {
            name: format!("{}, first {rows}", self.name),
            model: self.model.clone(),
            rows,
            score_weights: self.score_weights.clone(),
            inputs: take(&self.inputs, self.rows, rows),
            expected: take(&self.expected, self.rows, rows),
            folder: self.folder.clone(),
        })
    }

    /// The case's rows scored by the reference.
    ///
    /// # Errors
    /// When the case does not fit its model.
    pub fn truth(&self, precision: truth::TruthPrecision) -> Result<maskrank_reference::Output> {
        truth::forward(&self.model, &self.reference_inputs(), &self.score_weights, precision)
    }

    fn read_inputs(&mut self) -> Result<()> {
        let file = self.folder.join("inputs.safetensors");
        let widths = self.model.widths();
        let mut tensors = read(&file)?;
        for (name, width) in widths.named() {
            let values = match tensors.remove(name) {
                None if width == 0 => Vec::new(),
                None => {
                    return Err(Error::weights(
                        &file,
                        name,
                        format!("expected [{}, {width}], absent", self.rows),
                    ));
                }
                Some(values) => values,
            };
            if values.len() != self.rows * width {
                let found = values.len();
                let problem = format!("expected [rows {}, {name} {width}], found {found} values", self.rows);
                return Err(Error::weights(&file, name, problem));
            }
            self.inputs.insert(name.to_owned(), values.into_iter().map(|v| v as f32).collect());
        }
        Ok(())
    }

    fn read_expected(&mut self) -> Result<()> {
        let file = self.folder.join("expected.safetensors");
        self.expected = read(&file)?;
        let tasks = self.score_weights.len();
        for (name, width) in
            [("logits", tasks), ("probabilities", tasks), ("calibrated_probabilities", tasks), ("score", 1)]
        {
            let found = self.expected.get(name).map(Vec::len);
            if found != Some(self.rows * width) {
                let problem = format!("expected {} values, found {found:?}", self.rows * width);
                return Err(Error::weights(&file, name, problem));
            }
        }
        Ok(())
    }

    /// An input, (rows, width); empty when the model does not have it.
    #[must_use]
    pub fn input(&self, name: &str) -> &[f32] {
        self.inputs.get(name).map_or(&[], Vec::as_slice)
    }

    /// An expected output in f64; empty when the case does not have it.
    #[must_use]
    pub fn expected(&self, name: &str) -> &[f64] {
        self.expected.get(name).map_or(&[], Vec::as_slice)
    }

    /// The rows as candidates of one request, every column given per candidate.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        let features = |name| Features::F32(self.input(name));
        let candidate = Columns {
            continuous: features("continuous"),
            binary: Binary::Numbers(self.input("binary")),
            user_embedding: features("user_embedding"),
            user_eng_embedding: features("user_eng_embedding"),
            author_embedding: features("author_embedding"),
        };
        Request { candidates: self.rows, request: Columns::default(), candidate }
    }

    /// The rows as the reference takes them.
    #[must_use]
    pub fn reference_inputs(&self) -> maskrank_reference::Inputs<'_> {
        maskrank_reference::Inputs {
            rows: self.rows,
            continuous: self.input("continuous"),
            binary: self.input("binary"),
            user_embedding: self.input("user_embedding"),
            user_eng_embedding: self.input("user_eng_embedding"),
            author_embedding: self.input("author_embedding"),
        }
    }

    /// Scores the case and compares every output with what is expected.
    ///
    /// # Errors
    /// When the scorer fails; a wrong output is a [`Comparison`] that does not pass.
    pub fn check(&self, scorer: &Scorer) -> Result<Comparison> {
        let requests = [self.request()];
        self.check_with(scorer, |options, scores| {
            scorer.score(Batch { requests: &requests }, options, scores)
        })
    }

    /// Like [`Case::check`], with the caller's own way to give the case's rows to the scorer.
    ///
    /// # Errors
    /// When `run` fails.
    pub fn check_with(
        &self,
        scorer: &Scorer,
        run: impl Fn(&ScoreOptions<'_>, &mut Scores) -> Result<()>,
    ) -> Result<Comparison> {
        compare::check(self, scorer.precision(), run)
    }
}

/// Every tensor of a file as f64.
fn read(file: &Path) -> Result<BTreeMap<String, Vec<f64>>> {
    let bytes = std::fs::read(file).map_err(|source| Error::io("read", file, source))?;
    let tensors = SafeTensors::deserialize(&bytes)
        .map_err(|error| Error::weights(file, "header", error.to_string()))?;
    let mut values = BTreeMap::new();
    for (name, view) in tensors.iter() {
        let dtype = match view.dtype() {
            safetensors::Dtype::F64 => Dtype::F64,
            safetensors::Dtype::F32 => Dtype::F32,
            safetensors::Dtype::BF16 => Dtype::Bf16,
            safetensors::Dtype::F16 => Dtype::F16,
            safetensors::Dtype::I64 => Dtype::I64,
            safetensors::Dtype::U8 => {
                values.insert(name.to_owned(), view.data().iter().map(|&b| f64::from(b)).collect());
                continue;
            }
            other => return Err(Error::weights(file, name, format!("expected floats, found {other:?}"))),
        };
        let tensor = Tensor { dtype, shape: view.shape(), bytes: view.data() };
        values.insert(name.to_owned(), tensor.to_vec());
    }
    Ok(values)
}
