//! The Heavy Ranker's configuration: what a model computes, read from its training YAML.
//!
//! The reader takes the training file unchanged and uses its `model` section, the down-sampling rates, the renamed
//! features and the truncations. Whatever this crate cannot compute is an error that names the field.

mod case;
mod document;
mod field;
mod file;
mod near;
mod numbers;
mod read;
mod schema;
mod train_data;
mod variables;
mod widths;

pub use case::Case;
pub use schema::widths_from_schema;
pub use widths::{EMBEDDINGS, Widths};

pub(crate) use field::MAX_WIDTH;
pub(crate) use file::read_text;
pub(crate) use near::{shown, suggestion};
pub(crate) use numbers::{parse_numbers, read_numbers};

/// What a model computes, apart from the widths of its inputs and its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// How raw features become the dense part of the input.
    pub featurization: Featurization,
    /// What the towers read.
    pub sharing: Sharing,
    /// The trunk; absent under [`Sharing::None`].
    pub backbone: Option<Network>,
    /// The predicted engagements, in the order of the file.
    pub tasks: Vec<Task>,
    /// How training records are read.
    pub records: RecordsConfig,
}

/// `double_norm_log_config`: log, batch norm, clamp, concatenation with the binary features, layer norm.
#[derive(Clone, Debug, PartialEq)]
pub struct Featurization {
    /// Batch norm over the continuous features, when configured.
    pub batch_norm: Option<BatchNorm>,
    /// Continuous features are clamped to ± this; an f32 value.
    pub clip_magnitude: f32,
    /// Layer norm over continuous and binary features together, when configured.
    pub layer_norm: Option<LayerNorm>,
}

/// A batch norm in its inference form; epsilon is always 1e-5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchNorm {
    /// Whether a learnt weight and bias follow.
    pub affine: bool,
}

/// A layer norm over the last axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// Added to the variance. Production uses 0.
    pub epsilon: f64,
    /// Whether a learnt weight and bias follow (`center` and `scale`).
    pub affine: bool,
}

/// What the towers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// The backbone's output.
    All,
    /// The input and the backbone's output, concatenated.
    Partial,
    /// The input; there is no backbone.
    None,
}

/// A backbone or a tower.
#[derive(Clone, Debug, PartialEq)]
pub enum Network {
    /// A multi-layer perceptron.
    Mlp(Mlp),
    /// A MaskNet.
    MaskNet(MaskNet),
}

/// Linear layers with optional batch norm and ReLU between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Output width of each layer; never empty.
    pub layer_sizes: Vec<usize>,
    /// Batch norm after every linear layer but the last.
    pub batch_norm: Option<BatchNorm>,
    /// Whether dropout was trained with: nothing at inference, but it moves the numbering of the layers on disk.
    pub dropout: bool,
    /// Whether the last layer ends in a ReLU.
    pub final_layer_activation: bool,
}

/// Mask blocks, side by side on the input or stacked, and an optional MLP.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskNet {
    /// The blocks; never empty.
    pub mask_blocks: Vec<MaskBlock>,
    /// The MLP after the blocks.
    pub mlp: Option<Mlp>,
    /// Whether the blocks stand side by side.
    pub use_parallel: bool,
}

impl MaskNet {
    /// Width of what the blocks leave: all of their outputs side by side, or the last one's.
    #[must_use]
    pub fn blocks_output_size(&self) -> usize {
        let mut sizes = self.mask_blocks.iter().map(|block| block.output_size);
        if self.use_parallel { sizes.sum() } else { sizes.next_back().unwrap_or(0) }
    }

    /// Width of the net's output.
    #[must_use]
    pub fn output_size(&self) -> usize {
        let mlp = self.mlp.as_ref().and_then(|mlp| mlp.layer_sizes.last());
        mlp.copied().unwrap_or_else(|| self.blocks_output_size())
    }
}

impl Network {
    /// Width of the network's output.
    #[must_use]
    pub fn output_size(&self) -> usize {
        match self {
            Self::Mlp(mlp) => mlp.layer_sizes.last().copied().unwrap_or(0),
            Self::MaskNet(net) => net.output_size(),
        }
    }
}

/// One mask block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskBlock {
    /// Output width.
    pub output_size: usize,
    /// How wide the aggregation layer is.
    pub aggregation: Aggregation,
    /// Whether the block's net input is normalised first (epsilon 1e-5).
    pub input_layer_norm: bool,
}

/// Width of an aggregation layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// `aggregation_size`.
    Size(usize),
    /// `reduction_factor`: the f64 product with the guide's width, truncated.
    ReductionFactor(f64),
}

impl Aggregation {
    /// Width of the aggregation layer for a guide of `guide_dim` features; 0 is not a valid width.
    #[must_use]
    pub fn size(self, guide_dim: usize) -> usize {
        match self {
            Self::Size(size) => size,
            // `as` saturates and maps NaN to 0, which the weights check reports.
            Self::ReductionFactor(factor) => (guide_dim as f64 * factor) as usize,
        }
    }
}

/// One predicted engagement.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The engagement's name: `recap.engagement.is_favorited`.
    pub name: String,
    /// The tower; its last width is 1.
    pub tower: Network,
    /// `scale · logit + bias` before the sigmoid, when configured. The weights file wins where it holds one.
    pub affine_map: Option<AffineMap>,
    /// `neg_downsampling_rate / pos_downsampling_rate`, an f32 value. The weights file wins where it holds one.
    pub calibration_ratio: f32,
}

impl Task {
    /// The name as PyTorch's module names have it: `.` becomes `__`.
    #[must_use]
    pub fn module_name(&self) -> String {
        self.name.replace('.', "__")
    }
}

/// `affine_map`: both are f32 values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AffineMap {
    /// Multiplies the logit.
    pub scale: f32,
    /// Added after.
    pub bias: f32,
}

/// How training records are read: what the configuration's `train_data` section says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordsConfig {
    /// Model input name → feature name in the record.
    pub renamed_features: Vec<(String, String)>,
    /// Continuous features used, from the first.
    pub continuous_truncation: Option<usize>,
    /// Binary features used, from the first.
    pub binary_truncation: Option<usize>,
    /// Tasks that the data names: the record's labels.
    pub labels: Vec<String>,
    /// Where training found the segdense schema, as written: see [`RecordsConfig::schema_path`].
    pub schema_path: Option<String>,
}

impl RecordsConfig {
    /// The configuration's own schema path, its variables expanded. Nothing here opens it unasked.
    ///
    /// # Errors
    /// A variable in it is not set; the error names it.
    pub fn schema_path(&self) -> crate::Result<Option<std::path::PathBuf>> {
        let Some(path) = &self.schema_path else { return Ok(None) };
        let expanded = variables::expand(path, &variables::environment);
        expanded.map(|path| Some(path.as_ref().into())).map_err(|name| crate::Error::Argument {
            argument: "train_data.seg_dense_schema.schema_path",
            expected: format!("the environment variable {name} to be set"),
            found: path.clone(),
        })
    }
}
