//! What is compiled, for what, and with what.

/// One compiled file: a source, perhaps for one compute precision.
pub(crate) struct Unit {
    /// Name in the manifest.
    pub(crate) name: &'static str,
    /// Source, below `kernels/`.
    pub(crate) source: &'static str,
    /// Macro that chooses the precision.
    pub(crate) define: Option<&'static str>,
}

/// Every unit.
pub(crate) const UNITS: &[Unit] = &[
    Unit { name: "featurize", source: "featurize.cu", define: None },
    Unit { name: "gemm_f32", source: "gemm.cu", define: Some("MASKRANK_UNIT_f32") },
    Unit { name: "gemm_tf32", source: "gemm.cu", define: Some("MASKRANK_UNIT_tf32") },
    Unit { name: "gemm_bf16", source: "gemm.cu", define: Some("MASKRANK_UNIT_bf16") },
    Unit { name: "gemm_f16", source: "gemm.cu", define: Some("MASKRANK_UNIT_f16") },
    Unit { name: "layer_norm", source: "layer_norm.cu", define: None },
    Unit { name: "head", source: "head.cu", define: None },
    Unit { name: "ceiling_multiply", source: "ceiling_multiply.cu", define: None },
    Unit { name: "ceiling_read", source: "ceiling_read.cu", define: None },
];

/// Which compiler makes a target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// NVRTC 12.9: its binaries load on drivers of CUDA 12, 525 and later.
    Nvrtc12,
    /// nvcc 13.0: drivers 580 and later.
    Nvcc13,
}

impl Compiler {
    /// Name and version, as pinned in `kernels/toolchain.txt`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nvrtc12 => "nvrtc 12.9.86",
            Self::Nvcc13 => "nvcc 13.0.88",
        }
    }

    /// Oldest CUDA version, as the driver reports it (1000 · major + 10 · minor), that loads this compiler's binaries.
    pub(crate) fn min_cuda(self) -> u32 {
        match self {
            Self::Nvrtc12 => 12000,
            Self::Nvcc13 => 13000,
        }
    }
}

/// One kind of GPU, or PTX for kinds that are not listed.
pub(crate) struct Target {
    /// Compute capability as 10 · major + minor.
    pub(crate) capability: u32,
    /// Machine code, or PTX.
    pub(crate) is_ptx: bool,
    /// Who compiles it.
    pub(crate) compiler: Compiler,
    /// PTX that must fit every GPU's shared memory.
    pub(crate) is_portable: bool,
}

impl Target {
    /// `sm_90`, `compute_80`.
    pub(crate) fn name(&self) -> String {
        format!("{}_{}", if self.is_ptx { "compute" } else { "sm" }, self.capability)
    }
}

/// PTX version that portable PTX is labelled with: CUDA 12.0's. NVRTC 12.9 writes a newer label than the instructions
/// need; both assemblers confirm that the older one holds.
pub(crate) const PORTABLE_PTX_VERSION: &str = "8.0";

const fn cubin(capability: u32, compiler: Compiler) -> Target {
    Target { capability, is_ptx: false, compiler, is_portable: false }
}

/// Every target, in the order of the manifest.
pub(crate) const TARGETS: &[Target] = &[
    cubin(80, Compiler::Nvrtc12),
    cubin(86, Compiler::Nvrtc12),
    cubin(89, Compiler::Nvrtc12),
    cubin(90, Compiler::Nvrtc12),
    cubin(100, Compiler::Nvcc13),
    cubin(120, Compiler::Nvcc13),
    Target { capability: 100, is_ptx: true, compiler: Compiler::Nvcc13, is_portable: false },
    Target { capability: 80, is_ptx: true, compiler: Compiler::Nvrtc12, is_portable: true },
];
