//! Rows of results: CSV to keep, in the format of all records, and a table to read.

use std::path::Path;

use maskrank_rows::{Summary, from_csv, to_csv};

use crate::Outcome;

/// One measurement.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) device: String,
    pub(crate) op: String,
    pub(crate) dtype: String,
    pub(crate) shape: String,
    /// `graph`, `kernel`, `score`: what the time is of.
    pub(crate) kind: &'static str,
    /// Seconds, sorted.
    pub(crate) seconds: Vec<f64>,
    /// 0 where it does not apply.
    pub(crate) candidates: usize,
    pub(crate) bytes: f64,
    pub(crate) flops: f64,
    /// Largest error of a logit, Kendall's tau and overlap of the best 50, against f64; none of what scores nothing.
    pub(crate) accuracy: Option<[f64; 3]>,
    /// The limit that binds, and the share of it that is reached.
    pub(crate) limit: Option<(String, Option<f64>)>,
}

impl Row {
    fn record(&self, commit: &str, date: &str) -> maskrank_rows::Row {
        let (device, driver) = self.device.split_once(" (").unwrap_or((&self.device, ""));
        let row = maskrank_rows::Row {
            device: device.to_owned(),
            driver: driver.trim_end_matches(')').to_owned(),
            commit: commit.to_owned(),
            date: date.to_owned(),
            op: self.op.clone(),
            backend: "cuda".to_owned(),
            dtype: self.dtype.clone(),
            shape: self.shape.clone(),
            l2: "warm".to_owned(),
            kind: self.kind.to_owned(),
            ..maskrank_rows::Row::default()
        };
        let mut row = match self.seconds.is_empty() {
            true => row,
            false => {
                row.timed(&Summary::of(&self.seconds, 0.0)).rated(self.candidates, self.flops, self.bytes)
            }
        };
        [row.logit_error, row.kendall_tau, row.top_50] = self.accuracy.map_or([None; 3], |own| own.map(Some));
        if let Some((limit, share)) = &self.limit {
            (row.baseline, row.ratio) = (limit.clone(), *share);
            if share.is_none() {
                row.note = "beyond the limit beside it, which is none therefore".to_owned();
            }
        }
        // Sorted: what was their order is lost, and with it how the machine wandered.
        row.noise = None;
        row.candidates_per_s = row.candidates_per_s.filter(|_| self.candidates > 0);
        row.gb_per_s = row.gb_per_s.filter(|_| self.bytes > 0.0);
        row.tflop_per_s = row.tflop_per_s.filter(|_| self.flops > 0.0);
        row
    }
}

/// Writes rows, and prints them.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Outcome {
    let commit = std::env::var("MASKRANK_COMMIT").unwrap_or_else(|_| "unknown".into());
    let date = std::env::var("MASKRANK_DATE").unwrap_or_else(|_| "unknown".into());
    let rows: Vec<maskrank_rows::Row> = rows.iter().map(|row| row.record(&commit, &date)).collect();
    std::fs::write(path, to_csv(&rows))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    table(&[&path.display().to_string()])
}

/// Prints the rows of CSV files as one table.
pub(crate) fn table(files: &[&str]) -> Outcome {
    let head = [
        "op",
        "backend",
        "dtype",
        "shape",
        "kind",
        "median_us",
        "p10_us",
        "p90_us",
        "candidates/s",
        "GB/s",
        "TFLOP/s",
        "of limit",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
        for row in from_csv(&text).map_err(|problem| format!("{file}: {problem}"))? {
            let number = |value: Option<f64>, digits: usize| {
                value.map_or(String::new(), |value| format!("{value:.digits$}"))
            };
            lines.push(vec![
                row.op,
                row.backend,
                row.dtype,
                row.shape,
                row.kind,
                format!("{:.2}", row.median_us),
                format!("{:.2}", row.p10_us),
                format!("{:.2}", row.p90_us),
                number(row.candidates_per_s, 0),
                number(row.gb_per_s, 1),
                number(row.tflop_per_s, 3),
                number(row.ratio, 3),
            ]);
        }
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate();
        let padded = cells.map(|(index, (cell, &width))| match index {
            0..=4 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(())
}
