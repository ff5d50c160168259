//! One row, and the machine's limits that rows are held against.

use serde::{Deserialize, Serialize};

use crate::statistics::Summary;

/// One measurement. Its id is `op/backend/dtype/shape`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// What it ran on.
    pub device: String,
    /// Driver, kernel variant or library version.
    pub driver: String,
    /// Commit of the code; `-dirty` where the tree had changes.
    pub commit: String,
    /// Day, as in 2026-11-22.
    pub date: String,
    /// What was done: `score`, `gemm_1`, `cold_start`.
    pub op: String,
    /// Backend, or the peer's name.
    pub backend: String,
    /// Precision.
    pub dtype: String,
    /// Sizes: `n1500_t2`.
    pub shape: String,
    /// State of the caches: `warm` or `cold`.
    pub l2: String,
    /// What the time is: `score` a whole call, `step` a part of whole calls, `kernel` device events, `load` latency
    /// under load from the intended arrival, `start` a fresh process.
    pub kind: String,
    /// Median, microseconds.
    pub median_us: f64,
    /// 10th percentile.
    pub p10_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// Candidates a second.
    pub candidates_per_s: Option<f64>,
    /// Weights' bytes over the median.
    pub gb_per_s: Option<f64>,
    /// FLOPs over the median.
    pub tflop_per_s: Option<f64>,
    /// What `ratio` is to: `limit: multiply rate`, `peer: openvino`, `threads: 1`.
    pub baseline: String,
    /// How many times as fast as the baseline; for a limit the share of it that is reached.
    pub ratio: Option<f64>,
    /// 10th percentile of paired ratios.
    pub ratio_p10: Option<f64>,
    /// 90th percentile of paired ratios.
    pub ratio_p90: Option<f64>,
    /// 99th percentile, of latencies.
    pub p99_us: Option<f64>,
    /// 99.9th percentile, of latencies.
    pub p999_us: Option<f64>,
    /// Samples.
    pub samples: usize,
    /// Relative noise of the median: see [`Summary::noise`].
    pub noise: Option<f64>,
    /// Largest absolute error of a logit against f64.
    pub logit_error: Option<f64>,
    /// Kendall's tau of the scores' order against f64.
    pub kendall_tau: Option<f64>,
    /// How many of the best 50 by f64 are among the best 50.
    pub top_50: Option<f64>,
    /// Most memory held, MB.
    pub memory_mb: Option<f64>,
    /// What else a reader must know: settings, or why there is no time.
    pub note: String,
}

/// The columns of a CSV file, in order.
pub const COLUMNS: [&str; 29] = [
    "device",
    "driver",
    "commit",
    "date",
    "op",
    "backend",
    "dtype",
    "shape",
    "l2",
    "kind",
    "median_us",
    "p10_us",
    "p90_us",
    "candidates_per_s",
    "gb_per_s",
    "tflop_per_s",
    "baseline",
    "ratio",
    "ratio_p10",
    "ratio_p90",
    "p99_us",
    "p999_us",
    "samples",
    "noise",
    "logit_error",
    "kendall_tau",
    "top_50",
    "memory_mb",
    "note",
];

impl Row {
    /// `op/backend/dtype/shape`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}/{}/{}", self.op, self.backend, self.dtype, self.shape)
    }

    /// Takes median, spread and noise.
    #[must_use]
    pub fn timed(mut self, summary: &Summary) -> Self {
        self.median_us = summary.median * 1e6;
        self.p10_us = summary.p10 * 1e6;
        self.p90_us = summary.p90 * 1e6;
        self.samples = summary.samples;
        self.noise = Some(summary.noise);
        self
    }

    /// Fills rates from the median: `flops` and `bytes` are one call's.
    #[must_use]
    pub fn rated(mut self, candidates: usize, flops: f64, bytes: f64) -> Self {
        let seconds = self.median_us * 1e-6;
        if seconds > 0.0 {
            self.candidates_per_s = Some(candidates as f64 / seconds);
            self.gb_per_s = Some(bytes / seconds / 1e9);
            self.tflop_per_s = Some(flops / seconds / 1e12);
        }
        self
    }

    /// The number after a letter in the shape: `shape_number('n')` of `n1500_t2` is 1500.
    #[must_use]
    pub fn shape_number(&self, letter: char) -> Option<usize> {
        self.shape.split('_').find_map(|part| part.strip_prefix(letter)?.parse().ok())
    }
}

/// Something that the machine was measured to do at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limit {
    /// `multiply rate bf16, packed operands`.
    pub name: String,
    /// Threads at once.
    pub threads: usize,
    /// FLOP/s, bytes/s or seconds: see `unit`.
    pub value: f64,
    /// `FLOP/s`, `B/s` or `s`.
    pub unit: String,
    /// How it was measured.
    pub how: String,
}

/// Seconds that work takes at least, FLOPs at a rate or bytes at a bandwidth, whichever takes longer; and that limit as a
/// row's `baseline` has it.
#[must_use]
pub fn binding_limit((flops, rate): (f64, f64), (bytes, bandwidth): (f64, f64)) -> (f64, String) {
    let (compute, memory) = (flops / rate, bytes / bandwidth);
    if compute > memory {
        (compute, format!("limit: multiply rate {:.3} TFLOP/s", rate / 1e12))
    } else {
        (memory, format!("limit: read bandwidth {:.1} GB/s", bandwidth / 1e9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_of_two_times_binds() {
        let limit = |flops| binding_limit((flops, 2e12), (4e9, 1e9));
        assert_eq!(limit(9e12), (4.5, "limit: multiply rate 2.000 TFLOP/s".to_owned()));
        assert_eq!(limit(7e12), (4.0, "limit: read bandwidth 1.0 GB/s".to_owned()));
    }
}
