//! What the machine can do at most, measured in the same run: multiply-adds with operands in L1, and reading memory.

use std::time::Instant;

use maskrank::{CpuKernel, Precision};

/// Limits of `threads` threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// FLOP/s of the instruction that the kernel is built on.
    pub(crate) flops: f64,
    /// Bytes/s read from a region of the size of the bf16 weights.
    pub(crate) bandwidth: f64,
}

impl Limits {
    /// Best of a few rounds, all threads at once.
    pub(crate) fn measure(precision: Precision, threads: usize) -> Self {
        let amx = precision == Precision::Bf16 && CpuKernel::Amx.obstacle().is_none();
        let rate: fn() -> f64 = if amx { amx_rate } else { fma_rate };
        Self { flops: together(threads, rate), bandwidth: together(threads, read_rate) }
    }
}

/// Sum of what the threads reach side by side; best of five.
fn together(threads: usize, work: fn() -> f64) -> f64 {
    let round = || {
        let handles: Vec<_> = (0..threads).map(|_| std::thread::spawn(work)).collect();
        handles.into_iter().map(|handle| handle.join().expect("the loop does not fail")).sum::<f64>()
    };
    (0..5).map(|_| round()).fold(0.0, f64::max)
}

/// 96 MB read in order.
fn read_rate() -> f64 {
    const LEN: usize = 96_000_000 / 8;
    let data: Vec<u64> = (0..LEN as u64).collect();
    let start = Instant::now();
    let mut sums = [0u64; 32];
    for chunk in data.chunks_exact(32) {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*value);
        }
    }
    std::hint::black_box(sums);
    (LEN * 8) as f64 / start.elapsed().as_secs_f64()
}

#[cfg(target_arch = "x86_64")]
fn fma_rate() -> f64 {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps};

    #[target_feature(enable = "avx512f")]
    fn run(rounds: usize) -> f32 {
        let (a, b) =
            (_mm512_set1_ps(std::hint::black_box(0.999)), _mm512_set1_ps(std::hint::black_box(0.001)));
        let mut sums = [a; 16];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    const ROUNDS: usize = 2_000_000;
    if CpuKernel::Avx512.obstacle().is_some() {
        return scalar_rate();
    }
    let start = Instant::now();
    // SAFETY: the kernel has no obstacle, so the processor has AVX-512 F.
    std::hint::black_box(unsafe { run(ROUNDS) });
    (ROUNDS * 16 * 32) as f64 / start.elapsed().as_secs_f64()
}

#[cfg(not(target_arch = "x86_64"))]
fn fma_rate() -> f64 {
    scalar_rate()
}

/// Eight-wide lanes of whatever the compiler makes of them: a lower limit where AVX-512 is missing.
fn scalar_rate() -> f64 {
    const ROUNDS: usize = 4_000_000;
    let (a, b) = (std::hint::black_box(0.999f32), std::hint::black_box(0.001f32));
    let mut sums = [a; 64];
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = *sum * a + b;
        }
    }
    std::hint::black_box(sums);
    (ROUNDS * 128) as f64 / start.elapsed().as_secs_f64()
}

#[cfg(not(target_arch = "x86_64"))]
fn amx_rate() -> f64 {
    scalar_rate()
}

/// 32 × 32 × 256 from packed operands that stay in L1.
#[cfg(target_arch = "x86_64")]
fn amx_rate() -> f64 {
    use std::arch::asm;

    const STEPS: usize = 8;
    const ROUNDS: usize = 40_000;
    #[repr(C, align(64))]
    struct Operands([u16; STEPS * 1024]);
    #[repr(C, align(64))]
    struct Config([u8; 64]);
    let (a, b) = (Operands([0x3f80; STEPS * 1024]), Operands([0x3f80; STEPS * 1024]));
    let mut config = Config([0; 64]);
    config.0[0] = 1;
    for tile in 0..8 {
        config.0[16 + 2 * tile] = 64;
        config.0[48 + tile] = 16;
    }
    // SAFETY: called only where the AMX kernel has no obstacle: instructions and permission are there. Loads stay
    // inside `a` and `b`: STEPS steps of 1 KiB twice each.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly));
        let start = Instant::now();
        for _ in 0..ROUNDS {
            asm!(
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a} + {line}*1]",
                "tileloadd tmm6, [{b} + {line}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{a} + {line}*1 + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 2048", "add {b}, 2048",
                "dec {n}", "jnz 2b",
                a = inout(reg) a.0.as_ptr() => _, b = inout(reg) b.0.as_ptr() => _,
                n = inout(reg) STEPS => _, line = in(reg) 64usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly),
            );
        }
        let elapsed = start.elapsed().as_secs_f64();
        asm!("tilerelease", options(nostack, nomem));
        (ROUNDS * STEPS * 2 * 32 * 32 * 32) as f64 / elapsed
    }
}
