//! Executors of plans: one folder a backend. They never import each other.

mod clock;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod listing;
pub(crate) mod packing;
#[cfg(feature = "wgpu")]
mod wgpu;

use std::fmt;
use std::sync::Arc;

#[doc(hidden)]
pub use clock::StepClock;
pub(crate) use clock::Work;
pub use cpu::CpuKernel;
pub use listing::{Entry, Listing};
#[cfg(feature = "wgpu")]
#[doc(hidden)]
pub use wgpu::testing as wgpu_testing;

use crate::batch::Split;
use crate::plan::{Folding, Plan};
use crate::{Batch, Model, Outputs, Result, Scores};

/// Where a scorer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// CUDA, else a hardware GPU through wgpu, else the CPU.
    Auto,
    /// NVIDIA GPUs through their driver.
    Cuda,
    /// Any GPU with Vulkan, Metal or DX12, through wgpu.
    Wgpu,
    /// This machine's processor.
    Cpu,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
        })
    }
}

/// Type of stored weights and activations between steps. Sums are f32 everywhere, and so is the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 32-bit storage, products of 10-bit mantissas (NVIDIA's TF32).
    Tf32,
    /// bfloat16.
    Bf16,
    /// IEEE half.
    F16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

/// What a scorer is built for; fixed for its life, so that no call can change another's bits.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Storage type.
    pub(crate) precision: Precision,
    /// Most candidates of one batch.
    pub(crate) max_candidates: usize,
    /// Which columns come once a request.
    pub(crate) split: Split,
    /// CPU threads of one call; 0 takes the ambient pool.
    pub(crate) threads: usize,
    /// A CPU kernel other than the best.
    pub(crate) cpu_kernel: Option<CpuKernel>,
    /// Part of an adapter's or device's name, to choose among several.
    pub(crate) adapter: Option<String>,
    /// Weights are packed wrongly, so that tests can see who notices.
    pub(crate) planted_fault: bool,
}

/// What runs, for people: printed by `devices` and `demo`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The backend.
    pub backend: Backend,
    /// Device and driver: `llvmpipe (Mesa 25.0.7)`.
    pub name: String,
    /// The variant of the kernels that runs: `f32 avx512`.
    pub kernel: String,
}

/// A plan on a device, weights packed: makes lanes.
pub(crate) trait Executor: Send + Sync {
    /// What runs.
    fn device(&self) -> &Device;

    /// The clock of its steps, for backends that have one.
    fn clock(&self) -> Option<Arc<StepClock>> {
        None
    }

    /// A place for one caller, with all buffers for `max_candidates`.
    fn lane(self: Arc<Self>) -> Result<Box<dyn Lane>>;
}

/// One caller's buffers. A lane serves one call at a time; lanes of one executor run side by side.
pub(crate) trait Lane: Send {
    /// Scores a batch whose lengths were checked. Resizes nothing beyond what `outputs` asks for and, after the
    /// first calls, allocates nothing. `scores` has been cleared and sized by the caller.
    fn score(&mut self, call: &Call<'_>, scores: &mut Scores) -> Result<()>;

    /// Time that the last call spent on moving features to the device and outputs back, for backends that move any.
    fn copy_time(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// One call, checked.
pub(crate) struct Call<'a> {
    /// Lengths fit the plan's widths and the split; at most `max_candidates` candidates.
    pub(crate) batch: Batch<'a>,
    /// Score weights in the tasks' order, (tasks).
    pub(crate) weights: &'a [f32],
    /// Whether calibrated probabilities make the score, rather than raw ones.
    pub(crate) calibrated: bool,
    /// What to fill besides score and status. Top k is the scorer's own work, after the lane's.
    pub(crate) outputs: Outputs,
}

/// Where a plan of a precision keeps the scales of its norms.
pub(crate) fn folding(precision: Precision) -> Folding {
    match precision {
        Precision::F32 => Folding::Weights,
        _ => Folding::Epilogues,
    }
}

/// Builds an executor on a named backend; never on another.
pub(crate) fn build(backend: Backend, model: &Model, options: &Options) -> Result<Arc<dyn Executor>> {
    let packed = model.weights().packed_shared();
    if let Some(packed) = packed {
        packing::check(model, packed, backend, options)?;
    }
    let folding = folding(options.precision);
    let plan = |align, split| {
        let mut plan =
            Plan::build_for(model.config(), model.widths(), model.weights(), align, folding, split);
        if options.planted_fault {
            plan.plant_fault();
        }
        plan
    };
    match backend {
        Backend::Cpu | Backend::Auto => cpu::build(&plan(cpu::ALIGN, &options.split), options, packed),
        // Their featurization writes `x` in the model's order, so nothing is computed once a request there.
        #[cfg(feature = "cuda")]
        Backend::Cuda => cuda::build(&plan(cuda::ALIGN, &Split::default()), options),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => wgpu::build(&plan(wgpu::ALIGN, &Split::default()), options),
        #[cfg(not(all(feature = "cuda", feature = "wgpu")))]
        absent => Err(not_compiled(absent)),
    }
}

/// Whether a GPU of this backend is here, for [`Backend::Auto`], which never takes a software adapter.
pub(crate) fn check_hardware(backend: Backend, options: &Options) -> Result<()> {
    let _ = options;
    match backend {
        Backend::Cpu | Backend::Auto => Ok(()),
        #[cfg(feature = "cuda")]
        Backend::Cuda => cuda::check_hardware(options),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => wgpu::check_hardware(options),
        #[cfg(not(all(feature = "cuda", feature = "wgpu")))]
        absent => Err(not_compiled(absent)),
    }
}

/// Every backend: its devices, or why it cannot run.
#[must_use]
pub fn devices() -> Vec<Listing> {
    vec![
        #[cfg(feature = "cuda")]
        cuda::list(),
        #[cfg(not(feature = "cuda"))]
        Listing::absent(&not_compiled(Backend::Cuda), Backend::Cuda),
        #[cfg(feature = "wgpu")]
        wgpu::list(),
        #[cfg(not(feature = "wgpu"))]
        Listing::absent(&not_compiled(Backend::Wgpu), Backend::Wgpu),
        cpu::list(),
    ]
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn not_compiled(backend: Backend) -> crate::Error {
    let reason = format!("this build was made without the feature `{backend}`");
    crate::Error::BackendUnavailable { backend, reason }
}
