//! What kernels of an NVIDIA GPU are held against: the rate of products on registers, and that of reading the weights' bytes.
//! The other benches have this module by path.

use std::collections::BTreeMap;

use maskrank::Precision;
use maskrank::cuda_ceilings::{Ceiling, Ceilings};
use maskrank_rows::{Limit, binding_limit};

/// Measured in the same process as the rows that are held against them.
#[derive(Debug)]
pub(crate) struct Limits {
    ceilings: Ceilings,
    /// By the precision's name.
    multiply: BTreeMap<String, f64>,
    /// By the region's bytes.
    read: BTreeMap<usize, f64>,
}

/// The limit that binds, in words, and the share of it that is reached; none where the limit is proven wrong.
pub(crate) type Share = (String, Option<f64>);

impl Limits {
    /// Opens the GPU; see [`Ceilings::open`].
    pub(crate) fn new(rounds: u32, samples: usize) -> maskrank::Result<Self> {
        let ceilings = Ceilings::open(rounds, samples)?;
        Ok(Self { ceilings, multiply: BTreeMap::new(), read: BTreeMap::new() })
    }

    /// Device and driver.
    pub(crate) fn device(&self) -> String {
        self.ceilings.title()
    }

    /// Products on registers; the best that was seen is kept.
    pub(crate) fn multiply(&mut self, precision: Precision) -> maskrank::Result<Ceiling> {
        let found = self.ceilings.multiply(precision)?;
        let best = self.multiply.entry(precision.to_string()).or_default();
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
    /// which is read no slower, so that no share is flattered.
    pub(crate) fn share(
        &mut self,
        precision: Precision,
        (flops, bytes): (f64, f64),
        seconds: f64,
    ) -> maskrank::Result<Share> {
        let region = match bytes as usize {
            exact if self.read.contains_key(&exact) => exact,
            other => 1 << other.clamp(1 << 16, 1 << 30).ilog2(),
        };
        let name = precision.to_string();
        if !self.multiply.contains_key(&name) {
            self.multiply(precision)?;
        }
        if !self.read.contains_key(&region) {
            self.read(region)?;
        }
        let (rate, bandwidth) = (self.multiply[&name], self.read[&region]);
        let (bound, limit) = binding_limit((flops, rate), (bytes, bandwidth));
        let share = bound / seconds;
        Ok((limit, (share > 0.0 && share <= 1.0).then_some(share)))
    }

    /// Everything, for the record.
    pub(crate) fn list(&self) -> Vec<Limit> {
        let limit = |what: String, value: f64, unit: &str, how: &str| Limit {
            name: format!("{}: {what}", self.device()),
            threads: 0,
            value,
            unit: unit.to_owned(),
            how: how.to_owned(),
        };
        let how = "mma.sync, or multiply-adds, on registers";
        let rates = self.multiply.iter();
        let rates = rates.map(|(name, &rate)| limit(format!("multiply rate {name}"), rate, "FLOP/s", how));
        let how = "a kernel that does nothing else, again and again, device events";
        let read = self.read.iter();
        let read =
            read.map(|(&bytes, &rate)| limit(format!("read {:.1} MB", bytes as f64 / 1e6), rate, "B/s", how));
        rates.chain(read).collect()
    }
}

/// Bytes of a stored number.
pub(crate) fn element_bytes(precision: Precision) -> f64 {
    match precision {
        Precision::Bf16 | Precision::F16 => 2.0,
        _ => 4.0,
    }
}

/// Of sorted seconds; infinite of none.
pub(crate) fn median(seconds: &[f64]) -> f64 {
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::INFINITY)
}

fn fastest(found: &Ceiling) -> f64 {
    found.seconds.first().copied().unwrap_or(f64::INFINITY)
}
