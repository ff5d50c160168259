//! The `model` section, and what of `train_data` belongs to the model.

use std::path::Path;

use super::document::{self, Node};
use super::field::{Field, Fields, Source};
use super::file::read_text;
use super::{
    AffineMap, Aggregation, BatchNorm, Featurization, LayerNorm, MaskBlock, MaskNet, Mlp, ModelConfig,
    Network, Sharing, Task, variables,
};
use crate::{Error, Result};

/// Sections that say nothing about the model; they are not even read.
const SKIPPED: [&str; 4] = ["training", "optimizer", "validation_data", "which_metrics"];

impl ModelConfig {
    /// Reads the Heavy Ranker's training YAML, unchanged.
    ///
    /// `model` and, where there is one, `train_data` count; every other section is ignored. A null field is an absent
    /// one. `$NAME` and `${NAME}` are expanded where a value is used: in names of tasks and features, and in numbers.
    ///
    /// # Errors
    /// The file cannot be read, or is not YAML within the reader's bounds; a field of `model` is unknown, missing, of
    /// the wrong kind, or not supported; a variable in a used value is not set. The error names the field.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::read_with_text(path.as_ref())?.0)
    }

    /// The configuration, and the text that it was read from.
    pub(crate) fn read_with_text(path: &Path) -> Result<(Self, String)> {
        let text = read_text(path, document::MAX_BYTES)?;
        Ok((Self::from_yaml(&text, path)?, text))
    }

    /// The production model's training configuration, as text: the Heavy Ranker's, with the released schema's names. Its
    /// weights were never released; [`Widths::PRODUCTION`](super::Widths::PRODUCTION) are its inputs.
    pub const PRODUCTION_YAML: &str = include_str!("../../models/production/config.yaml");

    /// The production model's configuration.
    ///
    /// # Errors
    /// None: the tests read it.
    pub fn production() -> Result<Self> {
        Self::from_yaml(Self::PRODUCTION_YAML, "production config.yaml")
    }

    /// The same from memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`ModelConfig::read`].
    pub fn from_yaml(text: &str, name: impl AsRef<Path>) -> Result<Self> {
        from_yaml_with(text, name.as_ref(), &variables::environment)
    }
}

pub(super) fn from_yaml_with(text: &str, file: &Path, lookup: variables::Lookup<'_>) -> Result<ModelConfig> {
    let root = document::parse(text, &SKIPPED).map_err(|problem| Error::config(file, "document", problem))?;
    if root == Node::Null {
        return Err(Error::config(
            file,
            "document",
            "expected a map with the section \"model\", found nothing",
        ));
    }
    let root = Field::root(Source { file, lookup }, &root).fields()?;
    root.no_misspelling(&["model", "train_data"], &SKIPPED)?;
    let model = root.require("model")?.fields()?;
    let train_data = root.get("train_data").map(|field| field.fields()).transpose()?;
    let mut config = model_section(&model)?;
    if let Some(train_data) = train_data {
        super::train_data::apply(&train_data, &mut config)?;
    }
    Ok(config)
}

fn model_section(model: &Fields<'_>) -> Result<ModelConfig> {
    model.only(&[
        "tasks",
        "large_embeddings",
        "small_embeddings",
        "position_debias_config",
        "featurization_config",
        "multi_task_type",
        "backbone",
        "stratifiers",
    ])?;
    model.refuse(&["large_embeddings", "small_embeddings", "position_debias_config"])?;
    let featurization = featurization(&model.require("featurization_config")?)?;
    let backbone = model.get("backbone").map(|field| network(&field.fields()?)).transpose()?;
    let sharing = sharing(model, backbone.is_some())?;

    let mut tasks: Vec<Task> = Vec::new();
    let section = model.require("tasks")?;
    for (name, field) in section.fields()?.entries()? {
        let task = task(name, &field)?;
        if let Some(twin) = tasks.iter().find(|other| other.module_name() == task.module_name()) {
            let problem = format!(
                "has the module name \"{}\", which the task \"{}\" has already",
                task.module_name(),
                twin.name
            );
            return Err(field.error(problem));
        }
        tasks.push(task);
    }
    if tasks.is_empty() {
        return Err(section.error("expected at least one task, found none"));
    }
    Ok(ModelConfig { featurization, sharing, backbone, tasks, records: super::RecordsConfig::default() })
}

