//! The released layout: which tensors a configuration and its widths call for, and what each of them is.

use std::borrow::Cow;
use std::fmt;

use super::names;
use crate::config::{
    BatchNorm, EMBEDDINGS, MAX_WIDTH, MaskBlock, MaskNet, Mlp, ModelConfig, Network, Sharing, Widths,
};
use crate::{Error, Result};

/// One dimension of an expected tensor: what it counts, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dim {
    /// `input_dim`, `aggregation_size`, `layer_sizes[1]`, …
    pub name: Cow<'static, str>,
    /// How many.
    pub len: usize,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.len)
    }
}

/// What a tensor is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `[out, in]`.
    LinearWeight,
    /// `[out]`.
    LinearBias,
    /// γ of a batch or layer norm.
    NormWeight,
    /// β of a batch or layer norm.
    NormBias,
    /// A batch norm's mean.
    RunningMean,
    /// A batch norm's variance; never negative.
    RunningVar,
    /// `num_batches_tracked`, an I64 scalar that nothing uses.
    Counter,
    /// An affine map's scale or bias, `[1, 1]` or `[1]`; the configuration's value.
    AffineMap(f32),
    /// A calibration ratio, a scalar above 0; the configuration's value.
    Ratio(f32),
    /// Lower or upper bound of the clamp, a scalar; the configuration's value.
    Clamp(f32),
}

impl Kind {
    /// Whether training learns it: what counts as a parameter.
    #[must_use]
    pub fn is_parameter(self) -> bool {
        !matches!(
            self,
            Self::RunningMean | Self::RunningVar | Self::Counter | Self::Ratio(_) | Self::Clamp(_)
        )
    }

    /// Whether a file may leave it out: the configuration holds its value.
    #[must_use]
    pub fn is_optional(self) -> bool {
        matches!(self, Self::AffineMap(_) | Self::Ratio(_) | Self::Clamp(_))
    }
}

/// A tensor that a weights file is to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedTensor {
    /// The name in the released layout, without `model.`.
    pub name: String,
    /// The dimensions; none for a scalar.
    pub dims: Vec<Dim>,
    /// What it is.
    pub kind: Kind,
}

impl ExpectedTensor {
    /// The lengths of the dimensions.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.dims.iter().map(|dim| dim.len).collect()
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.dims.iter().map(|dim| dim.len).product()
    }

    /// The shape with the names of its dimensions: `[aggregation_size 1024, input_dim 2776]`.
    #[must_use]
    pub fn shape_text(&self) -> String {
        let dims: Vec<String> = self.dims.iter().map(Dim::to_string).collect();
        format!("[{}]", dims.join(", "))
    }
}

/// Every tensor of a model, in the model's own order.
///
/// # Errors
/// The model has no input, or a `reduction_factor` gives an aggregation layer of width 0 or beyond bounds.
pub fn expected(config: &ModelConfig, widths: Widths) -> Result<Vec<ExpectedTensor>> {
    let mut layout = Layout { tensors: Vec::new() };
    let input = dim("input_dim", widths.input_dim());
    if !(1..=MAX_WIDTH).contains(&input.len) {
        return Err(Error::Argument {
            argument: "widths",
            expected: format!("1 to {MAX_WIDTH} input features"),
            found: input.len.to_string(),
        });
    }
    layout.featurization(config, widths);
    let backbone = match (&config.backbone, config.sharing) {
        (None, _) | (_, Sharing::None) => None,
        (Some(backbone), _) => Some(layout.network("_backbone", backbone, &input)?),
    };
    let tower_input = match (backbone, config.sharing) {
        (Some(backbone), Sharing::Partial) => dim("input_dim + backbone", input.len + backbone.len),
        (Some(backbone), _) => Dim { name: "backbone".into(), ..backbone },
        (None, _) => input,
    };
    for task in &config.tasks {
        let module = task.module_name();
        layout.network(&format!("_towers.{module}"), &task.tower, &tower_input)?;
        if let Some(map) = task.affine_map {
            let one = || dim("scalar", 1);
            layout.push(format!("_affine_maps.{module}.weight"), [one(), one()], Kind::AffineMap(map.scale));
            layout.push(format!("_affine_maps.{module}.bias"), [one()], Kind::AffineMap(map.bias));
        }
        layout.push(format!("_calibrators.{module}.ratio"), [], Kind::Ratio(task.calibration_ratio));
    }
    Ok(layout.tensors)
}

fn dim(name: impl Into<Cow<'static, str>>, len: usize) -> Dim {
    Dim { name: name.into(), len }
}

struct Layout {
    tensors: Vec<ExpectedTensor>,
}

