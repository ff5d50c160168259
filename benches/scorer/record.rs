//! Rows of results, and the file that keeps them.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use maskrank::Scorer;

use crate::roofline::Limits;

/// One row: what ran, how long it took, and how near that is to the machine's limit.
pub(crate) struct Row {
    name: String,
    device: String,
    kernel: String,
    candidates: usize,
    median: f64,
    p10: f64,
    p90: f64,
    bytes: f64,
    flops: f64,
    limits: Limits,
}

impl Row {
    /// `flops` is a candidate's, `bytes` the weights'.
    pub(crate) fn new(
        name: &str,
        scorer: &Scorer,
        mut samples: Vec<f64>,
        candidates: usize,
        flops: f64,
        bytes: f64,
        limits: &Limits,
    ) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
        Self {
            name: name.to_owned(),
            device: scorer.device().name.clone(),
            kernel: scorer.device().kernel.clone(),
            candidates,
            median: at(0.5),
            p10: at(0.1),
            p90: at(0.9),
            bytes,
            flops: flops * candidates as f64,
            limits: *limits,
        }
    }

    fn bound(&self) -> (f64, &'static str) {
        let compute = self.flops / self.limits.flops;
        let memory = self.bytes / self.limits.bandwidth;
        if compute > memory { (compute, "multiply rate") } else { (memory, "read bandwidth") }
    }

    fn csv(&self, commit: &str, date: &str) -> String {
        let mut parts = self.name.split('/');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (op, backend, dtype, shape) = (part(), part(), part(), part());
        let (bound, baseline) = self.bound();
        format!(
            "{},{},{commit},{date},{op},{backend},{dtype},{shape},warm,score,{:.1},{:.1},{:.1},{:.0},{:.2},{:.4},roofline: {baseline},{:.3}",
            self.device.replace(',', ";"),
            self.kernel.replace(',', ";"),
            self.median * 1e6,
            self.p10 * 1e6,
            self.p90 * 1e6,
            self.candidates as f64 / self.median,
            self.bytes / self.median / 1e9,
            self.flops / self.median / 1e12,
            bound / self.median,
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bound, baseline) = self.bound();
        write!(
            f,
            "{:<28} median {:>10.1} us (p10 {:.1}, p90 {:.1})  {:>7.0} candidates/s  {:.3} TFLOP/s  {:>5.1} GB/s  \
             {:.0} % of {baseline} ({:.3} TFLOP/s, {:.1} GB/s)",
            self.name,
            self.median * 1e6,
            self.p10 * 1e6,
            self.p90 * 1e6,
            self.candidates as f64 / self.median,
            self.flops / self.median / 1e12,
            self.bytes / self.median / 1e9,
            100.0 * bound / self.median,
            self.limits.flops / 1e12,
            self.limits.bandwidth / 1e9,
        )
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let found = Command::new(program).args(arguments).output();
    found.map_or_else(|_| "unknown".to_owned(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}

/// Writes `benches/record/MACHINE/scorer.csv` anew.
pub(crate) fn write(rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let machine: String = first
        .device
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let machine = machine.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let (commit, date) = (output("git", &["rev-parse", "--short", "HEAD"]), output("date", &["-I"]));
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/record").join(machine);
    let mut text =
        "device,driver,commit,date,op,backend,dtype,shape,l2,kind,median_us,p10_us,p90_us,candidates_per_s,\
                    gb_per_s,tflop_per_s,baseline,ratio\n"
            .to_owned();
    for row in rows {
        text.push_str(&row.csv(&commit, &date));
        text.push('\n');
    }
    std::fs::create_dir_all(&folder).expect("a folder for the record");
    std::fs::write(folder.join("scorer.csv"), text).expect("the record is written");
    println!("wrote {}", folder.join("scorer.csv").display());
}
