//! The reference run on a loaded model: what `golden` and `demo` compare a scorer with.
//!
//! Only types are converted here. The reference reads the configuration and the weights by itself, layer by layer.

use std::borrow::Cow;

use maskrank_reference::{self as reference, Inputs, Output, Spec, Tensors, Wanted, spec};

use crate::config::{Aggregation, BatchNorm, MaskNet, Mlp, ModelConfig, Network, Sharing, Widths};
use crate::weights::Weights;
use crate::{Error, Model, Precision, Result};

pub use maskrank_reference::{Precision as TruthPrecision, Status as TruthStatus};

/// Scores rows with the reference. Every slice of `inputs` is (rows, width); `score_weights` is (tasks).
///
/// # Errors
/// When the reference finds that a tensor or an input does not fit.
pub fn forward(
    model: &Model,
    inputs: &Inputs<'_>,
    score_weights: &[f64],
    precision: TruthPrecision,
) -> Result<Output> {
    let spec = spec(model.config(), model.widths());
    reference::forward(&spec, &Source(model.weights()), inputs, score_weights, precision).map_err(|error| {
        Error::Argument {
            argument: "reference",
            expected: "a model and inputs that fit each other".into(),
            found: error.to_string(),
        }
    })
}

/// The reference's flavour that rounds where kernels of this precision round.
#[must_use]
pub fn flavour(precision: Precision) -> TruthPrecision {
    match precision {
        Precision::F32 => TruthPrecision::F32,
        Precision::Tf32 => TruthPrecision::Tf32,
        Precision::Bf16 => TruthPrecision::Bf16,
        Precision::F16 => TruthPrecision::F16,
    }
}

struct Source<'a>(&'a Weights);

impl Tensors for Source<'_> {
    fn tensor(&self, wanted: &Wanted<'_>) -> Option<Cow<'_, [f64]>> {
        self.0.find(wanted.name).map(|tensor| Cow::Owned(tensor.to_vec()))
    }
}

fn spec(config: &ModelConfig, widths: Widths) -> Spec {
    let present = |width: usize| (width > 0).then_some(width);
    Spec {
        continuous: widths.continuous,
        binary: widths.binary,
        user_embedding: present(widths.user_embedding),
        user_eng_embedding: present(widths.user_eng_embedding),
        author_embedding: present(widths.author_embedding),
        batch_norm: config.featurization.batch_norm.map(batch_norm),
        clip_magnitude: config.featurization.clip_magnitude.into(),
        layer_norm: config
            .featurization
            .layer_norm
            .map(|norm| spec::FeatureLayerNorm { epsilon: norm.epsilon, affine: norm.affine }),
        sharing: match config.sharing {
            Sharing::All => spec::Sharing::ShareAll,
            Sharing::Partial => spec::Sharing::SharePartial,
            Sharing::None => spec::Sharing::ShareNone,
        },
        backbone: config.backbone.as_ref().map(network),
        tasks: config
            .tasks
            .iter()
            .map(|task| spec::Task {
                name: task.name.clone(),
                net: network(&task.tower),
                affine_map: task
                    .affine_map
                    .map(|map| spec::AffineMap { scale: map.scale.into(), bias: map.bias.into() }),
                neg_downsampling_rate: task.calibration_ratio.into(),
                pos_downsampling_rate: 1.0,
            })
            .collect(),
    }
}

fn network(network: &Network) -> spec::Net {
    match network {
        Network::Mlp(net) => spec::Net::Mlp(mlp(net)),
        Network::MaskNet(net) => spec::Net::MaskNet(mask_net(net)),
    }
}

fn mask_net(net: &MaskNet) -> spec::MaskNet {
    let blocks = net.mask_blocks.iter().map(|block| spec::MaskBlock {
        output_size: block.output_size,
        aggregation: match block.aggregation {
            Aggregation::Size(size) => spec::Aggregation::Size(size),
            Aggregation::ReductionFactor(factor) => spec::Aggregation::ReductionFactor(factor),
        },
        input_layer_norm: block.input_layer_norm,
    });
    spec::MaskNet { blocks: blocks.collect(), mlp: net.mlp.as_ref().map(mlp), parallel: net.use_parallel }
}

fn mlp(mlp: &Mlp) -> spec::Mlp {
    spec::Mlp {
        layer_sizes: mlp.layer_sizes.clone(),
        batch_norm: mlp.batch_norm.map(batch_norm),
        dropout: mlp.dropout,
        final_layer_activation: mlp.final_layer_activation,
    }
}

fn batch_norm(norm: BatchNorm) -> spec::BatchNorm {
    spec::BatchNorm { affine: norm.affine }
}
