//! GPU-first inference for feed ranking: Twitter's Heavy Ranker, a parallel MaskNet, in hand-written kernels.

mod architecture;
mod backend;
pub mod batch;
pub mod config;
mod error;
mod model;
pub mod plan;
mod score_weights;
mod scores;
pub mod weights;

pub use architecture::{Architecture, Layer, LayerKind};
pub use backend::{Backend, Device, Precision};
pub use batch::{Batch, Binary, Columns, Features, Request, Split};
pub use error::{Error, Result};
pub use model::{Model, ModelOptions};
pub use score_weights::ScoreWeights;
pub use scores::{Outputs, Scores, Status};
