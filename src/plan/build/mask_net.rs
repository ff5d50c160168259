//! Mask nets: three GEMMs a block (aggregation, projection · net, hidden + norm), blocks side by side or stacked.

use crate::config::{MaskBlock, MaskNet};

use super::super::{Epilogue, Folding, GemmGroup, LayerNormGroup, Norm, Step, View};
use super::merge::merge;
use super::{Affine, Builder, EPSILON, Value, gemm, layer_norm};

/// Where a mask net stands in the model.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    /// Of its tensors' names.
    pub(super) prefix: &'a str,
    /// Of its buffers' names.
    pub(super) scope: &'a str,
    /// Guides every block, and is the first one's net.
    pub(super) x: View,
    /// Whether every reader of the output is a linear layer, so that the last norm's affine may be left to it.
    pub(super) foldable: bool,
    /// The buffer that the output goes to, where one is given.
    pub(super) target: Option<usize>,
}

impl Builder {
    /// A mask net with its MLP.
    pub(super) fn mask_net(&mut self, site: Site<'_>, net: &MaskNet) -> (Vec<Step>, Value) {
        let Some(mlp) = &net.mlp else { return self.mask_blocks(site, net) };
        // The MLP's first layer is linear, and it is the only reader of the blocks.
        let blocks = Site { foldable: true, target: None, ..site };
        let (mut steps, value) = self.mask_blocks(blocks, net);
        let prefix = format!("{}._dense_layers", site.prefix);
        let (rest, output) = self.mlp(&prefix, site.scope, mlp, &value, site.target);
        steps.extend(rest);
        (steps, output)
    }

    /// A mask net's blocks alone.
    pub(super) fn mask_blocks(&mut self, site: Site<'_>, net: &MaskNet) -> (Vec<Step>, Value) {
        if net.use_parallel { self.parallel(site, net) } else { self.serial(site, net) }
    }

    fn parallel(&mut self, site: Site<'_>, net: &MaskNet) -> (Vec<Step>, Value) {
        let Site { prefix, scope, x, foldable, target } = site;
        let mut lanes = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        for (k, block) in net.mask_blocks.iter().enumerate() {
            let output = self.block_output(&format!("{scope}.blocks"), block, target);
            let name = format!("{prefix}._mask_blocks.{k}");
            let (lane, value) = self.mask_block(&name, scope, block, x, x, foldable, output);
            lanes.push(lane);
            values.push(value);
        }
        let view = View { count: values.len(), ..values[0].view };
        let pending = (foldable && self.folding == Folding::Weights).then(|| Affine {
            gamma: values.iter().flat_map(|v| v.pending.iter().flat_map(|a| a.gamma.clone())).collect(),
            beta: values.iter().flat_map(|v| v.pending.iter().flat_map(|a| a.beta.clone())).collect(),
        });
        (merge(lanes), Value { view, pending })
    }

    fn serial(&mut self, site: Site<'_>, net: &MaskNet) -> (Vec<Step>, Value) {
        let Site { prefix, scope, x, foldable, target } = site;
        let mut steps = Vec::new();
        let mut value = Value { view: x, pending: None };
        for (k, block) in net.mask_blocks.iter().enumerate() {
            let last = k + 1 == net.mask_blocks.len();
            let level = format!("{scope}.block {k}");
            let output = self.block_output(&level, block, if last { target } else { None });
            let name = format!("{prefix}._mask_blocks.{k}");
            let (lane, next) = self.mask_block(&name, &level, block, value.view, x, foldable && last, output);
            steps.extend(lane);
            value = next;
        }
        (steps, value)
    }

    fn block_output(&mut self, name: &str, block: &MaskBlock, target: Option<usize>) -> View {
        match target {
            Some(buffer) => self.append(buffer, block.output_size),
            None => self.segment(name, block.output_size),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a block is this many things, each of its own type or name"
    )]
    fn mask_block(
        &mut self,
        name: &str,
        scope: &str,
        block: &MaskBlock,
        net: View,
        guide: View,
        foldable: bool,
        output: View,
    ) -> (Vec<Step>, Value) {
        let mut steps = Vec::new();
        let plain = |view| Value { view, pending: None };

        let linear = self.linear(&format!("{name}._mask_layer.0"), &plain(guide), None);
        let aggregated = self.segment(&format!("{scope}.aggregation"), linear.out_features);
        steps.push(gemm(GemmGroup {
            linear,
            input: guide,
            output: aggregated,
            epilogue: Epilogue::BiasRelu,
        }));

        let net = if block.input_layer_norm {
            let normalised = self.segments_like(&format!("{scope}.input norm"), net);
            let name = format!("{name}._input_layer_norm");
            let norm = Norm { epsilon: EPSILON, affine: Some(self.affine(&name)) };
            steps.push(layer_norm(LayerNormGroup { name, input: net, output: normalised, norm }));
            normalised
        } else {
            net
        };

        let linear = self.linear(&format!("{name}._mask_layer.2"), &plain(aggregated), None);
        let masked = self.segments_like(&format!("{scope}.masked"), net);
        let epilogue = Epilogue::BiasMultiply(net);
        steps.push(gemm(GemmGroup { linear, input: aggregated, output: masked, epilogue }));

        let linear = self.linear(&format!("{name}._hidden_layer"), &plain(masked), None);
        let affine = self.affine(&format!("{name}._layer_norm"));
        let foldable = foldable && self.folding == Folding::Weights;
        let (kept, pending) = if foldable { (None, Some(affine)) } else { (Some(affine), None) };
        let epilogue = Epilogue::BiasLayerNorm(Norm { epsilon: EPSILON, affine: kept });
        steps.push(gemm(GemmGroup { linear, input: masked, output, epilogue }));
        (steps, Value { view: output, pending })
    }
}
