//! A plan as device memory and launches: everything that can be decided before a device is touched.
//!
//! A program holds the image of the weights (one allocation, shared by all lanes), the layout of a lane's memory (one
//! allocation each) and, for a batch size, the launches with their parameters. Executors only allocate, copy and
//! launch: the driver's, and the interpreter's in tests, run the same programs.

mod call;
mod constants;
mod launches;
mod memory;
pub(crate) mod once;

pub(crate) use call::{Feed, FeedColumns, HeadCall, HeadOutputs, Place};
pub(crate) use launches::Launch;

use crate::backend::Options;
use crate::plan::{Plan, Step};
use crate::{Backend, Error, Precision, Result};

use super::layout::Image;
use super::params;
use constants::Constants;
use memory::LaneMemory;
use once::Once;

/// Columns that segments are padded to: what the kernels' products take at once.
pub(crate) const ALIGN: usize = 64;

/// A plan, ready for any device.
pub(crate) struct Program {
    plan: Plan,
    precision: Precision,
    max_candidates: usize,
    constants: Constants,
    /// What is computed once a request, where the plan's order of `x` has any of it.
    once: Option<Once>,
    /// Weights and every other constant, as they lie on the device.
    pub(crate) image: Image,
    /// A lane's memory.
    pub(crate) lane: LaneMemory,
}

impl Program {
    /// Packs the plan's weights and lays out a lane.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a model beyond the kernels' limits.
    pub(crate) fn new(plan: &Plan, options: &Options) -> Result<Self> {
        let unsupported = |what: String| Err(Error::Unsupported { backend: Backend::Cuda, what });
        let tasks = plan.head().tasks.len();
        if tasks > params::MAX_TASKS {
            return unsupported(format!("{tasks} tasks: at most {} run at once", params::MAX_TASKS));
        }
        let widest = plan.buffers.iter().map(crate::plan::Buffer::columns).max().unwrap_or(0);
        if widest > u32::MAX as usize / 1024 {
            return unsupported(format!("a row of {widest} columns"));
        }
        let mut image = Image::default();
        let constants = Constants::pack(plan, options.precision, &options.split, &mut image);
        let once = Once::new(plan, options.precision);
        let lane = LaneMemory::new(plan, options, once);
        Ok(Self {
            plan: plan.clone(),
            precision: options.precision,
            max_candidates: options.max_candidates,
            constants,
            once,
            image,
            lane,
        })
    }

    /// Batch sizes that launches are prepared for: a batch runs with the smallest that holds it.
    pub(crate) fn buckets(&self) -> Vec<usize> {
        let mut buckets = Vec::new();
        let mut size = 16;
        while size < self.max_candidates {
            buckets.push(size);
            size *= 2;
        }
        buckets.push(self.max_candidates);
        buckets
    }

    /// Units of the kernels that the launches use.
    pub(crate) fn units(&self) -> Vec<String> {
        let mut units = vec!["featurize".to_owned(), "head".to_owned()];
        if self.plan.steps.iter().any(|step| matches!(step, Step::Gemm(_))) {
            units.push(format!("gemm_{}", self.precision));
        }
        if self.plan.steps.iter().any(|step| matches!(step, Step::LayerNorm(_))) {
            units.push("layer_norm".to_owned());
        }
        units
    }

    /// Whether launches of this program can use a kernel of one of its units.
    pub(crate) fn uses(&self, entry: &str, precision: Precision) -> bool {
        match entry.rsplit_once("_to_") {
            Some((_, to)) => to == precision.to_string(),
            None => {
                entry.starts_with("gemm_")
                    || entry.ends_with(&format!("_{}", precision))
                    || entry == self.head_entry()
            }
        }
    }

    /// Shared memory of `featurize` beyond the manifest's: a row of x.
    pub(crate) fn row_shared_bytes(&self) -> u32 {
        (self.plan.padded(self.plan.featurize().output) * size_of::<f32>()) as u32
    }

    /// The head's kernel: tf32 activations are f32 words.
    fn head_entry(&self) -> &'static str {
        match self.precision {
            Precision::F32 | Precision::Tf32 => "head_f32",
            Precision::Bf16 => "head_bf16",
            Precision::F16 => "head_f16",
        }
    }

    /// Most candidates of one batch.
    pub(crate) fn max_candidates(&self) -> usize {
        self.max_candidates
    }

    /// Whether any product is computed once a request.
    pub(crate) fn has_once(&self) -> bool {
        self.once.is_some()
    }

    /// The plan.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}
