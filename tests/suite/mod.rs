//! The suite: cases and properties, written once, run for every backend and precision that is present.
//!
//! A trial never skips itself: what cannot run is listed as ignored by the runner, with the reason in its name.

pub mod golden;
pub mod invariance;
pub mod ragged;
pub mod random_model;
pub mod reuse;
pub mod sizes;
pub mod staging;
pub mod threads;

#[path = "../common/random.rs"]
mod random;

use std::path::PathBuf;

use maskrank::{Backend, Model, Precision, Scorer, Split};

pub use random::Random;

/// What a trial runs on.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub backend: Backend,
    pub precision: Precision,
}

impl Target {
    pub fn name(&self) -> String {
        format!("{}/{}", self.backend, self.precision)
    }

    pub fn scorer(&self, model: &Model, max_candidates: usize) -> Scorer {
        self.split_scorer(model, max_candidates, Split::default())
    }

    pub fn split_scorer(&self, model: &Model, max_candidates: usize, split: Split) -> Scorer {
        Scorer::builder(model)
            .backend(self.backend)
            .precision(self.precision)
            .max_candidates(max_candidates)
            .max_in_flight(1)
            .split(split)
            .build()
            .unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }
}

/// A named check on one target.
pub struct Trial {
    pub name: String,
    pub run: Box<dyn FnOnce(Target) + Send>,
}

impl Trial {
    pub fn new(name: impl Into<String>, run: impl FnOnce(Target) + Send + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

pub fn trials() -> Vec<Trial> {
    [
        golden::trials(),
        random_model::trials(),
        ragged::trials(),
        reuse::trials(),
        invariance::trials(),
        sizes::trials(),
        staging::trials(),
        threads::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where the golden cases are: `MASKRANK_GOLDEN`, else in the repository.
pub fn golden_folder() -> PathBuf {
    match std::env::var_os("MASKRANK_GOLDEN") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
    }
}
