//! What kernels are held against: the rate of products on registers, and that of reading the weights' bytes.

use std::collections::HashMap;

use maskrank::Precision;
use maskrank::cuda_ceilings::{Ceiling, Ceilings};

use crate::extent::Extent;

/// Measured in the same process as the rows that are held against them.
pub(crate) struct Limits {
    ceilings: Ceilings,
    multiply: HashMap<Precision, f64>,
    /// By the region's bytes.
    read: HashMap<usize, f64>,
}

/// The limit that binds, in words, and the share of it that is reached; none where the limit is proven wrong.
pub(crate) type Share = (String, Option<f64>);

impl Limits {
    pub(crate) fn new(extent: &Extent) -> maskrank::Result<Self> {
        let ceilings = Ceilings::open(extent.rounds, extent.samples.min(10))?;
        Ok(Self { ceilings, multiply: HashMap::new(), read: HashMap::new() })
    }

    /// Device and driver.
    pub(crate) fn device(&self) -> String {
        self.ceilings.title()
    }

    /// Products on registers; the best that was seen is kept.
    pub(crate) fn multiply(&mut self, precision: Precision) -> maskrank::Result<Ceiling> {
        let found = self.ceilings.multiply(precision)?;
        let best = self.multiply.entry(precision).or_default();
        *best = best.max(found.flops / fastest(&found));
        Ok(found)
    }

    /// Reading a region of so many bytes.
    pub(crate) fn read(&mut self, bytes: usize) -> maskrank::Result<Ceiling> {
        let found = self.ceilings.read(bytes)?;
        let best = self.read.entry(bytes).or_default();
        *best = best.max(found.bytes / fastest(&found));
        Ok(found)
    }

    /// How much of what the device can do work reaches: the larger of two times, its FLOPs at the multiply rate, and its
    /// bytes at the rate of reading a region of as many; where none of exactly so many was read, of the power of two below,
    /// which is read no slower, so that no share is flattered. `seconds` are sorted; their median counts.
    pub(crate) fn share(
        &mut self,
        precision: Precision,
        (flops, bytes): (f64, f64),
        seconds: &[f64],
    ) -> maskrank::Result<Share> {
        let region = match bytes as usize {
            exact if self.read.contains_key(&exact) => exact,
            other => 1 << other.clamp(1 << 16, 1 << 30).ilog2(),
        };
        if !self.multiply.contains_key(&precision) {
            self.multiply(precision)?;
        }
        if !self.read.contains_key(&region) {
            self.read(region)?;
        }
        let (rate, bandwidth) = (self.multiply[&precision], self.read[&region]);
        let (compute, memory) = (flops / rate, bytes / bandwidth);
        let (bound, limit) = match compute > memory {
            true => (compute, format!("limit: multiply rate {:.1} TFLOP/s", rate / 1e12)),
            false => (memory, format!("limit: read bandwidth {:.1} GB/s", bandwidth / 1e9)),
        };
        let median = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::INFINITY);
        let share = bound / median;
        Ok((limit, (share > 0.0 && share <= 1.0).then_some(share)))
    }
}

/// Bytes of a stored number.
pub(crate) fn element_bytes(precision: Precision) -> f64 {
    match precision {
        Precision::Bf16 | Precision::F16 => 2.0,
        _ => 4.0,
    }
}

fn fastest(found: &Ceiling) -> f64 {
    found.seconds.first().copied().unwrap_or(f64::INFINITY)
}
