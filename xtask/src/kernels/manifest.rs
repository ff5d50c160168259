//! The gate: what a manifest must not say of a kernel.

#[path = "../../../src/backend/cuda/manifest.rs"]
mod format;

pub(crate) use format::{Entry, Manifest, Module, Target};

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
