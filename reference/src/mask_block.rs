//! The mask block: an instance-guided mask on the input, a hidden layer, a layer norm.

use crate::layer_norm::{Affine, layer_norm};
use crate::linear::{Linear, relu};
use crate::{Error, NORM_EPSILON, Precision, Tensors, spec};

/// Weights of a mask block.
#[derive(Clone, Debug)]
pub struct MaskBlock<'a> {
    /// Norm of the masked input, γ and β of (net_dim).
    pub input_layer_norm: Option<Affine<'a>>,
    /// Guide to wide, (aggregation_size, guide_dim).
    pub aggregation: Linear<'a>,
    /// Back to the masked width, (net_dim, aggregation_size).
    pub projection: Linear<'a>,
    /// Masked input to output, (output_size, net_dim).
    pub hidden: Linear<'a>,
    /// Norm of the output, γ and β of (output_size).
    pub layer_norm: Affine<'a>,
}

impl<'a> MaskBlock<'a> {
    /// Reads the tensors under `PREFIX` for a masked input of `net_dim` values and a guide of `guide_dim`; weights of
    /// linear layers are rounded to `precision`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorLength`], and [`Error::Spec`] for an aggregation of width 0.
    pub fn load(
        tensors: &'a dyn Tensors,
        prefix: &str,
        block: spec::MaskBlock,
        net_dim: usize,
        guide_dim: usize,
        precision: Precision,
    ) -> Result<Self, Error> {
        let net = ("net_dim", net_dim);
        let guide = ("guide_dim", guide_dim);
        let output = ("output_size", block.output_size);
        let aggregation = ("aggregation_size", block.aggregation.width(guide_dim)?);
        let linear = |name, outputs, inputs| {
            Linear::load(tensors, &format!("{prefix}.{name}"), outputs, inputs, precision)
        };
        let norm = |name, width| Affine::load(tensors, &format!("{prefix}.{name}"), width);
        Ok(Self {
            input_layer_norm: if block.input_layer_norm {
                Some(norm("_input_layer_norm", net)?)
            } else {
                None
            },
            aggregation: linear("_mask_layer.0", aggregation, guide)?,
            projection: linear("_mask_layer.2", net, aggregation)?,
            hidden: linear("_hidden_layer", output, net)?,
            layer_norm: norm("_layer_norm", output)?,
        })
    }
}

/// One mask block:
///
/// ```text
/// net  ← layer_norm(net)                                    when configured, epsilon 1e-5
/// mask = relu(guide · W_aggᵀ + b_agg) · W_projᵀ + b_proj
/// y    = layer_norm((net ⊙ mask) · W_hidᵀ + b_hid)          epsilon 1e-5, no activation after it
/// ```
///
/// Shapes: `net` (rows, net_dim), `guide` (rows, guide_dim), result (rows, output_size), not yet rounded. What a kernel
/// stores on the way is rounded to `precision`: the normalised input, the aggregation after its ReLU, and the masked
/// input (the mask itself is never stored).
///
/// ```
/// use maskrank_reference::{Precision, layer_norm::Affine, linear::Linear, mask_block::{MaskBlock, mask_block}};
/// let linear = |weight: &[f64], bias: &[f64]| Linear { weight: weight.to_vec().into(), bias: bias.to_vec().into() };
/// let block = MaskBlock {
///     input_layer_norm: None,
///     aggregation: linear(&[1.0, -1.0, 0.0], &[0.5]), // 3 → 1
///     projection: linear(&[1.0, 2.0, 0.0], &[0.0, 1.0, 1.0]), // 1 → 3
///     hidden: linear(&[1.0, 0.0, 0.0, /**/ 0.0, 1.0, 1.0], &[0.0, 0.0]), // 3 → 2
///     layer_norm: Affine { weight: vec![1.0, 2.0].into(), bias: vec![0.0, 10.0].into() },
/// };
/// // row 0: aggregation relu(3 − 1 + ½) = 2½, mask (2½, 6, 1), masked (7½, 6, 4), hidden (7½, 10)
/// // row 1: aggregation relu(0 − 2 + ½) = 0,  mask (0, 1, 1),  masked (0, 2, −4), hidden (0, −2)
/// let x = [3.0, 1.0, 4.0, /**/ 0.0, 2.0, -4.0];
/// let y = mask_block(&x, &x, &block, Precision::F64);
/// // of two values, one is half their distance d below their mean, the other above: ∓d / sqrt(d² + 1e-5)
/// let unit = |d: f64| d / (d * d + 1e-5).sqrt();
/// let expected = [-unit(1.25), 10.0 + 2.0 * unit(1.25), unit(1.0), 10.0 - 2.0 * unit(1.0)];
/// for (y, expected) in y.iter().zip(expected) {
///     assert!((y - expected).abs() <= 1e-14);
/// }
/// ```
///
/// # Panics
/// When the lengths do not fit each other.
pub fn mask_block(net: &[f64], guide: &[f64], block: &MaskBlock<'_>, precision: Precision) -> Vec<f64> {
    let net_dim = block.projection.bias.len();
    let output_size = block.hidden.bias.len();
    assert_eq!(
        block.hidden.weight.len(),
        output_size * net_dim,
        "mask_block: hidden is not (output_size, net_dim)"
    );

    let normalised = block.input_layer_norm.as_ref().map(|affine| {
        let mut normalised = layer_norm(net, net_dim, NORM_EPSILON, Some(affine));
        precision.round_all(&mut normalised);
        normalised
    });
    let net = normalised.as_deref().unwrap_or(net); // (rows, net_dim)

    let mut aggregation = block.aggregation.apply(guide); // (rows, aggregation_size)
    relu(&mut aggregation);
    precision.round_all(&mut aggregation);

    let mut masked = block.projection.apply(&aggregation); // (rows, net_dim), the mask
    assert_eq!(masked.len(), net.len(), "mask_block: net is not (rows, net_dim {net_dim})");
    for (mask, net) in masked.iter_mut().zip(net) {
        *mask *= net;
    }
    precision.round_all(&mut masked);

    let hidden = block.hidden.apply(&masked); // (rows, output_size)
    layer_norm(&hidden, output_size, NORM_EPSILON, Some(&block.layer_norm))
}