impl Layout {
    fn push<const N: usize>(&mut self, name: String, dims: [Dim; N], kind: Kind) {
        self.tensors.push(ExpectedTensor { name, dims: dims.into(), kind });
    }

    fn featurization(&mut self, config: &ModelConfig, widths: Widths) {
        let featurization = &config.featurization;
        if let Some(norm) = featurization.batch_norm {
            self.batch_norm(names::FEATURE_BATCH_NORM, norm, &dim("continuous", widths.continuous));
        }
        let clamp = names::clamp(featurization.batch_norm.is_some());
        let clip = featurization.clip_magnitude;
        self.push(format!("{clamp}.min_value"), [], Kind::Clamp(-clip));
        self.push(format!("{clamp}.max_value"), [], Kind::Clamp(clip));
        if featurization.layer_norm.is_some_and(|norm| norm.affine) {
            self.norm(names::FEATURE_LAYER_NORM, &dim("continuous + binary", widths.dense()));
        }
        for (name, width) in EMBEDDINGS.into_iter().zip(widths.embeddings()) {
            if width > 0 {
                self.norm(&names::embedding_norm(name), &dim(name, width));
            }
        }
    }

    fn norm(&mut self, name: &str, width: &Dim) {
        self.push(format!("{name}.weight"), [width.clone()], Kind::NormWeight);
        self.push(format!("{name}.bias"), [width.clone()], Kind::NormBias);
    }

    fn batch_norm(&mut self, name: &str, norm: BatchNorm, width: &Dim) {
        if norm.affine {
            self.norm(name, width);
        }
        self.push(format!("{name}.running_mean"), [width.clone()], Kind::RunningMean);
        self.push(format!("{name}.running_var"), [width.clone()], Kind::RunningVar);
        self.push(format!("{name}.num_batches_tracked"), [], Kind::Counter);
    }

    fn linear(&mut self, name: &str, out: &Dim, input: &Dim) {
        self.push(format!("{name}.weight"), [out.clone(), input.clone()], Kind::LinearWeight);
        self.push(format!("{name}.bias"), [out.clone()], Kind::LinearBias);
    }

    fn network(&mut self, prefix: &str, network: &Network, input: &Dim) -> Result<Dim> {
        match network {
            Network::Mlp(mlp) => Ok(self.mlp(prefix, mlp, input)),
            Network::MaskNet(net) => self.mask_net(prefix, net, input),
        }
    }

    fn mlp(&mut self, prefix: &str, mlp: &Mlp, input: &Dim) -> Dim {
        let mut input = input.clone();
        let last = mlp.layer_sizes.len().saturating_sub(1);
        for (layer, (index, &size)) in names::mlp_linear_indices(mlp).zip(&mlp.layer_sizes).enumerate() {
            let out = dim(format!("layer_sizes[{layer}]"), size);
            self.linear(&format!("{prefix}.layers.{index}"), &out, &input);
            if let Some(norm) = mlp.batch_norm.filter(|_| layer < last) {
                self.batch_norm(&format!("{prefix}.layers.{}", index + 1), norm, &out);
            }
            input = out;
        }
        input
    }

    fn mask_net(&mut self, prefix: &str, net: &MaskNet, guide: &Dim) -> Result<Dim> {
        let mut input = guide.clone();
        for (k, block) in net.mask_blocks.iter().enumerate() {
            let output = self.mask_block(&format!("{prefix}._mask_blocks.{k}"), block, &input, guide)?;
            if !net.use_parallel {
                input = Dim { name: format!("block {k} output_size").into(), ..output };
            }
        }
        let blocks = dim("mask_blocks", net.blocks_output_size());
        Ok(match &net.mlp {
            Some(mlp) => self.mlp(&format!("{prefix}._dense_layers"), mlp, &blocks),
            None => blocks,
        })
    }

    fn mask_block(&mut self, name: &str, block: &MaskBlock, net: &Dim, guide: &Dim) -> Result<Dim> {
        let aggregation = dim("aggregation_size", block.aggregation.size(guide.len));
        if !(1..=MAX_WIDTH).contains(&aggregation.len) {
            return Err(Error::Argument {
                argument: "reduction_factor",
                expected: format!("an aggregation layer of 1 to {MAX_WIDTH} features"),
                found: format!("{} for {name} of a guide of {} features", aggregation.len, guide.len),
            });
        }
        let output = dim("output_size", block.output_size);
        if block.input_layer_norm {
            self.norm(&format!("{name}._input_layer_norm"), net);
        }
        self.linear(&format!("{name}._mask_layer.0"), &aggregation, guide);
        self.linear(&format!("{name}._mask_layer.2"), net, &aggregation);
        self.linear(&format!("{name}._hidden_layer"), &output, net);
        self.norm(&format!("{name}._layer_norm"), &output);
        Ok(output)
    }
}
