//! Kernels by name, with the types that they stand for; packing a plan's weights for a file in the layout of any of them.

use half::{bf16, f16};

use crate::plan::{GemmGroup, Plan, ReuseConstants, Step};
use crate::{Backend, Error, Precision, Result};

use super::super::Options;
use super::isa::Portable;
use super::kernel::{CpuKernel, choose};
use super::micro::{F32, F32Tile, Kernel};
use super::pack::{pack_plan, packed_len};
use super::program::rounded;

/// What is done for a plan with whichever kernel was chosen.
pub(super) trait WithKernel {
    type Output;

    /// With a kernel's type, and the kernel itself where this processor has it.
    fn run<K: Kernel>(self, plan: &Plan, kernel: Option<K>) -> Self::Output;
}

/// Calls `work` with the type that computes a precision with a kernel.
///
/// # Errors
/// A kernel of another architecture.
pub(super) fn with_kernel<W: WithKernel>(
    kernel: CpuKernel,
    precision: Precision,
    plan: &Plan,
    work: W,
) -> Result<W::Output> {
    #[cfg(target_arch = "x86_64")]
    {
        use super::isa::{Avx2, Avx512, Avx512Bf16};
        use super::micro::{AmxBf16, DotBf16};
        Ok(match kernel {
            CpuKernel::Amx => work.run(plan, AmxBf16::detect().ok()),
            CpuKernel::Avx512Bf16 => work.run(plan, Avx512Bf16::detect().map(DotBf16)),
            CpuKernel::Avx512 => f32_arithmetic(Avx512::detect(), precision, plan, work),
            CpuKernel::Avx2 => f32_arithmetic(Avx2::detect(), precision, plan, work),
            CpuKernel::Portable => f32_arithmetic(Some(Portable), precision, plan, work),
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    match kernel {
        CpuKernel::Portable => Ok(f32_arithmetic(Some(Portable), precision, plan, work)),
        other => Err(Error::Unsupported {
            backend: Backend::Cpu,
            what: format!("the kernel {}: the processor is not an x86-64", other.name()),
        }),
    }
}

fn f32_arithmetic<I: F32Tile, W: WithKernel>(
    isa: Option<I>,
    precision: Precision,
    plan: &Plan,
    work: W,
) -> W::Output {
    match precision {
        Precision::Bf16 => work.run(plan, isa.map(F32::<I, bf16>::new)),
        Precision::F16 => work.run(plan, isa.map(F32::<I, f16>::new)),
        _ => work.run(plan, isa.map(F32::<I, f32>::new)),
    }
}

/// Whether kernel `K`, which `name` describes, reads a packed file's layout.
///
/// # Errors
/// It does not; the error says which kernels do.
pub(super) fn check_layout<K: Kernel>(layout: &str, name: &str, precision: Precision) -> Result<()> {
    if layout == K::LAYOUT {
        return Ok(());
    }
    let reads = |kernel: &CpuKernel| kernel.supports(precision) && kernel.layout() == layout;
    let readers: Vec<&str> = CpuKernel::ALL.into_iter().filter(reads).map(CpuKernel::name).collect();
    let or = match readers.as_slice() {
        [] => String::new(),
        readers => format!(", or choose the kernel {}", readers.join(" or ")),
    };
    Err(Error::Unsupported {
        backend: Backend::Cpu,
        what: format!(
            "a model packed in the layout {}, where {name} reads {}: pack it again on this machine{or}",
            crate::config::shown(layout),
            K::LAYOUT,
        ),
    })
}

/// A plan's weights in the layout of a kernel, whether or not this processor has it.
pub(in super::super) struct PackedStrips {
    /// The layout's name.
    pub(in super::super) layout: &'static str,
    /// All strips.
    pub(in super::super) payload: Vec<u8>,
    /// For each matrix that is computed in part once a request: its name and constants.
    pub(in super::super) constants: Vec<(String, ReuseConstants)>,
}

/// Packs a plan's weights for a file: for the kernel that runs here, or for the one that is named.
///
/// # Errors
/// A precision or a kernel that this backend does not offer; no memory.
pub(in super::super) fn pack(plan: &Plan, options: &Options) -> Result<PackedStrips> {
    let kernel = match options.cpu_kernel {
        Some(kernel) if kernel.supports(options.precision) => kernel,
        forced => choose(options.precision, forced)?.0,
    };
    with_kernel(kernel, options.precision, plan, Pack)?
}

struct Pack;

impl WithKernel for Pack {
    type Output = Result<PackedStrips>;

    fn run<K: Kernel>(self, plan: &Plan, _: Option<K>) -> Self::Output {
        let groups: Vec<&GemmGroup> = plan
            .steps
            .iter()
            .flat_map(|step| match step {
                Step::Gemm(groups) => groups.as_slice(),
                _ => &[],
            })
            .collect();
        let len = groups.iter().map(|group| packed_len(plan, group)).sum();
        let strips = pack_plan::<K>(plan, len)?;
        let constants = groups.iter().filter_map(|group| {
            Some((group.linear.name.clone(), plan.reuse_constants(group, rounded::<K>)?))
        });
        Ok(PackedStrips {
            layout: K::LAYOUT,
            payload: bytemuck::cast_slice(strips.as_slice()).to_vec(),
            constants: constants.collect(),
        })
    }
}
