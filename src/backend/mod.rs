//! Executors of plans: one folder a backend. They never import each other.

mod clock;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod device_memory;
mod listing;
mod names;
pub(crate) mod packing;
mod self_test;
pub(crate) mod staged;
#[cfg(feature = "wgpu")]
mod wgpu;

use std::fmt;
use std::sync::Arc;

#[doc(hidden)]
pub use clock::StepClock;
pub(crate) use clock::Work;
pub use cpu::CpuKernel;
#[cfg(feature = "cuda")]
#[doc(hidden)]
pub use cuda::{ceilings as cuda_ceilings, timing as cuda_timing};
pub use device_memory::{DeviceBatch, DeviceColumns, DeviceOutputs, DeviceSlice, DeviceStream, ElementType};
pub use listing::{Entry, Listing};
pub(crate) use self_test::SelfTest;
pub use staged::{BinaryType, FeatureType};
#[cfg(feature = "wgpu")]
#[doc(hidden)]
pub use wgpu::{ceilings as wgpu_ceilings, testing as wgpu_testing};

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

    /// Bytes of packed weights and other constants.
    fn weight_bytes(&self) -> usize;

    /// Whether its lanes must prove themselves before they score: see [`Lane::self_test`].
    fn is_self_tested(&self) -> bool {
        false
    }
}

/// Memory of a scorer, allocated once when it is built. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Packed weights and other constants, shared by all calls; where the backend computes.
    pub weights: usize,
    /// Activations, scratch, inputs and outputs of one call in flight; where the backend computes.
    pub per_call: usize,
    /// Host memory of one call in flight that the device copies from and to; 0 where the backend computes on the host.
    pub host_per_call: usize,
    /// Calls in flight.
    pub calls: usize,
}

impl Memory {
    /// Bytes where the backend computes: weights, and every call in flight.
    #[must_use]
    pub fn total(&self) -> usize {
        self.weights + self.calls * self.per_call
    }

    /// Bytes of the host besides.
    #[must_use]
    pub fn host_total(&self) -> usize {
        self.calls * self.host_per_call
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes as f64 / (1 << 20) as f64;
        write!(
            f,
            "{:.1} MiB ({:.1} MiB weights + {} × {:.1} MiB a call in flight)",
            mib(self.total()),
            mib(self.weights),
            self.calls,
            mib(self.per_call)
        )?;
        match self.host_per_call {
            0 => Ok(()),
            each => write!(
                f,
                " and {:.1} MiB pinned on the host ({} × {:.1} MiB)",
                mib(self.host_total()),
                self.calls,
                mib(each)
            ),
        }
    }
}

/// One caller's buffers. A lane serves one call at a time; lanes of one executor run side by side.
pub(crate) trait Lane: Send {
    /// Scores a batch whose lengths were checked. Resizes nothing beyond what `outputs` asks for and, after the
    /// first calls, allocates nothing. `scores` has been cleared and sized by the caller.
    fn score(&mut self, call: &Call<'_>, scores: &mut Scores) -> Result<()>;

    /// Bytes of its buffers where it computes, and of host memory that a device copies from and to.
    fn bytes(&self) -> (usize, usize);

    /// Memory that the device reads without a detour, as long as the largest batch; none where a caller's own memory
    /// serves as well.
    fn staging(&mut self) -> Option<&mut [u8]> {
        None
    }

    /// Scores what a caller wrote to [`Lane::staging`].
    fn score_staged(&mut self, call: &StagedCall<'_>, scores: &mut Scores) -> Result<()> {
        let _ = (call, scores);
        Err(crate::Error::Unsupported { backend: Backend::Auto, what: "staging of its own".into() })
    }

    /// Starts scoring what lies in device memory, and comes back before it is done.
    fn enqueue(&mut self, call: &DeviceCall<'_>) -> Result<()>;

    /// Scores a small case with all that a call can run, and compares it with the CPU's answer.
    fn self_test(&mut self, test: &SelfTest) -> Result<()> {
        let _ = test;
        Ok(())
    }

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

/// A call whose features lie in the lane's staging.
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only CUDA takes such calls"))]
pub(crate) struct StagedCall<'a> {
    /// Where they lie.
    pub(crate) layout: &'a staged::Layout,
    /// Candidates of each request.
    pub(crate) sizes: &'a [usize],
    /// As in [`Call`].
    pub(crate) weights: &'a [f32],
    /// As in [`Call`].
    pub(crate) calibrated: bool,
    /// As in [`Call`].
    pub(crate) outputs: Outputs,
}

/// A call whose features and outputs lie in device memory; lengths and types were compared.
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only CUDA takes such calls"))]
pub(crate) struct DeviceCall<'a> {
    /// Where the features lie.
    pub(crate) batch: &'a DeviceBatch,
    /// Where the outputs go.
    pub(crate) outputs: &'a DeviceOutputs,
    /// As in [`Call`].
    pub(crate) weights: &'a [f32],
    /// As in [`Call`].
    pub(crate) calibrated: bool,
    /// What is before it in this stream is done first.
    pub(crate) stream: DeviceStream,
}

impl DeviceCall<'_> {
    /// Every operand and its name.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only this backend takes such calls"))]
    pub(crate) fn operands(&self) -> impl Iterator<Item = (&'static str, DeviceSlice)> {
        let DeviceBatch { candidate_request, request, candidate, .. } = self.batch;
        let outputs = self.outputs;
        let rest = [
            ("candidate_request", *candidate_request),
            ("outputs.scores", outputs.scores),
            ("outputs.statuses", outputs.statuses),
            ("outputs.logits", outputs.logits),
            ("outputs.probabilities", outputs.probabilities),
            ("outputs.calibrated_probabilities", outputs.calibrated_probabilities),
        ];
        request.named().into_iter().chain(candidate.named()).chain(rest)
    }

    /// What backends say that have no such memory.
    pub(crate) fn unsupported(backend: Backend) -> crate::Error {
        let what = "batches in device memory; only cuda does: use `Scorer::score` or `Scorer::staging`";
        crate::Error::Unsupported { backend, what: what.into() }
    }
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
        #[cfg(feature = "cuda")]
        Backend::Cuda => cuda::build(&plan(cuda::ALIGN, &options.split), options),
        // Its featurization writes `x` in the model's order, so nothing is computed once a request there.
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => wgpu::build(&plan(wgpu::ALIGN, &Split::default()), options),
        #[cfg(not(all(feature = "cuda", feature = "wgpu")))]
        absent => Err(not_compiled(absent)),
    }
}

/// What a scorer with one call in flight would allocate, computed without building it; none where only a device can
/// say.
pub(crate) fn memory(backend: Backend, model: &Model, options: &Options) -> Result<Option<Memory>> {
    #[cfg(feature = "cuda")]
    if backend == Backend::Cuda {
        if let Some(packed) = model.weights().packed_shared() {
            packing::check(model, packed, backend, options)?;
        }
        let folding = folding(options.precision);
        let (config, weights) = (model.config(), model.weights());
        let plan = Plan::build_for(config, model.widths(), weights, cuda::ALIGN, folding, &options.split);
        return cuda::memory(&plan, options).map(Some);
    }
    let _ = (backend, model, options);
    Ok(None)
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
