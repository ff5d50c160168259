//! For this crate's own tests, not for users: kernels alone, every variant, shaders with faults planted.
//!
//! Operands come with hostile surroundings: rows past the end and columns beside the operands hold NaNs, and outputs
//! lie in canaries that must survive.

mod kernels;
mod surrounded;

use std::sync::Arc;

use crate::batch::{self, Split};
use crate::plan::Plan;
use crate::{Batch, Error, Model, Precision, Result, ScoreFrom, ScoreOptions, Scores};

use super::super::{Call, Executor, Lane, Options, folding};
use super::adapter::{self, Software};
use super::executor::WgpuExecutor;
use super::lane::WgpuLane;
use super::ready::{self, Ready};
use super::self_test::{self, encode};
use super::variants::{Offer, Storage, Variant, list};
use surrounded::decode;

pub use super::params::{EPILOGUE_BIAS, EPILOGUE_MULTIPLY, EPILOGUE_RELU};
pub use super::source::{Mutation, count_places};
pub use kernels::GemmCase;

/// A device with one variant, not shared with any scorer and not proven.
pub struct TestDevice {
    ready: Ready,
}

/// Loses every device that scorers of this process share, as a driver does when it resets.
pub fn lose_devices() {
    ready::lose_all();
}

fn wrong(problem: String) -> Error {
    Error::SelfTest { backend: crate::Backend::Wgpu, device: "a test".to_owned(), problem }
}

impl TestDevice {
    /// Names of a precision's variants that the best adapter can run, preferred or not.
    ///
    /// # Errors
    /// No adapter.
    pub fn variants(precision: Precision) -> Result<Vec<String>> {
        Ok(fitting(precision)?.iter().map(Variant::name).collect())
    }

    /// Opens the best adapter with the variant of that name.
    ///
    /// # Errors
    /// No adapter, no such variant, or shaders that do not compile.
    pub fn open(precision: Precision, variant: &str, mutation: Option<Mutation>) -> Result<Self> {
        let adapter = adapter::choose(None, Software::Allowed)?;
        let found = fitting(precision)?.into_iter().find(|v| v.name() == variant);
        let variant = found.ok_or_else(|| wrong(format!("no variant \"{variant}\"")))?;
        Ok(Self { ready: ready::open(&adapter, variant, mutation)? })
    }

    /// The self-test that a scorer's first build runs. Whether both tiles agree to the bit.
    ///
    /// # Errors
    /// What it found.
    pub fn self_test(&self, depth: usize) -> Result<bool> {
        self_test::loops(&self.ready.gpu, &self.ready.pipelines)?;
        self_test::golden(&self.ready.gpu, &self.ready.pipelines)?;
        self.ready.prove(depth)
    }

    /// Scores a batch in chunks of at most `max_candidates`; label and nanoseconds of each dispatch of the last one.
    ///
    /// # Errors
    /// As a scorer's.
    pub fn score(
        &self,
        model: &Model,
        split: &Split,
        max_candidates: usize,
        batch: Batch<'_>,
        options: &ScoreOptions<'_>,
        scores: &mut Scores,
    ) -> Result<Vec<(String, f64)>> {
        let precision = self.ready.pipelines.variant.precision;
        let plan =
            Plan::build(model.config(), model.widths(), model.weights(), super::ALIGN, folding(precision));
        batch::check(&batch, model.widths(), split, usize::MAX)?;
        let build = Options {
            precision,
            max_candidates,
            split: split.clone(),
            threads: 0,
            cpu_kernel: None,
            adapter: None,
            planted_fault: false,
        };
        let executor = WgpuExecutor::build(&self.ready.gpu, &self.ready.pipelines, &plan, &build, true)?;
        let executor = Arc::new(executor);
        assert!(!executor.device().name.is_empty(), "a device has a name");
        let mut lane = WgpuLane::new(executor)?;
        lane.enable_timing()?;
        let call = Call {
            batch,
            weights: options.weights,
            calibrated: options.from == ScoreFrom::Calibrated,
            outputs: options.outputs,
        };
        *scores = Scores::default();
        lane.score(&call, scores)?;
        lane.times()
    }

    fn storage(&self) -> Storage {
        self.ready.pipelines.variant.storage
    }

    /// What storage makes of a value.
    #[must_use]
    pub fn rounded(&self, value: f64) -> f64 {
        decode(self.storage(), &encode(self.storage(), std::iter::once(value)))[0]
    }
}

/// The variants of a precision that the best adapter can run, whether or not it would choose them.
fn fitting(precision: Precision) -> Result<Vec<Variant>> {
    let adapter = adapter::choose(None, Software::Allowed)?;
    let limits = adapter.limits();
    let offer = Offer { features: adapter.features(), limits: &limits, many_registers: true };
    Ok(list().into_iter().filter(|v| v.precision == precision && v.fits(&offer)).collect())
}
