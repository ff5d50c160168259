//! Flags that choose a backend and a precision.

use clap::{Args, ValueEnum};
use maskrank::{Backend, Error, Precision, Scorer, ScorerBuilder};

/// Where to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendName {
    /// CUDA, else a hardware GPU through wgpu, else the CPU
    Auto,
    /// NVIDIA GPUs
    Cuda,
    /// Any GPU with Vulkan, Metal or DX12; a software adapter too, when named
    Wgpu,
    /// This machine's processor
    Cpu,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Auto => Self::Auto,
            BackendName::Cuda => Self::Cuda,
            BackendName::Wgpu => Self::Wgpu,
            BackendName::Cpu => Self::Cpu,
        }
    }
}

/// Storage type of weights and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionName {
    F32,
    Tf32,
    Bf16,
    F16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Self::F32,
            PrecisionName::Tf32 => Self::Tf32,
            PrecisionName::Bf16 => Self::Bf16,
            PrecisionName::F16 => Self::F16,
        }
    }
}

/// Flags of every command that scores.
#[derive(Args, Clone, Debug)]
pub(crate) struct BackendArguments {
    /// Where to run; a named backend never falls back to another
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) backend: BackendName,
    /// Storage type of weights and activations
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) precision: PrecisionName,
    /// Part of a GPU's name, where there are several
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// CPU threads; 0 takes all
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: usize,
}

impl BackendArguments {
    /// Whether a GPU backend that was named has a device, before anything is prepared for it.
    pub(crate) fn check_present(&self) -> Result<(), Error> {
        let backend = Backend::from(self.backend);
        let named = maskrank::devices().into_iter().find(|listing| listing.backend == backend);
        match named.and_then(|listing| listing.absent) {
            Some(reason) => Err(Error::BackendUnavailable { backend, reason }),
            None => Ok(()),
        }
    }

    pub(crate) fn apply(&self, builder: ScorerBuilder) -> ScorerBuilder {
        let builder =
            builder.backend(self.backend.into()).precision(self.precision.into()).threads(self.threads);
        match &self.adapter {
            Some(name) => builder.adapter(name),
            None => builder,
        }
    }
}

/// What runs and why, for a person.
pub(crate) fn describe(scorer: &Scorer) -> String {
    let device = scorer.device();
    let mut text =
        format!("backend {} on {} ({}, {})", device.backend, device.name, device.kernel, scorer.precision());
    text += &format!("\n  memory {}", scorer.memory());
    for passed in scorer.passed_over() {
        text += &format!("\n  passed over {}: {}", passed.backend, passed.reason);
    }
    text
}

/// What to try after an error of a backend.
pub(crate) fn next_step(error: &Error) -> Option<String> {
    let backend = match error {
        Error::BackendUnavailable { backend, .. }
        | Error::SelfTest { backend, .. }
        | Error::Device { backend, .. } => backend,
        _ => return None,
    };
    let others = match backend {
        Backend::Cuda => "`--backend wgpu` takes any GPU with Vulkan, `--backend cpu` needs none",
        Backend::Wgpu => "`--backend cpu` needs no GPU",
        _ => return None,
    };
    Some(format!(
        "next: `maskrank devices` shows what is here and why the rest is not; {others}; `--backend auto` takes the best that works"
    ))
}
