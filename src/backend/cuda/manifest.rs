//! `kernels/artifacts/manifest.json`: what was compiled, from what, and what a launch of it needs.
//!
//! This file is the format, for both sides: `cargo xtask kernels`, which writes it, has it as a module by path.

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Manifest {
    /// SHA-256 over the names and contents of everything that the binaries depend on.
    pub(crate) source_sha256: String,
    /// One entry a kind of GPU.
    pub(crate) targets: Vec<Target>,
}

/// Binaries of one target: one file of deflated modules.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Target {
    /// `sm_90`, `compute_80`.
    pub(crate) target: String,
    /// Compute capability as 10 · major + minor.
    pub(crate) capability: u32,
    /// PTX, which the driver compiles when it loads it, rather than machine code.
    pub(crate) is_ptx: bool,
    /// Compiler's name and version.
    pub(crate) compiler: String,
    /// Oldest CUDA version of a driver that loads it, 1000 · major + 10 · minor.
    pub(crate) min_cuda: u32,
    /// File beside the manifest.
    pub(crate) pack: String,
    /// What the file holds.
    pub(crate) modules: Vec<Module>,
}

/// One compiled unit.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Module {
    /// The unit's name: `featurize`, `gemm_bf16`.
    pub(crate) unit: String,
    /// First byte in the pack.
    pub(crate) offset: usize,
    /// Deflated bytes.
    pub(crate) packed_bytes: usize,
    /// Bytes when inflated.
    pub(crate) bytes: usize,
    /// SHA-256 of the inflated bytes.
    pub(crate) sha256: String,
    /// The kernels.
    pub(crate) entries: Vec<Entry>,
}

/// One kernel.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Entry {
    /// The symbol.
    pub(crate) name: String,
    /// Bytes of its parameter struct.
    pub(crate) param_bytes: usize,
    /// Threads of a block.
    pub(crate) threads: u32,
    /// Blocks on an SM that registers must leave room for.
    pub(crate) min_blocks: u32,
    /// Dynamic shared memory of a block; featurize adds 4 bytes a column of x.
    pub(crate) dynamic_shared_bytes: u32,
    /// Static shared memory of a block; 0 for PTX, where the driver's assembler decides.
    pub(crate) static_shared_bytes: u32,
    /// Registers of a thread; 0 for PTX.
    pub(crate) registers: u32,
    /// Stack and spills of a thread; the gate wants 0.
    pub(crate) stack_bytes: u32,
    /// Other local memory of a thread; the gate wants 0.
    pub(crate) local_bytes: u32,
}
