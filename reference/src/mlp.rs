//! Dense layers.

use crate::batch_norm::{BatchNorm, batch_norm};
use crate::linear::{Linear, relu};
use crate::{Error, Precision, Tensors, spec};

/// What becomes of a network's output, which decides how its last linear layer is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is stored and read by another layer: a kernel of the chosen precision computes it.
    Backbone,
    /// It is a logit: the last layer belongs to the head, which keeps its weights as they are.
    Tower,
}

/// Weights of an MLP.
#[derive(Clone, Debug)]
pub struct Mlp<'a> {
    /// The layers, each with the batch norm that follows it; the last has none.
    pub layers: Vec<(Linear<'a>, Option<BatchNorm<'a>>)>,
    /// Whether a ReLU follows the last layer.
    pub final_layer_activation: bool,
}

impl<'a> Mlp<'a> {
    /// Reads `PREFIX.layers.I.…`, where `I` counts modules: every layer but the last is a linear module, a batch norm
    /// and a dropout where configured, and a ReLU.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorLength`], and [`Error::Spec`] when there are no layers.
    pub fn load(
        tensors: &'a dyn Tensors,
        prefix: &str,
        mlp: &spec::Mlp,
        input_dim: usize,
        precision: Precision,
        role: Role,
    ) -> Result<Self, Error> {
        let Some(last) = mlp.layer_sizes.len().checked_sub(1) else {
            return Err(Error::Spec(format!("mlp \"{prefix}\" has no layers")));
        };
        let modules = 2 + usize::from(mlp.batch_norm.is_some()) + usize::from(mlp.dropout);
        let mut inputs = input_dim;
        let mut layers = Vec::with_capacity(mlp.layer_sizes.len());
        for (layer, &outputs) in mlp.layer_sizes.iter().enumerate() {
            if outputs == 0 || inputs == 0 {
                return Err(Error::Spec(format!(
                    "mlp \"{prefix}\" layer {layer} is {inputs} to {outputs} wide"
                )));
            }
            let is_last = layer == last;
            let index = layer * modules;
            let precision = if is_last && role == Role::Tower { Precision::F64 } else { precision };
            let linear = Linear::load(
                tensors,
                &format!("{prefix}.layers.{index}"),
                ("outputs", outputs),
                ("inputs", inputs),
                precision,
            )?;
            let norm = match mlp.batch_norm {
                Some(norm) if !is_last => {
                    let prefix = format!("{prefix}.layers.{}", index + 1);
                    Some(BatchNorm::load(tensors, &prefix, norm, ("outputs", outputs))?)
                }
                _ => None,
            };
            layers.push((linear, norm));
            inputs = outputs;
        }
        Ok(Self { layers, final_layer_activation: mlp.final_layer_activation })
    }
}

/// For every layer but the last `x ← relu(batch_norm(x · Wᵀ + b))`, with the batch norm when configured; then
/// `y = x · Wᵀ + b`, and a ReLU when configured. Dropout does nothing at inference.
///
/// Shapes: `x` (rows, input_dim), result (rows, width of the last layer), not yet rounded. The output of every layer
/// but the last is rounded to `precision`.
///
/// ```
/// use maskrank_reference::{Precision, linear::Linear, mlp::{Mlp, mlp}};
/// let linear = |weight: &[f64], bias: &[f64]| Linear { weight: weight.to_vec().into(), bias: bias.to_vec().into() };
/// let weights = Mlp {
///     layers: vec![
///         (linear(&[1.0, 1.0, 0.0, /**/ 0.0, 0.0, -1.0], &[0.0, 1.0]), None), // 3 → 2
///         (linear(&[1.0, -1.0], &[0.5]), None),                               // 2 → 1
///     ],
///     final_layer_activation: false,
/// };
/// // relu(3, −2) = (3, 0) → 3 + ½; relu(−1, 3) = (0, 3) → −3 + ½
/// assert_eq!(mlp(&[1.0, 2.0, 3.0, /**/ -1.0, 0.0, -2.0], &weights, Precision::F64), [3.5, -2.5]);
/// ```
///
/// # Panics
/// When the lengths do not fit each other, or there are no layers.
pub fn mlp(x: &[f64], weights: &Mlp<'_>, precision: Precision) -> Vec<f64> {
    let (last, hidden) = weights.layers.split_last().expect("an mlp has layers");
    let mut x = x.to_vec(); // (rows, inputs of the layer)
    for (linear, norm) in hidden {
        x = linear.apply(&x);
        if let Some(norm) = norm {
            x = batch_norm(&x, norm);
        }
        relu(&mut x);
        precision.round_all(&mut x);
    }
    let (linear, norm) = last;
    assert!(norm.is_none(), "mlp: the last layer has no batch norm");
    let mut y = linear.apply(&x);
    if weights.final_layer_activation {
        relu(&mut y);
    }
    y
}
