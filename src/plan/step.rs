//! The four kinds of step.

use super::{Linear, View};

/// One step of a plan; steps run in order.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a plan holds one featurize and a handful of steps")]
pub enum Step {
    /// Raw features to the input row `x`. Always the first step.
    Featurize(Featurize),
    /// A norm that no GEMM epilogue can carry. Groups are independent of each other.
    LayerNorm(Vec<LayerNormGroup>),
    /// Grouped `D = epilogue(A · Wᵀ + bias)`; all groups have the same kind of epilogue and are independent.
    Gemm(Vec<GemmGroup>),
    /// Logits to scores. Always the last step.
    Head(Head),
}

impl Step {
    /// The step's stem: the name of its kernel, shader and suite.
    #[must_use]
    pub fn stem(&self) -> &'static str {
        match self {
            Self::Featurize(_) => "featurize",
            Self::LayerNorm(_) => "layer_norm",
            Self::Gemm(_) => "gemm",
            Self::Head(_) => "head",
        }
    }
}

/// Scale and shift of a norm that is learnt; both have the norm's width.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// γ.
    pub gamma: Vec<f64>,
    /// β.
    pub beta: Vec<f64>,
}

/// `(v − mean) / sqrt(variance + epsilon)`, then `· γ + β` where there is an affine.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Added to the variance; may be 0.
    pub epsilon: f64,
    /// γ and β, where they are not folded away.
    pub affine: Option<Affine>,
}

/// Raw features to `x`, with the batch norm folded: clean, log, batch norm, clamp, layer norm, the embeddings' norms.
#[derive(Clone, Debug)]
pub struct Featurize {
    /// The batch norm as one multiply-add per continuous feature: `gamma · log + beta`.
    pub batch_norm: Option<Affine>,
    /// Lower clamp of continuous features.
    pub min_value: f64,
    /// Upper clamp of continuous features.
    pub max_value: f64,
    /// Norm over continuous and binary features.
    pub layer_norm: Option<Norm>,
    /// Norms of the embeddings that the model has, in the order of [`crate::config::EMBEDDINGS`].
    pub embeddings: [Option<Norm>; 3],
    /// Where `x` goes: one segment of width `input_dim`.
    pub output: View,
}

/// One norm of a [`Step::LayerNorm`].
#[derive(Clone, Debug)]
pub struct LayerNormGroup {
    /// Name for messages.
    pub name: String,
    /// What is normalised: all of its segments together, as one row without the padding.
    pub input: View,
    /// Where it goes; segments of the same widths.
    pub output: View,
    /// The norm.
    pub norm: Norm,
}

/// One matrix product of a [`Step::Gemm`].
#[derive(Clone, Debug)]
pub struct GemmGroup {
    /// The folded layer.
    pub linear: Linear,
    /// A: (candidates, in_features).
    pub input: View,
    /// D: (candidates, out_features); as many segments as the multiplied matrix has, else one.
    pub output: View,
    /// What happens to a row before it is stored.
    pub epilogue: Epilogue,
}

/// What happens to `A · Wᵀ + bias` before it is stored.
#[derive(Clone, Debug)]
pub enum Epilogue {
    /// Nothing.
    Bias,
    /// `max(v, 0)`.
    BiasRelu,
    /// Multiplied by another matrix of the same width: the instance-guided mask. Its segments are D's, in order.
    BiasMultiply(View),
    /// Layer norm over the row.
    BiasLayerNorm(Norm),
}

impl Epilogue {
    /// Rank of the kind; equal kinds share a step, lower ones are emitted first.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::BiasRelu => 1,
            Self::BiasMultiply(_) => 2,
            Self::BiasLayerNorm(_) => 3,
            Self::Bias => 4,
        }
    }
}

/// All tasks' last layers and the weighted sum.
#[derive(Clone, Debug)]
pub struct Head {
    /// One entry a task, in the configuration's order.
    pub tasks: Vec<HeadTask>,
}

/// `logit = act(weight · input + bias)`, `L = scale · logit + shift`, `p = σ(L)`, `q = σ(L + ln_ratio)`.
#[derive(Clone, Debug)]
pub struct HeadTask {
    /// The task's name.
    pub name: String,
    /// The tower's last hidden row.
    pub input: View,
    /// (in_features), folded.
    pub weight: Vec<f64>,
    /// Folded.
    pub bias: f64,
    /// Whether the last layer ends in a ReLU.
    pub relu: bool,
    /// Affine map's scale; 1 without one.
    pub scale: f64,
    /// Affine map's bias; 0 without one.
    pub shift: f64,
    /// Logarithm of the calibration ratio; 0 without down-sampling.
    pub ln_ratio: f64,
}
