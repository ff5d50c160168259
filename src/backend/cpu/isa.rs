//! Instruction sets, as tokens: a value of one of these types exists only after the processor was asked.
//!
//! Loops over slices are written once, as plain Rust that the compiler vectorises; [`Isa::run`] compiles them for
//! the instruction set. What does not vectorise by itself (conversions with their own instructions) is a method.

use half::{bf16, f16};

use super::element::bf16_bits;

/// An instruction set that this processor has.
pub(super) trait Isa: Copy + Send + Sync + 'static {
    /// Whether a multiply-add is one instruction. Without it `f32::mul_add` is a library call.
    const FMA: bool;

    /// Runs `work` compiled for the instruction set; everything that `work` calls must be `#[inline(always)]`.
    fn run<W: Work>(self, work: W) -> W::Output;

    /// Sixteen bf16, nearest even.
    #[inline(always)]
    fn narrow_bf16(from: &[f32; 16]) -> [bf16; 16] {
        from.map(|value| bf16::from_bits(bf16_bits(value)))
    }

    /// Sixteen halves, nearest even.
    #[inline(always)]
    fn narrow_f16(from: &[f32; 16]) -> [f16; 16] {
        from.map(f16::from_f32_const)
    }

    /// Sixteen halves, exactly.
    #[inline(always)]
    fn widen_f16(from: &[f16; 16]) -> [f32; 16] {
        from.map(f16::to_f32_const)
    }

    /// Sums, in sixteen lanes, of the values' distances from `shift`, and of their squares.
    #[inline(always)]
    fn distances(runs: &[[f32; 16]], shift: f64) -> ([f64; 16], [f64; 16]) {
        let (mut sums, mut squares) = ([0.0; 16], [0.0; 16]);
        for run in runs {
            for lane in 0..16 {
                let distance = f64::from(run[lane]) - shift;
                sums[lane] += distance;
                squares[lane] += distance * distance;
            }
        }
        (sums, squares)
    }

    /// `a · b + c`: one rounding where the instruction set has it.
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

/// Something to be compiled for an instruction set.
///
/// A trait rather than a closure, because a closure cannot be marked `#[inline(always)]`: one that the compiler thinks
/// too large to inline is compiled for the oldest processor, and nobody is told.
pub(super) trait Work {
    /// What it gives.
    type Output;

    /// Does it; every implementation is `#[inline(always)]`.
    fn run(self) -> Self::Output;
}

/// What every processor has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

impl Isa for Portable {
    const FMA: bool = false;