fn sharing(model: &Fields<'_>, has_backbone: bool) -> Result<Sharing> {
    let Some(field) = model.get("multi_task_type") else {
        if has_backbone {
            let problem =
                "expected no backbone under share_none, which is the default of multi_task_type, found one";
            return Err(model.error_at("backbone", problem));
        }
        return Ok(Sharing::None);
    };
    let name = field.text()?;
    let sharing = match name.as_str() {
        "share_all" => Sharing::All,
        "share_partial" => Sharing::Partial,
        "share_none" => Sharing::None,
        _ => {
            let expected = ["share_all", "share_partial", "share_none"];
            let hint = super::near::suggestion(&name, expected);
            let name = super::near::shown(&name);
            return Err(field
                .error(format!("expected share_all, share_partial or share_none, found \"{name}\"{hint}")));
        }
    };
    match (sharing, has_backbone) {
        (Sharing::None, true) => {
            Err(model.error_at("backbone", "expected no backbone under share_none, found one"))
        }
        (Sharing::All | Sharing::Partial, false) => {
            Err(model.error_at("backbone", format!("expected a backbone under {name}, found none")))
        }
        _ => Ok(sharing),
    }
}

fn featurization(field: &Field<'_>) -> Result<Featurization> {
    let section = field.fields()?;
    let others = ["log1p_abs_config", "clip_log1p_abs_config", "z_score_log_config"];
    section.only(&[&others[..], &["double_norm_log_config", "feature_names_to_concat"]].concat())?;
    section.refuse(&others)?;
    if let Some(names) = section.get("feature_names_to_concat") {
        let found = names.items()?.iter().map(Field::text).collect::<Result<Vec<_>>>()?;
        if found != ["binary"] {
            return Err(names.error(format!("not supported: expected [\"binary\"], found {found:?}")));
        }
    }
    let double = section.require("double_norm_log_config")?.fields()?;
    double.only(&["batch_norm_config", "clip_magnitude", "layer_norm_config"])?;
    let clip = double.get("clip_magnitude");
    Ok(Featurization {
        batch_norm: double.get("batch_norm_config").map(|field| batch_norm(&field)).transpose()?,
        clip_magnitude: clip.map_or(Ok(5.0), |field| field.f32("a number of at least 0", |v| v >= 0.0))?,
        layer_norm: double.get("layer_norm_config").map(|field| layer_norm(&field)).transpose()?,
    })
}

fn batch_norm(field: &Field<'_>) -> Result<BatchNorm> {
    let section = field.fields()?;
    section.only(&["affine", "momentum"])?;
    Ok(BatchNorm { affine: section.get("affine").map_or(Ok(true), |field| field.boolean())? })
}

fn layer_norm(field: &Field<'_>) -> Result<LayerNorm> {
    let section = field.fields()?;
    section.only(&["epsilon", "axis", "center", "scale"])?;
    if let Some(axis) = section.get("axis") {
        axis.number("-1, the last axis, which is the only one supported", |value| value == -1.0)?;
    }
    let flag = |name| section.get(name).map_or(Ok(true), |field| field.boolean());
    let (center, scale) = (flag("center")?, flag("scale")?);
    if center != scale {
        let problem = format!("expected the same value as scale ({scale}), found {center}");
        return Err(section.error_at("center", problem));
    }
    let epsilon = section.get("epsilon");
    let epsilon = epsilon.map_or(Ok(1e-3), |field| field.number("a number of at least 0", |v| v >= 0.0))?;
    Ok(LayerNorm { epsilon, affine: center })
}

