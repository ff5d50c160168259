//! Batch norm in inference form: every column has its own running mean and variance.

use crate::layer_norm::Affine;
use crate::tensors::{self, Kind};
use crate::{Error, NORM_EPSILON, Tensors, spec};
use std::borrow::Cow;

/// Statistics and weights of a batch norm.
#[derive(Clone, Debug)]
pub struct BatchNorm<'a> {
    /// `(width)`.
    pub running_mean: Cow<'a, [f64]>,
    /// `(width)`.
    pub running_variance: Cow<'a, [f64]>,
    /// Weight and bias, when configured.
    pub affine: Option<Affine<'a>>,
}

impl<'a> BatchNorm<'a> {
    /// Reads `PREFIX.running_mean`, `PREFIX.running_var` and, when affine, `PREFIX.weight` and `PREFIX.bias`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorLength`].
    pub fn load(
        tensors: &'a dyn Tensors,
        prefix: &str,
        spec: spec::BatchNorm,
        width: (&'static str, usize),
    ) -> Result<Self, Error> {
        let mean = format!("{prefix}.running_mean");
        let variance = format!("{prefix}.running_var");
        Ok(Self {
            running_mean: tensors::required(tensors, &mean, Kind::RunningMean, &[width])?,
            running_variance: tensors::required(tensors, &variance, Kind::RunningVariance, &[width])?,
            affine: if spec.affine { Some(Affine::load(tensors, prefix, width)?) } else { None },
        })
    }
}

/// `y = (x − running_mean) / sqrt(running_var + 1e-5)`, then `· γ + β` when affine, column by column.
///
/// Shapes: `x` (rows, width), everything in `norm` (width), result (rows, width).
///
/// ```
/// use maskrank_reference::batch_norm::{BatchNorm, batch_norm};
/// use std::borrow::Cow;
/// let norm = BatchNorm {
///     running_mean: Cow::Borrowed(&[1.0, 0.0, -1.0]),
///     running_variance: Cow::Borrowed(&[4.0 - 1e-5, 1.0 - 1e-5, 0.25 - 1e-5]),
///     affine: None,
/// };
/// // (3 − 1) / 2, 5 / 1, (0 + 1) / ½; (1 − 1) / 2, −1 / 1, (−1 + 1) / ½
/// let y = batch_norm(&[3.0, 5.0, 0.0, /**/ 1.0, -1.0, -1.0], &norm);
/// for (y, expected) in y.iter().zip([1.0, 5.0, 2.0, 0.0, -1.0, 0.0]) {
///     assert!((y - expected).abs() <= 1e-15);
/// }
/// ```
///
/// # Panics
/// When the lengths do not fit each other, or there are no columns.
pub fn batch_norm(x: &[f64], norm: &BatchNorm<'_>) -> Vec<f64> {
    let width = norm.running_mean.len();
    assert!(width > 0, "batch_norm: no width");
    assert_eq!(norm.running_variance.len(), width, "batch_norm: running_variance is not (width)");
    assert!(x.len().is_multiple_of(width), "batch_norm: x is not (rows, width {width})");
    if let Some(affine) = &norm.affine {
        assert_eq!(affine.weight.len(), width, "batch_norm: weight is not (width)");
        assert_eq!(affine.bias.len(), width, "batch_norm: bias is not (width)");
    }
    let mut y = Vec::with_capacity(x.len()); // (rows, width)
    for row in x.chunks_exact(width) {
        for (column, value) in row.iter().enumerate() {
            let deviation = (norm.running_variance[column] + NORM_EPSILON).sqrt();
            let normalised = (value - norm.running_mean[column]) / deviation;
            y.push(match &norm.affine {
                Some(affine) => normalised * affine.weight[column] + affine.bias[column],
                None => normalised,
            });
        }
    }
    y
}
