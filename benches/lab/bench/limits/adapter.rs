//! Limits of a GPU that WGSL reaches, software GPUs too: multiply-adds on registers, reading a region of the weights'
//! size, copies, both ways to the host, and what starting work costs. Measured when its first row asks.

use std::collections::BTreeMap;

use maskrank_rows::{Limit, binding_limit};

use super::{RETRIES, Share};

/// Bytes of copies: more than the caches of most devices.
#[cfg(feature = "wgpu")]
const COPY: usize = 64 << 20;

/// The best that was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Adapter {
    /// FLOP/s.
    multiply: f64,
    /// Bytes/s, by the region's size.
    read: BTreeMap<usize, f64>,
    /// What is listed beside.
    others: Vec<Limit>,
    name: String,
    /// Why nothing could be measured.
    failed: Option<String>,
}

impl Adapter {
    /// The share of the binding limit that a call of so many FLOPs, which reads `bytes` of weights once, reaches.
    ///
    /// # Errors
    /// Nothing could be measured, or the limit is exceeded and stays so when it is measured again.
    pub(crate) fn share(
        &mut self,
        flops: f64,
        bytes: usize,
        region: usize,
        seconds: f64,
    ) -> Result<Share, String> {
        if !self.read.contains_key(&region) {
            self.measure(region)?;
        }
        for retry in 0..=RETRIES {
            let (rate, bandwidth) = (self.multiply, self.read.get(&region).copied().unwrap_or(f64::NAN));
            let (bound, limit) = binding_limit((flops, rate), (bytes as f64, bandwidth));
            let of_limit = bound / seconds;
            if of_limit <= 1.0 {
                return Ok(Share { of_limit, limit });
            }
            if retry == RETRIES {
                return Err(format!("reached {:.1} % of the {limit}", 100.0 * of_limit));
            }
            self.measure(region)?;
        }
        Err("the limits could not be measured".to_owned())
    }

    /// Everything, for the record.
    pub(crate) fn list(&self) -> Vec<Limit> {
        if self.read.is_empty() {
            return Vec::new();
        }
        let limit = |what: &str, value: f64, unit: &str, how: &str| Limit {
            name: format!("{}: {what}", self.name),
            threads: 0,
            value,
            unit: unit.into(),
            how: how.into(),
        };
        let how = "multiply-adds on registers, the better of one operation and two, best of four submissions";
        let mut all = vec![limit("multiply rate", self.multiply, "FLOP/s", how)];
        for (&bytes, &value) in &self.read {
            let how = "a kernel that does nothing else, again and again, best of four submissions";
            all.push(limit(&format!("read {:.1} MB", bytes as f64 / 1e6), value, "B/s", how));
        }
        all.extend(self.others.iter().cloned());
        all
    }

    #[cfg(not(feature = "wgpu"))]
    fn measure(&mut self, _: usize) -> Result<(), String> {
        Err("this build has no wgpu backend".to_owned())
    }

    #[cfg(feature = "wgpu")]
    fn measure(&mut self, region: usize) -> Result<(), String> {
        if let Some(reason) = &self.failed {
            return Err(reason.clone());
        }
        let measured = self.try_measure(region).map_err(|error| error.to_string());
        self.failed = measured.clone().err();
        measured
    }

    #[cfg(feature = "wgpu")]
    fn try_measure(&mut self, region: usize) -> maskrank::Result<()> {
        let device = maskrank::wgpu_ceilings::Ceilings::open()?;
        self.multiply = self.multiply.max(device.multiply()?);
        let read = device.read(region)?;
        self.read.entry(region).and_modify(|best| *best = best.max(read)).or_insert(read);
        if !self.others.is_empty() {
            return Ok(());
        }
        // Drivers name themselves at length; rows have all of it.
        self.name = device.title().split(" (").next().unwrap_or_default().to_owned();
        let mut add = |what: &str, value: f64, unit: &str, how: &str| {
            let name = format!("{}: {what}", self.name);
            self.others.push(Limit { name, threads: 0, value, unit: unit.into(), how: how.into() });
        };
        let size = format!("{} MiB", COPY >> 20);
        add(
            "copy",
            device.copy(COPY)?,
            "B/s",
            &format!("buffer to buffer, {size}; read and written both count"),
        );
        let how = format!("{size} through the queue, until the device has them");
        add("host to device", device.upload(COPY)?, "B/s", &how);
        let how = format!("{size} through a buffer that is mapped, and out of it");
        add("device to host", device.download(COPY)?, "B/s", &how);
        let starts = device.submissions()?;
        let median = maskrank_rows::statistics::quantile(&starts, 0.5);
        add(
            "a submission",
            median,
            "s",
            "one dispatch that does nothing, submitted and waited for; median of 200",
        );
        let how = "two hundred of them in one submission, less one, by their number";
        add("one more dispatch", device.dispatch()?, "s", how);
        Ok(())
    }
}
