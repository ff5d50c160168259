//! The f64 truth of the Heavy Ranker: what every backend must compute, as plain code.
//!
//! The model runs layer by layer as its configuration says: nothing is folded, planned, threaded or vectorised, and
//! every sum is an f64. It depends on nothing but `std` and shares no arithmetic with the product that it judges.
//!
//! - [`Spec`] is the architecture, [`Tensors`] the source of the weights, [`Inputs`] a batch.
//! - [`forward`] runs it all and returns an [`Output`] with every intermediate that is worth comparing.
//! - Each layer is a public function in a module of its own: [`featurize`], [`batch_norm`], [`layer_norm`],
//!   [`linear`], [`mask_block`], [`mask_net`], [`mlp`], [`multi_task`], [`head`].
//! - [`Precision`] turns the same pass into one that rounds where kernels of a lower precision round.
//! - [`seeded`] makes weights and inputs from a seed.
//!
//! All matrices are row-major slices; a linear weight is `(outputs, inputs)`. Shapes are written `(rows, width)`.
#![forbid(unsafe_code)]
#![warn(clippy::missing_assert_message)]

pub mod batch_norm;
mod error;
pub mod featurize;
mod forward;
pub mod head;
pub mod layer_norm;
pub mod linear;
pub mod mask_block;
pub mod mask_net;
mod matrix;
pub mod mlp;
pub mod multi_task;
pub mod rounding;
pub mod seeded;
pub mod spec;
mod tensors;

pub use error::Error;
pub use forward::{Inputs, Output, Status, forward};
pub use matrix::Matrix;
pub use rounding::Precision;
pub use spec::Spec;
pub use tensors::{Kind, Tensors, Wanted};

/// Epsilon of every norm but the one over the dense features, whose epsilon is configured.
pub const NORM_EPSILON: f64 = 1e-5;
