//! GPU-first inference for feed ranking: Twitter's Heavy Ranker, a parallel MaskNet, in hand-written kernels.
//!
//! A [`Model`] is a training configuration with its weights, opened once. A [`Scorer`] is a model made ready on one
//! backend: it takes a [`Batch`] of requests, in the caller's own memory, and fills [`Scores`].
//!
//! ```no_run
//! use maskrank::{Batch, Model, Request, ScoreOptions, ScoreWeights, Scorer, Scores};
//!
//! # fn main() -> maskrank::Result<()> {
//! let model = Model::open("model")?;
//! let scorer = Scorer::builder(&model).max_candidates(1500).build()?;
//! let weights = ScoreWeights::default().resolve(model.tasks())?;
//! let mut scores = Scores::default();
//! let requests: Vec<Request<'_>> = Vec::new();
//! scorer.score(Batch { requests: &requests }, &ScoreOptions::new(&weights), &mut scores)?;
//! # Ok(()) }
//! ```

mod architecture;
#[cfg(test)]
extern crate self as maskrank;

mod backend;
pub mod batch;
pub mod batching;
pub mod config;
mod error;
#[cfg(feature = "cli")]
pub mod golden;
mod live;
mod model;
pub mod plan;
pub mod records;
mod score_weights;
mod scorer;
mod scores;
#[cfg(feature = "cli")]
pub mod truth;
pub mod weights;

#[cfg(feature = "cuda")]
#[doc(hidden)]
pub use backend::{cuda_ceilings, cuda_timing};
#[cfg(feature = "wgpu")]
#[doc(hidden)]
pub use backend::{wgpu_ceilings, wgpu_testing};

#[doc(hidden)]
pub use backend::StepClock;

pub use architecture::{Architecture, Layer, LayerKind};
pub use backend::{
    Backend, BinaryType, CpuKernel, Device, DeviceBatch, DeviceColumns, DeviceOutputs, DeviceSlice,
    DeviceStream, ElementType, Entry, FeatureType, Listing, Memory, Precision, devices,
};
pub use batch::{Batch, Binary, Columns, Features, Request, Split};
pub use batching::BatchingScorer;
pub use config::ModelConfig;
pub use error::{Error, Result};
pub use live::{Generation, LiveScorer};
pub use model::{Model, ModelOptions};
pub use score_weights::ScoreWeights;
pub use scorer::{
    BinaryMut, ColumnsMut, Feature, PassedOver, RequestMut, ScoreFrom, ScoreOptions, Scorer, ScorerBuilder,
    Staging,
};
pub use scores::{Outputs, Scores, Status};

/// The README's code is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
