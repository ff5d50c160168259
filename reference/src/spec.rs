//! The architecture of a model as plain data: everything that decides which arithmetic runs, and nothing else.
//!
//! A [`Spec`] holds what the training configuration says after defaults and nulls are resolved (a null is an absent
//! `Option`), plus the widths of the inputs. Weights come separately, through [`Tensors`](crate::Tensors).

use crate::Error;

/// One whole model: feature widths, featurization, backbone, towers.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Number of continuous features.
    pub continuous: usize,
    /// Number of binary features.
    pub binary: usize,
    /// Width of the user embedding, when the model has one.
    pub user_embedding: Option<usize>,
    /// Width of the user engagement embedding, when the model has one.
    pub user_eng_embedding: Option<usize>,
    /// Width of the author embedding, when the model has one.
    pub author_embedding: Option<usize>,
    /// Batch norm of the continuous features, after the logarithm.
    pub batch_norm: Option<BatchNorm>,
    /// The clamp is ± this value rounded to f32, unless the weights hold the clamp.
    pub clip_magnitude: f64,
    /// Layer norm over continuous and binary features together.
    pub layer_norm: Option<FeatureLayerNorm>,
    /// What the towers read.
    pub sharing: Sharing,
    /// The shared trunk. Needed by [`Sharing::ShareAll`] and [`Sharing::SharePartial`], ignored by
    /// [`Sharing::ShareNone`].
    pub backbone: Option<Net>,
    /// The tasks, in the configuration's order, which is the order of every per-task output.
    pub tasks: Vec<Task>,
}

/// A batch norm in inference form; its epsilon is [`NORM_EPSILON`](crate::NORM_EPSILON).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchNorm {
    /// Whether a weight and a bias follow the normalisation.
    pub affine: bool,
}

/// The layer norm over the dense features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureLayerNorm {
    /// Added to the variance. The production model uses 0.
    pub epsilon: f64,
    /// Whether a weight and a bias follow the normalisation.
    pub affine: bool,
}

/// What a tower reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// The backbone's output.
    ShareAll,
    /// The input row followed by the backbone's output.
    SharePartial,
    /// The input row; there is no backbone.
    ShareNone,
}

/// A backbone or a tower.
#[derive(Clone, Debug, PartialEq)]
pub enum Net {
    /// Dense layers only.
    Mlp(Mlp),
    /// Mask blocks, with or without dense layers after them.
    MaskNet(MaskNet),
}

/// Dense layers: linear, batch norm, ReLU for all but the last; the last is linear.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Output width of every layer, first to last; not empty.
    pub layer_sizes: Vec<usize>,
    /// Batch norm after every linear layer but the last.
    pub batch_norm: Option<BatchNorm>,
    /// Whether dropout is configured. It does nothing here but moves the indices in the tensor names.
    pub dropout: bool,
    /// Whether a ReLU follows the last layer.
    pub final_layer_activation: bool,
}

/// A stack of mask blocks, and the dense layers after it.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskNet {
    /// The blocks, in order; not empty.
    pub blocks: Vec<MaskBlock>,
    /// Dense layers after the blocks. Without them the output is the blocks' layer norms.
    pub mlp: Option<Mlp>,
    /// Side by side on the input and concatenated, or one on the output of the other.
    pub parallel: bool,
}

/// One mask block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskBlock {
    /// Width of the block's output.
    pub output_size: usize,
    /// Width of the aggregation layer.
    pub aggregation: Aggregation,
    /// Whether the masked input is normalised first.
    pub input_layer_norm: bool,
}

/// How the width of an aggregation layer is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// The width itself.
    Size(usize),
    /// The width is `guide_dim · factor`, truncated.
    ReductionFactor(f64),
}

/// One engagement that the model predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Name as in the configuration, with dots (`recap.engagement.is_favorited`).
    pub name: String,
    /// The tower; its last width is 1.
    pub net: Net,
    /// An affine map on the logit.
    pub affine_map: Option<AffineMap>,
    /// Share of negatives kept in training, above 0.
    pub neg_downsampling_rate: f64,
    /// Share of positives kept in training, above 0.
    pub pos_downsampling_rate: f64,
}

/// `scale · logit + bias`, both rounded to f32, unless the weights hold the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AffineMap {
    /// Factor on the logit.
    pub scale: f64,
    /// Added after the factor.
    pub bias: f64,
}

impl Spec {
    /// Width of the dense features `z`: continuous, then binary.
    pub fn dense_dim(&self) -> usize {
        self.continuous + self.binary
    }

    /// Width of the input row `x`: dense features, then the embeddings.
    pub fn input_dim(&self) -> usize {
        self.dense_dim() + self.embeddings().iter().map(|(_, width)| width.unwrap_or(0)).sum::<usize>()
    }

    /// The embeddings in the order in which they follow the dense features: name and width.
    pub fn embeddings(&self) -> [(&'static str, Option<usize>); 3] {
        [
            ("user_embedding", self.user_embedding),
            ("user_eng_embedding", self.user_eng_embedding),
            ("author_embedding", self.author_embedding),
        ]
    }
}

impl Aggregation {
    /// Width of the aggregation layer for a guide of `guide_dim` values.
    ///
    /// # Errors
    /// [`Error::Spec`] when the width is 0.
    pub fn width(self, guide_dim: usize) -> Result<usize, Error> {
        let width = match self {
            Self::Size(size) => size,
            Self::ReductionFactor(factor) => (guide_dim as f64 * factor) as usize,
        };
        if width == 0 {
            return Err(Error::Spec(format!(
                "aggregation {self:?} of a guide of {guide_dim} values has width 0"
            )));
        }
        Ok(width)
    }
}
