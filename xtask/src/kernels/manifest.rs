//! `kernels/artifacts/manifest.json`: what was compiled, from what, and what a launch of it needs.

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Manifest {
    /// SHA-256 over the names and contents of everything that the binaries depend on.
    pub(crate) source_sha256: String,
    /// One entry a kind of GPU.
    pub(crate) targets: Vec<TargetArtifacts>,
}

/// Binaries of one target: one file of deflated modules.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct TargetArtifacts {
    /// `sm_90`, `compute_80`.
    pub(crate) target: String,
    /// Compute capability as 10 · major + minor.
    pub(crate) capability: u32,
    /// PTX rather than machine code.
    pub(crate) is_ptx: bool,
    /// Name and version.
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
    /// The unit's name.
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
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Entry {
    /// The symbol.
    pub(crate) name: String,
    /// Bytes of its parameter struct.
    pub(crate) param_bytes: u32,
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

/// Registers of an SM, on every supported GPU.
const SM_REGISTERS: u32 = 65_536;

impl Manifest {
    /// Kernels that spill, use local memory, or have more registers than the blocks that their source asks for allow.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for target in &self.targets {
            for entry in target.modules.iter().flat_map(|module| &module.entries) {
                let name = format!("{} for {}", entry.name, target.target);
                if entry.stack_bytes > 0 || entry.local_bytes > 0 {
                    faults.push(format!(
                        "{name}: {} bytes of stack, {} of local memory, expected none",
                        entry.stack_bytes, entry.local_bytes
                    ));
                }
                let warps = entry.threads.div_ceil(32);
                // Registers are given out to warps in units of 8 a thread.
                let used = entry.registers.next_multiple_of(8) * 32 * warps * entry.min_blocks;
                if used > SM_REGISTERS {
                    faults.push(format!(
                        "{name}: {} registers, too many for {} blocks of {} threads on an SM",
                        entry.registers, entry.min_blocks, entry.threads
                    ));
                }
            }
        }
        faults
    }
}
