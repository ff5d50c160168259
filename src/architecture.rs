//! A model's layers and their sizes, from its configuration and widths alone.

use crate::Result;
use crate::config::{ModelConfig, Widths};
use crate::weights::{ExpectedTensor, Kind, expected};

/// What a configuration amounts to once the widths of the inputs are known. No weights are needed.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Widths of the raw inputs.
    pub widths: Widths,
    /// Every layer that has tensors, in the model's order.
    pub layers: Vec<Layer>,
}

/// One module of the released layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The module's name: its tensors' names without their last part.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// Its tensors.
    pub tensors: Vec<ExpectedTensor>,
}

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerKind {
    /// `x · Wᵀ + b`.
    Linear,
    /// A batch norm in its inference form.
    BatchNorm,
    /// A layer norm.
    LayerNorm,
    /// The clamp of the continuous features.
    Clamp,
    /// A task's affine map.
    AffineMap,
    /// A task's calibration.
    Calibration,
}

impl LayerKind {
    /// The kind in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::BatchNorm => "batch norm",
            Self::LayerNorm => "layer norm",
            Self::Clamp => "clamp",
            Self::AffineMap => "affine map",
            Self::Calibration => "calibration",
        }
    }
}

impl Architecture {
    /// Lists a model's layers.
    ///
    /// # Errors
    /// The widths do not fit the configuration.
    pub fn new(config: &ModelConfig, widths: Widths) -> Result<Self> {
        let mut layers: Vec<Layer> = Vec::new();
        for tensor in expected(config, widths)? {
            let module = tensor.name.rsplit_once('.').map_or("", |(module, _)| module);
            match layers.last_mut().filter(|layer| layer.name == module) {
                Some(layer) => layer.tensors.push(tensor),
                None => {
                    let kind = LayerKind::LayerNorm;
                    layers.push(Layer { name: module.to_owned(), kind, tensors: vec![tensor] });
                }
            }
        }
        layers.iter_mut().for_each(|layer| layer.kind = kind_of(&layer.tensors));
        Ok(Self { widths, layers })
    }

    /// Learnt values: everything but running statistics, counters, clamps and calibration ratios.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(Layer::parameters).sum()
    }

    /// Floating-point operations of the linear layers for one candidate.
    #[must_use]
    pub fn flops(&self) -> f64 {
        self.layers.iter().map(Layer::flops).sum()
    }
}

impl Layer {
    /// Learnt values.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.tensors.iter().filter(|tensor| tensor.kind.is_parameter()).map(ExpectedTensor::elements).sum()
    }

    /// Floating-point operations for one candidate, a multiply-add being two; 0 for anything but a linear layer.
    #[must_use]
    pub fn flops(&self) -> f64 {
        let weights = self.tensors.iter().filter(|tensor| tensor.kind == Kind::LinearWeight);
        weights.map(|tensor| 2.0 * tensor.elements() as f64).fold(0.0, |sum, flops| sum + flops)
    }

    /// Shape of the layer's first tensor, with the names of its dimensions.
    #[must_use]
    pub fn shape_text(&self) -> String {
        self.tensors.first().map(ExpectedTensor::shape_text).unwrap_or_default()
    }
}

fn kind_of(tensors: &[ExpectedTensor]) -> LayerKind {
    let has = |wanted: fn(Kind) -> bool| tensors.iter().any(|tensor| wanted(tensor.kind));
    if has(|kind| kind == Kind::LinearWeight) {
        LayerKind::Linear
    } else if has(|kind| kind == Kind::RunningVar) {
        LayerKind::BatchNorm
    } else if has(|kind| matches!(kind, Kind::Clamp(_))) {
        LayerKind::Clamp
    } else if has(|kind| matches!(kind, Kind::AffineMap(_))) {
        LayerKind::AffineMap
    } else if has(|kind| matches!(kind, Kind::Ratio(_))) {
        LayerKind::Calibration
    } else {
        LayerKind::LayerNorm
    }
}