    #[inline(always)]
    fn run<W: Work>(self, work: W) -> W::Output {
        work.run()
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512, Avx512Bf16, cpuid};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __cpuid_count, __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_cvtph_ps, _mm256_cvtps_ph,
        _mm256_loadu_ps, _mm256_loadu_si256, _mm256_storeu_ps, _mm256_storeu_si256, _mm512_add_pd,
        _mm512_cvtneps_pbh, _mm512_cvtph_ps, _mm512_cvtps_pd, _mm512_cvtps_ph, _mm512_fmadd_pd,
        _mm512_loadu_ps, _mm512_set1_pd, _mm512_setzero_pd, _mm512_storeu_pd, _mm512_storeu_ps,
        _mm512_sub_pd, CpuidResult,
    };
    use std::mem::transmute;

    use super::{Isa, Work, bf16, f16};

    /// What the processor says of itself, subleaf 0.
    #[allow(
        unused_unsafe,
        reason = "the intrinsic became safe after the oldest compiler that this crate supports"
    )]
    pub(in super::super) fn cpuid(leaf: u32) -> CpuidResult {
        // SAFETY: every x86-64 has the instruction.
        unsafe { __cpuid_count(leaf, 0) }
    }

    /// AVX2 with FMA and half conversions.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Avx2(());

    /// AVX-512 F, BW, DQ, VL.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Avx512(());

    /// AVX-512 with its bf16 instructions.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Avx512Bf16(());

    impl Avx2 {
        /// The token, where the processor and the system have the instructions.
        pub(in super::super) fn detect() -> Option<Self> {
            let all = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            all.then_some(Self(()))
        }
    }

    impl Avx512 {
        /// The token, where the processor and the system have the instructions.
        pub(in super::super) fn detect() -> Option<Self> {
            let all = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && Avx2::detect().is_some();
            all.then_some(Self(()))
        }
    }

    impl Avx512Bf16 {
        /// The token, where the processor and the system have the instructions.
        pub(in super::super) fn detect() -> Option<Self> {
            let all = is_x86_feature_detected!("avx512bf16") && Avx512::detect().is_some();
            all.then_some(Self(()))
        }
    }

    impl Isa for Avx2 {
        const FMA: bool = true;

        #[inline(always)]
        fn run<W: Work>(self, work: W) -> W::Output {
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn with_features<W: Work>(work: W) -> W::Output {
                work.run()
            }
            // SAFETY: the token exists, so `detect` found every feature named above.
            unsafe { with_features(work) }
        }

        #[inline(always)]
        fn narrow_f16(from: &[f32; 16]) -> [f16; 16] {
            let mut into = [f16::ZERO; 16];
            for half in 0..2 {
                // SAFETY: reads and writes 8 of the 16 elements; callers run under `run`, whose token proves F16C.
                unsafe {
                    let values = _mm256_loadu_ps(from.as_ptr().add(8 * half));
                    let halves = _mm256_cvtps_ph::<0>(values);
                    _mm_storeu_si128(into.as_mut_ptr().add(8 * half).cast(), halves);
                }
            }
            into
        }

        #[inline(always)]
        fn widen_f16(from: &[f16; 16]) -> [f32; 16] {
            let mut into = [0.0; 16];
            for half in 0..2 {
                // SAFETY: reads and writes 8 of the 16 elements; callers run under `run`, whose token proves F16C.
                unsafe {
                    let halves = _mm_loadu_si128(from.as_ptr().add(8 * half).cast());
                    _mm256_storeu_ps(into.as_mut_ptr().add(8 * half), _mm256_cvtph_ps(halves));
                }
            }
            into
        }
    }

    /// The conversions that both AVX-512 tokens share.
    macro_rules! avx512_halves {
        () => {
            #[inline(always)]
            fn narrow_f16(from: &[f32; 16]) -> [f16; 16] {
                let mut into = [f16::ZERO; 16];
                // SAFETY: 16 elements each; callers run under `run`, whose token proves AVX-512 F.
                unsafe {
                    let halves = _mm512_cvtps_ph::<0>(_mm512_loadu_ps(from.as_ptr()));
                    _mm256_storeu_si256(into.as_mut_ptr().cast(), halves);
                }
                into
            }

            // By hand: of the plain loop the compiler makes single values here and there.
            #[inline(always)]
            fn distances(runs: &[[f32; 16]], shift: f64) -> ([f64; 16], [f64; 16]) {
                let (mut sums, mut squares) = ([0.0; 16], [0.0; 16]);
                // SAFETY: reads and writes 8 of 16 elements; callers run under `run`, whose token proves AVX-512 F.
                unsafe {
                    let shift = _mm512_set1_pd(shift);
                    let mut lanes = [[_mm512_setzero_pd(); 2]; 2];
                    for run in runs {
                        for (half, [sum, square]) in lanes.iter_mut().enumerate() {
                            let values = _mm256_loadu_ps(run.as_ptr().add(8 * half));
                            let distance = _mm512_sub_pd(_mm512_cvtps_pd(values), shift);
                            *sum = _mm512_add_pd(*sum, distance);
                            *square = _mm512_fmadd_pd(distance, distance, *square);
                        }
                    }
                    for (half, [sum, square]) in lanes.into_iter().enumerate() {
                        _mm512_storeu_pd(sums.as_mut_ptr().add(8 * half), sum);
                        _mm512_storeu_pd(squares.as_mut_ptr().add(8 * half), square);
                    }
                }
                (sums, squares)
            }

            #[inline(always)]
            fn widen_f16(from: &[f16; 16]) -> [f32; 16] {
                let mut into = [0.0; 16];
                // SAFETY: 16 elements each; callers run under `run`, whose token proves AVX-512 F.
                unsafe {
                    let halves: __m256i = _mm256_loadu_si256(from.as_ptr().cast());
                    _mm512_storeu_ps(into.as_mut_ptr(), _mm512_cvtph_ps(halves));
                }
                into
            }
        };
    }

    impl Isa for Avx512 {
        const FMA: bool = true;

        #[inline(always)]
        fn run<W: Work>(self, work: W) -> W::Output {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
            unsafe fn with_features<W: Work>(work: W) -> W::Output {
                work.run()
            }
            // SAFETY: the token exists, so `detect` found every feature named above.
            unsafe { with_features(work) }
        }

        avx512_halves!();
    }

    impl Isa for Avx512Bf16 {
        const FMA: bool = true;

        #[inline(always)]
        fn run<W: Work>(self, work: W) -> W::Output {
            #[target_feature(enable = "avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
            unsafe fn with_features<W: Work>(work: W) -> W::Output {
                work.run()
            }
            // SAFETY: the token exists, so `detect` found every feature named above.
            unsafe { with_features(work) }
        }

        #[inline(always)]
        fn narrow_bf16(from: &[f32; 16]) -> [bf16; 16] {
            // SAFETY: 16 elements in, 16 out, bf16 is a transparent u16; callers run under `run`, whose token proves
            // AVX-512 BF16.
            unsafe { transmute(_mm512_cvtneps_pbh(_mm512_loadu_ps(from.as_ptr()))) }
        }

        avx512_halves!();
    }
}
