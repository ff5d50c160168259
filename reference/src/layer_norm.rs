//! Layer norm, over the last dimension.

use crate::tensors::{self, Kind};
use crate::{Error, Tensors};
use std::borrow::Cow;

/// The weight and bias after a norm.
#[derive(Clone, Debug)]
pub struct Affine<'a> {
    /// γ, `(width)`.
    pub weight: Cow<'a, [f64]>,
    /// β, `(width)`.
    pub bias: Cow<'a, [f64]>,
}

impl<'a> Affine<'a> {
    /// Reads `PREFIX.weight` and `PREFIX.bias`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorLength`].
    pub fn load(tensors: &'a dyn Tensors, prefix: &str, width: (&'static str, usize)) -> Result<Self, Error> {
        Ok(Self {
            weight: tensors::required(tensors, &format!("{prefix}.weight"), Kind::NormWeight, &[width])?,
            bias: tensors::required(tensors, &format!("{prefix}.bias"), Kind::NormBias, &[width])?,
        })
    }
}

/// For every row, `y = (x − mean) / sqrt(variance + epsilon) · γ + β`, with the variance of the population (divided
/// by n, not n − 1).
///
/// Shapes: `x` (rows, width), γ and β (width), result (rows, width). See [`moments`] for the two sums. A constant row
/// has variance 0 exactly; under `epsilon` 0 it is 0 / 0, so NaN.
///
/// ```
/// use maskrank_reference::layer_norm::layer_norm;
/// // means 2 and 5; variances (1 + 0 + 1) / 3 and (9 + 9 + 36 ) / 3 = 18; epsilon makes them 1 and 18 ⅓
/// let x = [1.0, 2.0, 3.0, /**/ 2.0, 2.0, 11.0];
/// let y = layer_norm(&x, 3, 1.0 / 3.0, None);
/// let scale = (55.0_f64 / 3.0).sqrt();
/// for (y, expected) in y.iter().zip([-1.0, 0.0, 1.0, -3.0 / scale, -3.0 / scale, 6.0 / scale]) {
///     assert!((y - expected).abs() <= 1e-15);
/// }
/// ```
///
/// # Panics
/// When the lengths do not fit each other, or `width` is 0.
pub fn layer_norm(x: &[f64], width: usize, epsilon: f64, affine: Option<&Affine<'_>>) -> Vec<f64> {
    assert!(width > 0, "layer_norm: no width");
    assert!(x.len().is_multiple_of(width), "layer_norm: x is not (rows, width {width})");
    if let Some(affine) = affine {
        assert_eq!(affine.weight.len(), width, "layer_norm: weight is not (width)");
        assert_eq!(affine.bias.len(), width, "layer_norm: bias is not (width)");
    }
    let mut y = Vec::with_capacity(x.len()); // (rows, width)
    for row in x.chunks_exact(width) {
        let (mean, variance) = moments(row);
        let deviation = (variance + epsilon).sqrt();
        for (column, value) in row.iter().enumerate() {
            let normalised = (value - mean) / deviation;
            y.push(match affine {
                Some(affine) => normalised * affine.weight[column] + affine.bias[column],
                None => normalised,
            });
        }
    }
    y
}

/// Mean and population variance of one row `(width)`.
///
/// `mean = x_0 + Σ(x_i − x_0) / n`, `variance = Σ(x_i − mean)² / n`. Starting from `x_0` instead of 0 makes the mean of
/// a constant row that constant, with no rounding, and its variance 0.
///
/// ```
/// use maskrank_reference::layer_norm::moments;
/// assert_eq!(moments(&[1.0, 2.0, 6.0]), (3.0, 14.0 / 3.0));
/// assert_eq!(moments(&[0.1; 3]), (0.1, 0.0));
/// ```
///
/// # Panics
/// When the row is empty.
pub fn moments(row: &[f64]) -> (f64, f64) {
    assert!(!row.is_empty(), "moments: empty row");
    let count = row.len() as f64;
    let mean = row[0] + row.iter().map(|value| value - row[0]).sum::<f64>() / count;
    let variance = row.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    (mean, variance)
}
