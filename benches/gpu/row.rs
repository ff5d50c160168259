//! Rows of results: CSV to keep, and a table to read.

use std::fmt::Write as _;
use std::path::Path;

use crate::Outcome;

/// Columns of every record.
const HEADER: &str = "device,driver,commit,date,op,backend,dtype,shape,l2,kind,median_us,p10_us,p90_us,candidates_per_s,gb_per_s,tflop_per_s,baseline,ratio";

/// One measurement.
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
    /// What the ratio is to, and the ratio.
    pub(crate) baseline: Option<(String, f64)>,
}

impl Row {
    fn at(&self, share: f64) -> f64 {
        let last = self.seconds.len().saturating_sub(1) as f64;
        self.seconds.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
    }

    /// Seconds.
    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    fn csv(&self, commit: &str, date: &str) -> String {
        let median = self.median();
        let rate = |amount: f64, unit: f64| match amount {
            0.0 => String::new(),
            _ => format!("{:.3}", amount / median / unit),
        };
        let (device, driver) = self.device.split_once(" (").unwrap_or((&self.device, ""));
        let (baseline, ratio) = match &self.baseline {
            Some((name, ratio)) => (name.as_str(), format!("{ratio:.3}")),
            None => ("", String::new()),
        };
        let mut line = format!(
            "{},{},{commit},{date},{},cuda,{},{},warm,{}",
            device.replace(',', ";"),
            driver.trim_end_matches(')'),
            self.op,
            self.dtype,
            self.shape,
            self.kind,
        );
        let times = [0.5, 0.1, 0.9].map(|share| format!("{:.2}", self.at(share) * 1e6));
        let rates = [rate(self.candidates as f64, 1.0), rate(self.bytes, 1e9), rate(self.flops, 1e12)];
        for field in times.into_iter().chain(rates).chain([baseline.replace(',', ";"), ratio]) {
            let _infallible = write!(line, ",{field}");
        }
        line
    }
}

/// Writes rows, and prints them.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Outcome {
    let commit = std::env::var("MASKRANK_COMMIT").unwrap_or_else(|_| "unknown".into());
    let date = std::env::var("MASKRANK_DATE").unwrap_or_else(|_| "unknown".into());
    let mut text = format!("{HEADER}\n");
    for row in rows {
        text += &row.csv(&commit, &date);
        text.push('\n');
    }
    std::fs::write(path, &text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    table(&[&path.display().to_string()])
}

/// Prints the rows of CSV files as one table.
pub(crate) fn table(files: &[&str]) -> Outcome {
    const SHOWN: [&str; 11] = [
        "op",
        "dtype",
        "shape",
        "kind",
        "median_us",
        "p10_us",
        "p90_us",
        "candidates_per_s",
        "gb_per_s",
        "tflop_per_s",
        "ratio",
    ];
    let names: Vec<&str> = HEADER.split(',').collect();
    let mut lines = vec![SHOWN.map(str::to_owned).to_vec()];
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
        let mut rows = text.lines();
        if rows.next() != Some(HEADER) {
            return Err(format!("{file}: expected the columns {HEADER}").into());
        }
        for line in rows {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |name: &str| {
                let at = names.iter().position(|n| *n == name)?;
                fields.get(at).map(|field| (*field).to_owned())
            };
            let shown = SHOWN.map(|name| field(name).unwrap_or_default()).to_vec();
            lines.push(shown);
        }
    }
    let widths: Vec<usize> = (0..SHOWN.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate();
        let padded = cells.map(|(index, (cell, &width))| match index {
            0..=3 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(())
}
