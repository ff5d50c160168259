//! Where weights come from: a lookup by name, with the shape checked at the place that knows it.

use crate::Error;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// What a tensor is for. Stored weights do not need it; [seeded](crate::seeded) weights are drawn by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Weight of a linear layer, `[out, in]`.
    LinearWeight,
    /// Bias of a linear layer.
    LinearBias,
    /// Weight of a layer norm or batch norm.
    NormWeight,
    /// Bias of a layer norm or batch norm.
    NormBias,
    /// Running mean of a batch norm.
    RunningMean,
    /// Running variance of a batch norm.
    RunningVariance,
    /// A clamp, affine map or calibration ratio: optional, the configuration stands in for it.
    Constant,
}

/// A request for one tensor.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Name as in the PyTorch `state_dict`, without the `model.` prefix.
    pub name: &'a str,
    /// What it is for.
    pub kind: Kind,
    /// Its dimensions, outermost first, with their names; empty for a scalar.
    pub shape: &'a [(&'static str, usize)],
}

impl Wanted<'_> {
    /// Number of values: the product of the dimensions, 1 for a scalar.
    pub fn len(&self) -> usize {
        self.shape.iter().map(|(_, size)| size).product()
    }

    /// Whether a dimension is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape for a message: `[output_size 3, input_dim 2]`.
    pub fn describe(&self) -> String {
        let mut text = String::from("[");
        for (index, (dimension, size)) in self.shape.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}{dimension} {size}"); // writing to a String cannot fail
        }
        text + "]"
    }
}

/// A source of weights.
///
/// Every tensor of a forward pass is asked for once, when its layer runs, and dropped after it, so a source may widen
/// or generate values on the fly.
pub trait Tensors {
    /// The row-major values of a tensor, widened to f64, or `None` when there is no such tensor.
    ///
    /// A source that stores tensors looks at the name only. The length is checked by the caller.
    fn tensor(&self, wanted: &Wanted<'_>) -> Option<Cow<'_, [f64]>>;
}

impl Tensors for BTreeMap<String, Vec<f64>> {
    fn tensor(&self, wanted: &Wanted<'_>) -> Option<Cow<'_, [f64]>> {
        self.get(wanted.name).map(|values| Cow::Borrowed(values.as_slice()))
    }
}

impl Tensors for HashMap<String, Vec<f64>> {
    fn tensor(&self, wanted: &Wanted<'_>) -> Option<Cow<'_, [f64]>> {
        self.get(wanted.name).map(|values| Cow::Borrowed(values.as_slice()))
    }
}

impl Tensors for BTreeMap<String, Vec<f32>> {
    fn tensor(&self, wanted: &Wanted<'_>) -> Option<Cow<'_, [f64]>> {
        self.get(wanted.name).map(|values| values.iter().map(|&v| f64::from(v)).collect())
    }
}

/// Looks a tensor up and checks its length, `None` when it is absent.
///
/// # Errors
/// [`Error::TensorLength`] when the length is not the product of the shape.
pub(crate) fn optional<'a>(
    tensors: &'a dyn Tensors,
    wanted: &Wanted<'_>,
) -> Result<Option<Cow<'a, [f64]>>, Error> {
    match tensors.tensor(wanted) {
        Some(values) if values.len() != wanted.len() => Err(Error::TensorLength {
            name: wanted.name.to_owned(),
            expected: wanted.describe(),
            found: values.len(),
        }),
        found => Ok(found),
    }
}

/// Looks up a tensor that must be there.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::TensorLength`].
pub(crate) fn required<'a>(
    tensors: &'a dyn Tensors,
    name: &str,
    kind: Kind,
    shape: &[(&'static str, usize)],
) -> Result<Cow<'a, [f64]>, Error> {
    let wanted = Wanted { name, kind, shape };
    optional(tensors, &wanted)?
        .ok_or_else(|| Error::MissingTensor { name: name.to_owned(), expected: wanted.describe() })
}

/// Looks up an optional scalar: the stored value wins, else the configured one rounded to f32.
pub(crate) fn constant(
    tensors: &dyn Tensors,
    name: &str,
    shape: &[(&'static str, usize)],
    configured: f64,
) -> Result<f64, Error> {
    let stored = optional(tensors, &Wanted { name, kind: Kind::Constant, shape })?;
    Ok(stored.map_or(f64::from(configured as f32), |values| values[0]))
}
