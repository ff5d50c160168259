//! The CPU backend: blocks of candidates through the whole model in cache, on the best micro-kernel that the
//! processor has.
//!
//! - [`kernel`] chooses, [`micro`] multiplies, [`pack`] lays weights out for it.
//! - [`program`] is the plan compiled: operations, and the two [`layout`]s of their operands.
//! - [`lane`] divides a call's work between threads, into [`blocks`] or [`stages`] of [`operations`]; [`gemm`], [`norm`],
//!   [`featurize`], [`head`] are the steps.

mod blocks;
mod element;
mod epilogue;
mod featurize;
mod few;
mod gemm;
mod head;
mod isa;
mod kernel;
mod lane;
mod layout;
mod log1p;
mod memory;
mod micro;
mod norm;
mod operations;
mod pack;
mod packing;
mod panel;
mod program;
mod scratch;
mod stages;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

pub use kernel::CpuKernel;
pub(super) use packing::pack;

use crate::plan::Plan;
use crate::weights::packed::{Packed, ROWS};
use crate::{Backend, Error, Precision, Result};

use self::lane::CpuLane;
use self::micro::{Kernel, PANEL};
use self::packing::{WithKernel, with_kernel};
use self::program::Program;
use super::{Device, Entry, Executor, Lane, Listing, Options, StepClock};

/// Column alignment of a plan for this backend.
pub(super) const ALIGN: usize = micro::STRIP;

/// Packs a plan's weights for the best kernel that computes the precision here, or for the one that is named; weights of
/// a packed file are used as they lie.
///
/// # Errors
/// A precision that this backend does not offer; a named kernel that does not compute it or cannot run here; no
/// memory; a thread pool that cannot start.
pub(super) fn build(
    plan: &Plan,
    options: &Options,
    packed: Option<&Arc<Packed>>,
) -> Result<Arc<dyn Executor>> {
    let (kernel, name) = kernel::choose(options.precision, options.cpu_kernel)?;
    with_kernel(kernel, options.precision, plan, Build { options, name, packed })?
}

/// Builds an executor.
struct Build<'a> {
    options: &'a Options,
    name: String,
    packed: Option<&'a Arc<Packed>>,
}

impl WithKernel for Build<'_> {
    type Output = Result<Arc<dyn Executor>>;

    fn run<K: Kernel>(self, plan: &Plan, kernel: Option<K>) -> Self::Output {
        let Some(kernel) = kernel else {
            return Err(Error::BackendUnavailable { backend: Backend::Cpu, reason: self.name });
        };
        // Plain rows are packed like any other weights.
        let packed = self.packed.filter(|packed| packed.layout() != ROWS);
        if let Some(packed) = packed {
            packing::check_layout::<K>(packed.layout(), &self.name, self.options.precision)?;
        }
        executor(plan, self.options, kernel, &self.name, packed)
    }
}

fn executor<K: Kernel>(
    plan: &Plan,
    options: &Options,
    kernel: K,
    name: &str,
    packed: Option<&Arc<Packed>>,
) -> Result<Arc<dyn Executor>> {
    let pool = match options.threads {
        0 | 1 => None,
        threads => {
            let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("maskrank-{i}"));
            Some(pool.build().map_err(|error| Error::Device {
                backend: Backend::Cpu,
                operation: format!("start {threads} threads"),
                problem: error.to_string(),
            })?)
        }
    };
    let program = match &pool {
        Some(pool) => pool.install(|| Program::new(plan, &options.split, packed)),
        None => Program::new(plan, &options.split, packed),
    }?;
    let device = Device { backend: Backend::Cpu, name: processor_name(), kernel: name.to_owned() };
    let single = options.threads == 1;
    let max_candidates = options.max_candidates;
    let tuning = Tuning::of::<K>();
    let clock = Arc::new(StepClock::new(plan));
    Ok(Arc::new(CpuExecutor { kernel, program, pool, single, max_candidates, tuning, device, clock }))
}

