//! Executors of plans: one folder a backend. They never import each other.

use std::fmt;

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
