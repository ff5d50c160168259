//! Limits of an NVIDIA GPU: products on registers and reading, measured when its first row asks.

use maskrank::Precision;
use maskrank_rows::Limit;

use super::Share;

#[cfg(feature = "cuda")]
#[path = "../../../gpu/limits.rs"]
#[allow(dead_code, reason = "shared with the other benches; a part of it is used here")]
mod measured;

/// Rounds of a launch that multiplies, and how often it is timed.
#[cfg(feature = "cuda")]
const EFFORT: (u32, usize) = (1024, 10);

/// The best that was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Gpu {
    #[cfg(feature = "cuda")]
    measured: Option<measured::Limits>,
}

impl Gpu {
    /// The share of the binding limit that work reaches: FLOPs, and bytes that are read once.
    ///
    /// # Errors
    /// Nothing could be measured, or the limit is exceeded.
    #[cfg(feature = "cuda")]
    pub(crate) fn share(
        &mut self,
        precision: Precision,
        work: (f64, f64),
        seconds: f64,
    ) -> Result<Share, String> {
        let text = |error: maskrank::Error| error.to_string();
        if self.measured.is_none() {
            self.measured = Some(measured::Limits::new(EFFORT.0, EFFORT.1).map_err(text)?);
        }
        let limits = self.measured.as_mut().ok_or("the GPU is not open")?;
        match limits.share(precision, work, seconds).map_err(text)? {
            (limit, Some(of_limit)) => Ok(Share { of_limit, limit }),
            (limit, None) => Err(format!("it is beyond the {limit}")),
        }
    }

    #[cfg(not(feature = "cuda"))]
    pub(crate) fn share(&mut self, _: Precision, _: (f64, f64), _: f64) -> Result<Share, String> {
        Err("this build has no CUDA backend".to_owned())
    }

    /// Everything, for the record.
    #[cfg(feature = "cuda")]
    pub(crate) fn list(&self) -> Vec<Limit> {
        self.measured.as_ref().map(measured::Limits::list).unwrap_or_default()
    }

    #[cfg(not(feature = "cuda"))]
    pub(crate) fn list(&self) -> Vec<Limit> {
        Vec::new()
    }
}
