//! MLPs: a GEMM a layer, batch norm folded in.

use crate::config::Mlp;
use crate::weights::names;

use super::super::{Epilogue, GemmGroup, Step};
use super::{Builder, Value, gemm};

/// A tower's last linear layer, which the head computes.
pub(super) struct LastLayer {
    pub(super) weight: Vec<f64>,
    pub(super) bias: f64,
    pub(super) relu: bool,
}

impl LastLayer {
    /// For a tower that ends in a norm of width 1: the norm's affine is all that is left.
    pub(super) fn identity(output: &Value) -> Self {
        let (gamma, beta) =
            output.pending.as_ref().map_or((1.0, 0.0), |affine| (affine.gamma[0], affine.beta[0]));
        Self { weight: vec![gamma], bias: beta, relu: false }
    }
}

impl Builder {
    /// All layers; the last one writes to the buffer `target` where one is given.
    pub(super) fn mlp(
        &mut self,
        prefix: &str,
        scope: &str,
        mlp: &Mlp,
        input: &Value,
        target: Option<usize>,
    ) -> (Vec<Step>, Value) {
        let (mut steps, value) = self.mlp_hidden(prefix, scope, mlp, input);
        let layer = mlp.layer_sizes.len() - 1;
        let linear = self.linear(&last_name(prefix, mlp), &value, None);
        let output = match target {
            Some(buffer) => self.append(buffer, linear.out_features),
            None => self.segment(&format!("{scope}.layer {layer}"), linear.out_features),
        };
        let epilogue = if mlp.final_layer_activation { Epilogue::BiasRelu } else { Epilogue::Bias };
        steps.push(gemm(GemmGroup { linear, input: value.view, output, epilogue }));
        (steps, Value { view: output, pending: None })
    }

    /// All layers but the last, what the last one reads, and the last one for the head.
    pub(super) fn mlp_to_head(
        &mut self,
        prefix: &str,
        scope: &str,
        mlp: &Mlp,
        input: &Value,
    ) -> (Vec<Step>, Value, LastLayer) {
        let (steps, value) = self.mlp_hidden(prefix, scope, mlp, input);
        let linear = self.linear(&last_name(prefix, mlp), &value, None);
        let mut weight = vec![0.0; linear.in_features];
        linear.row(0, &mut weight);
        let last = LastLayer { weight, bias: linear.bias[0], relu: mlp.final_layer_activation };
        (steps, value, last)
    }

    fn mlp_hidden(&mut self, prefix: &str, scope: &str, mlp: &Mlp, input: &Value) -> (Vec<Step>, Value) {
        let mut steps = Vec::new();
        let mut value = input.clone();
        let hidden = mlp.layer_sizes.len() - 1;
        for (layer, index) in names::mlp_linear_indices(mlp).take(hidden).enumerate() {
            let norm =
                mlp.batch_norm.map(|norm| self.batch_norm(&format!("{prefix}.layers.{}", index + 1), norm));
            let linear = self.linear(&format!("{prefix}.layers.{index}"), &value, norm.as_ref());
            let output = self.segment(&format!("{scope}.layer {layer}"), linear.out_features);
            steps.push(gemm(GemmGroup { linear, input: value.view, output, epilogue: Epilogue::BiasRelu }));
            value = Value { view: output, pending: None };
        }
        (steps, value)
    }
}

fn last_name(prefix: &str, mlp: &Mlp) -> String {
    let index = names::mlp_linear_indices(mlp).last().unwrap_or(0);
    format!("{prefix}.layers.{index}")
}
