//! MaskNet: mask blocks side by side or one after the other, then dense layers.

use crate::mask_block::{MaskBlock, mask_block};
use crate::mlp::{Mlp, Role, mlp};
use crate::{Error, Matrix, Precision, Tensors, spec};

/// What a MaskNet computes.
#[derive(Clone, Debug)]
pub struct MaskNetOutput {
    /// Output of every block, (rows, output_size), rounded as it is stored.
    pub blocks: Vec<Matrix>,
    /// Output of the whole net, (rows, width), not yet rounded.
    pub y: Matrix,
}

/// Runs a MaskNet whose tensors are under `PREFIX._mask_blocks.K` and `PREFIX._dense_layers`.
///
/// ```text
/// parallel   y_k = mask_block_k(net = x,       guide = x)     y = concat(y_0, y_1, …)
/// serial     y_k = mask_block_k(net = y_(k−1), guide = x)     y = y_last,  y_(−1) = x
/// ```
///
/// then `y ← mlp(y)` when there is one. The guide is always the input itself, never a normalised one.
///
/// Shapes: `x` (rows, input_dim); see [`MaskNetOutput`] for the results. Weights are read block by block and dropped
/// after use, so a large model is never in memory as a whole.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::TensorLength`], and [`Error::Spec`] when there are no blocks or a width is 0.
pub fn mask_net(
    tensors: &dyn Tensors,
    prefix: &str,
    net: &spec::MaskNet,
    x: &Matrix,
    precision: Precision,
    role: Role,
) -> Result<MaskNetOutput, Error> {
    if net.blocks.is_empty() || x.width() == 0 {
        return Err(Error::Spec(format!("mask net \"{prefix}\" has no blocks or no input")));
    }
    let mut exact: Vec<Matrix> = Vec::new(); // unrounded, kept for a net that ends with its blocks
    let mut blocks: Vec<Matrix> = Vec::new(); // rounded, as the next layer reads them
    for (index, block) in net.blocks.iter().enumerate() {
        if block.output_size == 0 {
            return Err(Error::Spec(format!("mask block {index} of \"{prefix}\" has output_size 0")));
        }
        let input = match blocks.last() {
            Some(previous) if !net.parallel => previous,
            _ => x,
        };
        let name = format!("{prefix}._mask_blocks.{index}");
        let weights = MaskBlock::load(tensors, &name, *block, input.width(), x.width(), precision)?;
        let y = mask_block(input.values(), x.values(), &weights, precision);
        let y = Matrix::new(x.rows(), block.output_size, y);
        blocks.push(y.rounded(precision));
        exact.push(y);
    }
    let joined = |parts: &[Matrix]| {
        let last = if net.parallel { 0 } else { parts.len() - 1 };
        Matrix::concat(x.rows(), &parts[last..].iter().collect::<Vec<_>>())
    };
    let y = match &net.mlp {
        None => joined(&exact),
        Some(spec) => {
            let input = joined(&blocks);
            let name = format!("{prefix}._dense_layers");
            let weights = Mlp::load(tensors, &name, spec, input.width(), precision, role)?;
            let y = mlp(input.values(), &weights, precision);
            let width = spec.layer_sizes.last().copied().unwrap_or(0);
            Matrix::new(x.rows(), width, y)
        }
    };
    Ok(MaskNetOutput { blocks, y })
}
