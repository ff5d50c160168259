//! The linear layer.

use crate::tensors::{self, Kind};
use crate::{Error, Precision, Tensors};
use std::borrow::Cow;

/// Weights of a linear layer.
#[derive(Clone, Debug)]
pub struct Linear<'a> {
    /// `(outputs, inputs)`.
    pub weight: Cow<'a, [f64]>,
    /// `(outputs)`.
    pub bias: Cow<'a, [f64]>,
}

impl<'a> Linear<'a> {
    /// Reads `PREFIX.weight` and `PREFIX.bias`; `outputs` and `inputs` are named widths. The weight is rounded to
    /// `precision`, the bias is not.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorLength`].
    pub fn load(
        tensors: &'a dyn Tensors,
        prefix: &str,
        outputs: (&'static str, usize),
        inputs: (&'static str, usize),
        precision: Precision,
    ) -> Result<Self, Error> {
        let mut weight =
            tensors::required(tensors, &format!("{prefix}.weight"), Kind::LinearWeight, &[outputs, inputs])?;
        let bias = tensors::required(tensors, &format!("{prefix}.bias"), Kind::LinearBias, &[outputs])?;
        if precision != Precision::F64 {
            weight.to_mut().iter_mut().for_each(|w| *w = precision.round_weight(*w));
        }
        Ok(Self { weight, bias })
    }

    /// [`linear`] with these weights.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        linear(x, &self.weight, &self.bias)
    }
}

/// `y = x · Wᵀ + b`.
///
/// Shapes: `x` (rows, inputs), `weight` (outputs, inputs), `bias` (outputs), result (rows, outputs). The numbers of
/// outputs, inputs and rows follow from the lengths in this order. The loop over rows is the inner one, so that a row
/// of a large weight is read from memory once for a whole batch.
///
/// ```
/// use maskrank_reference::linear::linear;
/// // two rows of three inputs, two outputs
/// let x = [1.0, 2.0, 3.0, /**/ 0.0, -1.0, 1.0];
/// let weight = [1.0, 0.0, -1.0, /**/ 2.0, 1.0, 0.5];
/// let bias = [10.0, 0.25];
/// // 1 − 3 + 10, 2 + 2 + 1.5 + 0.25; −1 + 10, −1 + 0.5 + 0.25
/// assert_eq!(linear(&x, &weight, &bias), [8.0, 5.75, 9.0, -0.25]);
/// ```
///
/// # Panics
/// When the lengths do not fit each other, or there is no input or output.
pub fn linear(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let outputs = bias.len();
    assert!(outputs > 0, "linear: no outputs");
    assert!(weight.len().is_multiple_of(outputs), "linear: weight is not (outputs {outputs}, inputs)");
    let inputs = weight.len() / outputs;
    assert!(inputs > 0, "linear: no inputs");
    assert!(x.len().is_multiple_of(inputs), "linear: x is not (rows, inputs {inputs})");
    let rows = x.len() / inputs;

    let mut y = vec![0.0; rows * outputs]; // (rows, outputs)
    for output in 0..outputs {
        let weights = &weight[output * inputs..(output + 1) * inputs];
        for row in 0..rows {
            y[row * outputs + output] = dot(&x[row * inputs..(row + 1) * inputs], weights) + bias[output];
        }
    }
    y
}

/// `Σ a_i · b_i`, in four partial sums (elements 0, 4, 8, …; 1, 5, 9, …; and so on) that are added at the end.
///
/// Shapes: `a` (n), `b` (n). Four sums instead of one because they need not wait for each other.
///
/// ```
/// use maskrank_reference::linear::dot;
/// assert_eq!(dot(&[1.0, 2.0, 3.0, 4.0, 5.0], &[1.0, -1.0, 1.0, -1.0, 2.0]), 8.0);
/// ```
///
/// # Panics
/// When the lengths differ.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "dot: lengths differ");
    let mut sums = [0.0; 4];
    let (a_fours, a_rest) = a.as_chunks::<4>();
    let (b_fours, b_rest) = b.as_chunks::<4>();
    for (a, b) in a_fours.iter().zip(b_fours) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// `max(value, 0)` for every value of any shape; NaN stays NaN.
///
/// ```
/// let mut values = [-1.0, 0.0, 2.0, f64::NAN];
/// maskrank_reference::linear::relu(&mut values);
/// assert_eq!(values[..3], [0.0, 0.0, 2.0]);
/// assert!(values[3].is_nan());
/// ```
pub fn relu(values: &mut [f64]) {
    for value in values {
        if *value < 0.0 {
            *value = 0.0;
        }
    }
}
