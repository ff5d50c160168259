//! The `train_data` section: down-sampling rates, renamed features and truncations.
//!
//! Fields that only training needs are ignored; one that looks like a misspelling of a field in use is an error.

use super::field::{Field, Fields};
use super::{ModelConfig, RecordsConfig};
use crate::Result;

const TASKS: &str = "tasks";
const SCHEMA: &str = "seg_dense_schema";
const PREPROCESS: &str = "preprocess";

pub(super) fn apply(section: &Fields<'_>, config: &mut ModelConfig) -> Result<()> {
    section.no_misspelling(&[TASKS, SCHEMA, PREPROCESS], &[])?;
    if let Some(tasks) = section.get(TASKS) {
        for (name, field) in tasks.fields()?.entries()? {
            let ratio = ratio(&field)?;
            if let Some(task) = config.tasks.iter_mut().find(|task| task.name == name) {
                task.calibration_ratio = ratio;
            }
            config.records.labels.push(name);
        }
    }
    if let Some(schema) = section.get(SCHEMA) {
        renames(&schema.fields()?, &mut config.records)?;
    }
    if let Some(preprocess) = section.get(PREPROCESS) {
        truncations(&preprocess.fields()?, &mut config.records)?;
    }
    Ok(())
}

/// `neg_downsampling_rate / pos_downsampling_rate`, divided in f64 and then rounded, as the released model does.
fn ratio(task: &Field<'_>) -> Result<f32> {
    if task.is_null() {
        return Ok(1.0);
    }
    let section = task.fields()?;
    section.only(&["pos_downsampling_rate", "neg_downsampling_rate"])?;
    let rate =
        |name| section.get(name).map_or(Ok(1.0), |field| field.number("a finite rate above 0", |v| v > 0.0));
    let (pos, neg): (f64, f64) = (rate("pos_downsampling_rate")?, rate("neg_downsampling_rate")?);
    let ratio = (neg / pos) as f32;
    if ratio.is_finite() && ratio > 0.0 {
        return Ok(ratio);
    }
    Err(section.error(format!(
        "expected neg_downsampling_rate / pos_downsampling_rate to be finite and above 0 as f32, found {neg:?} / {pos:?}"
    )))
}

fn renames(section: &Fields<'_>, records: &mut RecordsConfig) -> Result<()> {
    section.no_misspelling(&["renamed_features", "schema_path"], &[])?;
    if let Some(renamed) = section.get("renamed_features") {
        for (input, feature) in renamed.fields()?.entries()? {
            records.renamed_features.push((input, feature.text()?));
        }
    }
    records.schema_path = section.get("schema_path").map(|field| field.raw_text()).transpose()?;
    Ok(())
}

fn truncations(section: &Fields<'_>, records: &mut RecordsConfig) -> Result<()> {
    section.no_misspelling(&["truncate_and_slice"], &[])?;
    let Some(slice) = section.get("truncate_and_slice") else { return Ok(()) };
    let slice = slice.fields()?;
    let masks = ["continuous_feature_mask_path", "binary_feature_mask_path"];
    slice.only(&[&masks[..], &["continuous_feature_truncation", "binary_feature_truncation"]].concat())?;
    slice.refuse(&masks)?;
    let truncation = |name| slice.get(name).map(|field| field.width()).transpose();
    records.continuous_truncation = truncation("continuous_feature_truncation")?;
    records.binary_truncation = truncation("binary_feature_truncation")?;
    Ok(())
}
