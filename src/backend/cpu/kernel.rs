//! Which micro-kernels this processor runs, and why better ones do not.

use crate::{Backend, Error, Precision, Result};

/// A micro-kernel of the CPU backend, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CpuKernel {
    /// AMX tiles, bf16.
    Amx,
    /// AVX-512 with bf16 dot products.
    Avx512Bf16,
    /// AVX-512, f32 arithmetic.
    Avx512,
    /// AVX2 and FMA, f32 arithmetic.
    Avx2,
    /// Any architecture, f32 arithmetic.
    Portable,
}

impl CpuKernel {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [Self::Amx, Self::Avx512Bf16, Self::Avx512, Self::Avx2, Self::Portable];

    /// The name in listings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// The order of weights that it reads: files packed for one kernel serve every kernel of the same layout.
    #[must_use]
    pub fn layout(self) -> &'static str {
        match self {
            Self::Amx | Self::Avx512Bf16 => super::micro::PAIRS,
            _ => super::micro::COLUMNS,
        }
    }

    /// Whether it computes a precision.
    #[must_use]
    pub fn supports(self, precision: Precision) -> bool {
        match self {
            Self::Amx | Self::Avx512Bf16 => precision == Precision::Bf16,
            _ => matches!(precision, Precision::F32 | Precision::Bf16 | Precision::F16),
        }
    }

    /// Why it cannot run here; `None` where it can.
    #[must_use]
    pub fn obstacle(self) -> Option<String> {
        #[cfg(target_arch = "x86_64")]
        {
            use super::isa::{Avx2, Avx512, Avx512Bf16};
            use super::micro::{AmxBf16, Denied};
            let lacks = |what: &str| Some(format!("the processor has no {what}"));
            match self {
                Self::Amx => match AmxBf16::detect() {
                    Ok(_) => None,
                    Err(Denied::Absent) => lacks("AMX bf16"),
                    Err(Denied::Refused(error)) => Some(format!(
                        "the system refused the permission for AMX tiles (arch_prctl: error {})",
                        -error
                    )),
                },
                Self::Avx512Bf16 if Avx512Bf16::detect().is_none() => lacks("AVX-512 BF16"),
                Self::Avx512 if Avx512::detect().is_none() => lacks("AVX-512 F, BW, DQ and VL"),
                Self::Avx2 if Avx2::detect().is_none() => lacks("AVX2, FMA and F16C"),
                _ => None,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        match self {
            Self::Portable => None,
            _ => Some("the processor is not an x86-64".to_owned()),
        }
    }
}

/// The kernel that runs and its description: `bf16 avx512-bf16 (amx: the processor has no AMX bf16)`.
///
/// # Errors
/// A precision that no kernel computes; a forced kernel that does not compute it or cannot run here.
pub(super) fn choose(precision: Precision, forced: Option<CpuKernel>) -> Result<(CpuKernel, String)> {
    choose_from(precision, forced, CpuKernel::obstacle)
}

fn choose_from(
    precision: Precision,
    forced: Option<CpuKernel>,
    obstacle: impl Fn(CpuKernel) -> Option<String>,
) -> Result<(CpuKernel, String)> {
    let unsupported = |what: String| Error::Unsupported { backend: Backend::Cpu, what };
    if !CpuKernel::Portable.supports(precision) {
        return Err(unsupported(format!("precision {precision}: it offers f32, bf16 and f16")));
    }
    let unavailable = |reason: String| Error::BackendUnavailable { backend: Backend::Cpu, reason };
    if let Some(kernel) = forced {
        if !kernel.supports(precision) {
            return Err(unsupported(format!("precision {precision} with the kernel {}", kernel.name())));
        }
        return match obstacle(kernel) {
            None => Ok((kernel, format!("{precision} {} (as asked)", kernel.name()))),
            Some(reason) => Err(unavailable(format!("kernel {}: {reason}", kernel.name()))),
        };
    }
    let mut passed_over = Vec::new();
    for kernel in CpuKernel::ALL {
        let reason = match kernel.supports(precision) {
            true => obstacle(kernel),
            false => Some(format!("does not compute {precision}")),
        };
        match reason {
            Some(reason) => passed_over.push(format!("{}: {reason}", kernel.name())),
            None if passed_over.is_empty() => return Ok((kernel, format!("{precision} {}", kernel.name()))),
            None => {
                return Ok((kernel, format!("{precision} {} ({})", kernel.name(), passed_over.join("; "))));
            }
        }
    }
    Err(unavailable(passed_over.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_permission_falls_to_the_next_kernel_and_says_so() {
        let refused = |kernel| (kernel == CpuKernel::Amx).then(|| "the system refused".to_owned());
        let (kernel, name) = choose_from(Precision::Bf16, None, refused).unwrap();
        assert_eq!(kernel, CpuKernel::Avx512Bf16);
        assert_eq!(name, "bf16 avx512-bf16 (amx: the system refused)");
        let error = choose_from(Precision::Bf16, Some(CpuKernel::Amx), refused).unwrap_err();
        assert!(matches!(error, Error::BackendUnavailable { .. }), "{error}");
    }

    #[test]
    fn every_precision_runs_without_any_instruction_set() {
        let nothing = |kernel| (kernel != CpuKernel::Portable).then(|| "absent".to_owned());
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            assert_eq!(choose_from(precision, None, nothing).unwrap().0, CpuKernel::Portable, "{precision}");
        }
    }

    #[test]
    fn what_is_not_computed_is_an_error() {
        let here = |_| None;
        for (precision, forced) in [
            (Precision::Tf32, None),
            (Precision::Tf32, Some(CpuKernel::Portable)),
            (Precision::F32, Some(CpuKernel::Amx)),
            (Precision::F16, Some(CpuKernel::Avx512Bf16)),
        ] {
            let error = choose_from(precision, forced, here).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{precision} {forced:?}: {error}");
        }
        assert_eq!(choose_from(Precision::F32, None, here).unwrap().0, CpuKernel::Avx512);
        assert_eq!(choose_from(Precision::Bf16, None, here).unwrap().0, CpuKernel::Amx);
    }
}
