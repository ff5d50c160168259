//! Whether a contender's outputs are the model's, and how near.

use std::fs;
use std::path::Path;

use maskrank_rows::{Row, statistics};
use serde_json::Value;

/// What every contender reads, and the truth.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) truth_rows: usize,
    pub(super) tasks: usize,
    /// FLOPs of a candidate.
    pub(super) flops: f64,
    /// Weights of the model.
    pub(super) weights: f64,
    /// (truth_rows, tasks).
    logits: Vec<f64>,
    /// (truth_rows).
    scores: Vec<f64>,
    rounding: Value,
}

/// Against the f64 reference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quality {
    pub(super) logit_error: f64,
    pub(super) kendall_tau: f64,
    pub(super) top_50: f64,
}

impl Facts {
    /// # Errors
    /// A file is missing or does not say what it must.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("facts.json");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let facts: Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let number =
            |name: &str| facts[name].as_f64().ok_or_else(|| format!("{}: no {name}", path.display()));
        let (rows, tasks) = (number("truth_rows")? as usize, facts["tasks"].as_array().map_or(0, Vec::len));
        let truth = folder.join("truth.f64");
        let bytes = fs::read(&truth).map_err(|error| format!("{}: {error}", truth.display()))?;
        let values: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
        if values.len() != rows * (tasks + 1) || rows == 0 {
            return Err(format!("{}: expected {rows} rows of {tasks} logits and a score", truth.display()));
        }
        let (logits, scores) = values.split_at(rows * tasks);
        Ok(Self {
            truth_rows: rows,
            tasks,
            flops: number("flops")?,
            weights: number("weights")?,
            logits: logits.to_vec(),
            scores: scores.to_vec(),
            rounding: facts["rounding"].clone(),
        })
    }

    /// Compares outputs with the truth.
    ///
    /// # Errors
    /// They are not the model's: a logit is further off than the precision explains. For f32 that is the bound of the
    /// golden cases; for a rounded precision twice the largest error that the reference's own rounding makes is
    /// added, and as much again because a library may round where the reference does not (its norms, its biases).
    pub(super) fn judge(&self, precision: &str, logits: &[f32], scores: &[f32]) -> Result<Quality, String> {
        let rounding = 4.0 * self.rounding[precision].as_f64().unwrap_or(0.0);
        let mut worst = 0.0f64;
        for (index, (&truth, &logit)) in self.logits.iter().zip(logits).enumerate() {
            let (error, bound) = ((f64::from(logit) - truth).abs(), rounding + 3e-5 + 1e-5 * truth.abs());
            if !matches!(error.partial_cmp(&bound), Some(order) if order.is_le()) {
                let (row, task) = (index / self.tasks, index % self.tasks);
                return Err(format!("logit of row {row} task {task}: |err| {error:.3e} > bound {bound:.3e}"));
            }
            worst = worst.max(error);
        }
        let scores: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
        Ok(Quality {
            logit_error: worst,
            kendall_tau: statistics::kendall_tau(&self.scores, &scores),
            top_50: statistics::top_overlap(&self.scores, &scores, 50) as f64,
        })
    }
}

impl Quality {
    /// Puts the figures into a row.
    pub(super) fn fill(self, row: Row) -> Row {
        Row {
            logit_error: Some(self.logit_error),
            kendall_tau: Some(self.kendall_tau),
            top_50: Some(self.top_50),
            ..row
        }
    }
}