/// How work is divided; no choice here changes a bit of any score.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    /// Candidates that a thread takes through the model at once.
    block: usize,
    /// Candidates that threads share at once.
    shared_block: usize,
    /// Candidates a thread from which on each thread takes its own.
    own_from: usize,
    /// Candidates from which on row-wise steps are shared.
    rows_worth_sharing: usize,
    /// Elements of A that stay in L2 while strip after strip passes by.
    resident: usize,
}

impl Tuning {
    fn of<K: Kernel>() -> Self {
        let size = size_of::<K::Stored>();
        let (block, own_from) = if size == 2 { (384, 256) } else { (128, 128) };
        Self {
            block,
            shared_block: 2 * own_from,
            own_from,
            rows_worth_sharing: 16,
            // Less than half of 2 MiB: strips and sums pass through it too, and where pages lie in memory by chance,
            // some sets of L2 are asked for more than others.
            resident: (864 << 10) / size,
        }
    }
}

/// A plan packed for one kernel.
struct CpuExecutor<K: Kernel> {
    kernel: K,
    program: Program<K>,
    pool: Option<ThreadPool>,
    /// The caller's own thread does everything.
    single: bool,
    max_candidates: usize,
    tuning: Tuning,
    device: Device,
    clock: Arc<StepClock>,
}

impl<K: Kernel> CpuExecutor<K> {
    /// Threads that a lane has buffers for.
    fn threads(&self) -> usize {
        match &self.pool {
            Some(pool) => pool.current_num_threads(),
            None if self.single => 1,
            None => rayon::current_num_threads(),
        }
    }

    /// Whether each thread takes its own candidates, rather than a share of every step.
    fn by_blocks(&self, threads: usize, candidates: usize) -> bool {
        threads == 1 || candidates.div_ceil(PANEL) * PANEL >= threads * self.tuning.own_from
    }
}

impl<K: Kernel> Executor for CpuExecutor<K> {
    fn device(&self) -> &Device {
        &self.device
    }

    fn clock(&self) -> Option<Arc<StepClock>> {
        Some(Arc::clone(&self.clock))
    }

    fn lane(self: Arc<Self>) -> Result<Box<dyn Lane>> {
        Ok(Box::new(CpuLane::new(self)?))
    }

    fn weight_bytes(&self) -> usize {
        let program = &self.program;
        let columns: usize = program.gemms.iter().map(|gemm| gemm.bias.len() + gemm.scale.len()).sum();
        size_of_val(program.weights.as_slice()) + columns * size_of::<f32>()
    }
}

/// The processor and its kernels, for `devices`.
pub(super) fn list() -> Listing {
    let mut details = Vec::new();
    for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
        if let Ok((_, name)) = kernel::choose(precision, None) {
            let (label, prefix) = match precision {
                Precision::Bf16 => ("bf16", "bf16 "),
                Precision::F16 => ("f16", "f16 "),
                _ => ("f32", "f32 "),
            };
            details.push((label, name.trim_start_matches(prefix).to_owned()));
        }
    }
    let entry = Entry { name: processor_name(), details };
    Listing { backend: Backend::Cpu, present: vec![entry], absent: None }
}

/// The processor's own name, and how many threads it runs.
fn processor_name() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {threads} threads", brand())
}

#[cfg(target_arch = "x86_64")]
fn brand() -> String {
    use isa::cpuid;
    if cpuid(0x8000_0000).eax < 0x8000_0004 {
        return "x86-64".to_owned();
    }
    let leaves = (0x8000_0002..=0x8000_0004).map(cpuid);
    let bytes: Vec<u8> = leaves
        .flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx])
        .flat_map(u32::to_le_bytes)
        .take_while(|&byte| byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(not(target_arch = "x86_64"))]
fn brand() -> String {
    std::env::consts::ARCH.to_owned()
}