/// The architecture of a backbone or a tower: exactly one. `pos_weight` is the loss's.
fn network(section: &Fields<'_>) -> Result<Network> {
    section.only(&[
        "affine_map",
        "dcn_config",
        "dlrm_config",
        "mask_net_config",
        "mlp_config",
        "pos_weight",
    ])?;
    section.refuse(&["dcn_config", "dlrm_config"])?;
    // The released model reads a backbone's affine map and never applies it, so for a backbone it is only checked.
    section.get("affine_map").map(|field| affine_map(&field)).transpose()?;
    match (section.get("mlp_config"), section.get("mask_net_config")) {
        (Some(field), None) => mlp(&field).map(Network::Mlp),
        (None, Some(field)) => mask_net(&field).map(Network::MaskNet),
        (Some(_), Some(_)) => {
            Err(section.error("expected exactly one of mlp_config and mask_net_config, found both"))
        }
        (None, None) => {
            Err(section.error("expected exactly one of mlp_config and mask_net_config, found neither"))
        }
    }
}

fn task(name: String, field: &Field<'_>) -> Result<Task> {
    let section = field.fields()?;
    let tower = network(&section)?;
    let width = tower.output_size();
    if width != 1 {
        return Err(section.error(format!("expected a tower whose last width is 1, found {width}")));
    }
    let affine_map = section.get("affine_map").map(|field| affine_map(&field)).transpose()?;
    Ok(Task { name, tower, affine_map, calibration_ratio: 1.0 })
}

fn affine_map(field: &Field<'_>) -> Result<AffineMap> {
    let section = field.fields()?;
    section.only(&["scale", "bias"])?;
    let number =
        |name, default| section.get(name).map_or(Ok(default), |field| field.f32("a number", |_| true));
    Ok(AffineMap { scale: number("scale", 1.0)?, bias: number("bias", 0.0)? })
}

fn mlp(field: &Field<'_>) -> Result<Mlp> {
    let section = field.fields()?;
    section.only(&["layer_sizes", "batch_norm", "dropout", "final_layer_activation"])?;
    let sizes = section.require("layer_sizes")?;
    let layer_sizes = sizes.items()?.iter().map(Field::width).collect::<Result<Vec<_>>>()?;
    if layer_sizes.is_empty() {
        return Err(sizes.error("expected at least one layer, found none"));
    }
    let dropout = section.get("dropout").map(|field| dropout(&field)).transpose()?;
    Ok(Mlp {
        layer_sizes,
        batch_norm: section.get("batch_norm").map(|field| batch_norm(&field)).transpose()?,
        dropout: dropout.is_some(),
        final_layer_activation: section
            .get("final_layer_activation")
            .map_or(Ok(false), |field| field.boolean())?,
    })
}

fn dropout(field: &Field<'_>) -> Result<f64> {
    let section = field.fields()?;
    section.only(&["rate"])?;
    let rate = section.get("rate");
    rate.map_or(Ok(0.1), |field| field.number("a rate above 0 and at most 1", |v| v > 0.0 && v <= 1.0))
}

fn mask_net(field: &Field<'_>) -> Result<MaskNet> {
    let section = field.fields()?;
    section.only(&["mask_blocks", "mlp", "use_parallel"])?;
    let blocks = section.require("mask_blocks")?;
    let mask_blocks = blocks.items()?.iter().map(mask_block).collect::<Result<Vec<_>>>()?;
    if mask_blocks.is_empty() {
        return Err(blocks.error("expected at least one block, found none"));
    }
    Ok(MaskNet {
        mask_blocks,
        mlp: section.get("mlp").map(|field| mlp(&field)).transpose()?,
        use_parallel: section.get("use_parallel").map_or(Ok(false), |field| field.boolean())?,
    })
}

fn mask_block(field: &Field<'_>) -> Result<MaskBlock> {
    let section = field.fields()?;
    section.only(&["output_size", "aggregation_size", "reduction_factor", "input_layer_norm"])?;
    let size = section.get("aggregation_size").map(|field| field.width()).transpose()?;
    let factor = section.get("reduction_factor");
    let factor = factor.map(|field| field.number("a number above 0", |v| v > 0.0)).transpose()?;
    let aggregation = match (factor, size) {
        (Some(factor), _) => Aggregation::ReductionFactor(factor),
        (None, Some(size)) => Aggregation::Size(size),
        (None, None) => {
            return Err(section.error("expected aggregation_size or reduction_factor, found neither"));
        }
    };
    Ok(MaskBlock {
        output_size: section.require("output_size")?.width()?,
        aggregation,
        input_layer_norm: section.require("input_layer_norm")?.boolean()?,
    })
}
