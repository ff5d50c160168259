//! GPU-first inference for feed ranking: Twitter's Heavy Ranker, a parallel MaskNet, in hand-written kernels.

mod backend;
mod error;

pub use backend::Backend;
pub use error::{Error, Result};
