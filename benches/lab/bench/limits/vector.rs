//! f32 multiply-adds and bf16 dot products in vector registers.

use std::time::Instant;

/// Outputs that one call of the packed loop computes: 12 candidates × 32 columns.
const ROWS: usize = 12;
const COLUMNS: usize = 32;
/// FLOPs after which a round is long enough for the clock.
const WORK: f64 = 1.5e9;

/// FLOP/s of multiply-adds on registers.
pub(super) fn fma_peak() -> f64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        const ROUNDS: usize = 3_000_000;
        // SAFETY: the processor has AVX-512 F.
        return timed((ROUNDS * 16 * 32) as f64, || unsafe { x86::fma_registers(ROUNDS) });
    }
    const ROUNDS: usize = 3_000_000;
    timed((ROUNDS * 128) as f64, || {
        let (a, b) = (std::hint::black_box(0.999f32), std::hint::black_box(0.001f32));
        let mut sums = [a; 64];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = multiply_add(*sum, a, b);
            }
        }
        sums.iter().sum()
    })
}

/// FLOP/s of bf16 dot products on registers; 0 where the processor has none.
pub(super) fn dot_peak() -> f64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512f") {
        const ROUNDS: usize = 1_500_000;
        // SAFETY: the processor has AVX-512 F and BF16.
        return timed((ROUNDS * 16 * 64) as f64, || unsafe { x86::dot_registers(ROUNDS) });
    }
    0.0
}

/// FLOP/s of `rows` × 32 outputs over `depth`, K in chunks whose weights stay while the rows pass.
pub(super) fn packed(depth: usize, rows: usize, chunk: usize) -> f64 {
    let rows = rows.next_multiple_of(ROWS);
    let chunk = chunk.min(depth);
    // A in panels of 12 candidates, the candidates' values of one column side by side; B a strip of 32 columns.
    let a = vec![0.5f32; rows * depth];
    let b = vec![0.25f32; COLUMNS * depth];
    let mut c = vec![0.0f32; rows * COLUMNS];
    let flops = (2 * rows * COLUMNS * depth) as f64;
    let rounds = (WORK / flops / 8.0).ceil() as usize;
    timed(flops * rounds as f64, || {
        for _ in 0..rounds {
            for start in (0..depth).step_by(chunk) {
                let columns = chunk.min(depth - start);
                let strip = &b[start * COLUMNS..][..columns * COLUMNS];
                for panel in 0..rows / ROWS {
                    let own = &a[panel * ROWS * depth + start * ROWS..][..columns * ROWS];
                    tile(own, strip, &mut c[panel * ROWS * COLUMNS..][..ROWS * COLUMNS], start > 0);
                }
            }
        }
        c[0]
    })
}

fn timed(flops: f64, work: impl FnOnce() -> f32) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    flops / start.elapsed().as_secs_f64()
}

#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
}

fn tile(a: &[f32], b: &[f32], c: &mut [f32], accumulate: bool) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512 F.
            unsafe { x86::tile(a, b, c, accumulate) };
            return;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has AVX2 and FMA.
            unsafe { x86::tile_avx2(a, b, c, accumulate) };
            return;
        }
    }
    if !accumulate {
        c.fill(0.0);
    }
    for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(COLUMNS)) {
        for (row, &value) in a.iter().enumerate() {
            for (sum, &weight) in c[row * COLUMNS..][..COLUMNS].iter_mut().zip(b) {
                *sum = multiply_add(value, weight, *sum);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512bh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_reduce_add_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{COLUMNS, ROWS};

    #[target_feature(enable = "avx512f")]
    pub(super) fn fma_registers(rounds: usize) -> f32 {
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

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn dot_registers(rounds: usize) -> f32 {
        let bits = _mm512_set1_ps(std::hint::black_box(0.001));
        // SAFETY: both are 64 bytes of plain numbers.
        let pairs: __m512bh = unsafe { std::mem::transmute(bits) };
        let mut sums = [bits; 16];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn tile(a: &[f32], b: &[f32], c: &mut [f32], accumulate: bool) {
        assert_eq!(a.len() * COLUMNS, b.len() * ROWS, "as many columns of A as rows of B");
        assert_eq!(c.len(), ROWS * COLUMNS, "one tile");
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        // SAFETY: the lengths above; every access is inside them.
        unsafe {
            if accumulate {
                for (row, sum) in sums.iter_mut().enumerate() {
                    for (half, sum) in sum.iter_mut().enumerate() {
                        *sum = _mm512_loadu_ps(c.as_ptr().add(row * COLUMNS + 16 * half));
                    }
                }
            }
            let (mut a, mut b, end) = (a.as_ptr(), b.as_ptr(), a.as_ptr_range().end);
            while a < end {
                let (low, high) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                for (row, sum) in sums.iter_mut().enumerate() {
                    let value = _mm512_set1_ps(*a.add(row));
                    sum[0] = _mm512_fmadd_ps(value, low, sum[0]);
                    sum[1] = _mm512_fmadd_ps(value, high, sum[1]);
                }
                (a, b) = (a.add(ROWS), b.add(COLUMNS));
            }
            for (row, sum) in sums.iter().enumerate() {
                for (half, sum) in sum.iter().enumerate() {
                    _mm512_storeu_ps(c.as_mut_ptr().add(row * COLUMNS + 16 * half), *sum);
                }
            }
        }
    }

    /// Six candidates × 16 columns at a time: what sixteen registers of eight hold.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn tile_avx2(a: &[f32], b: &[f32], c: &mut [f32], accumulate: bool) {
        for (row, column) in [(0, 0), (0, 16), (6, 0), (6, 16)] {
            let mut sums = [[0.0f32; 16]; 6];
            for (index, sum) in sums.iter_mut().enumerate().filter(|_| accumulate) {
                sum.copy_from_slice(&c[(row + index) * COLUMNS + column..][..16]);
            }
            for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(COLUMNS)) {
                for (index, sum) in sums.iter_mut().enumerate() {
                    for (sum, &weight) in sum.iter_mut().zip(&b[column..column + 16]) {
                        *sum = a[row + index].mul_add(weight, *sum);
                    }
                }
            }
            for (index, sum) in sums.iter().enumerate() {
                c[(row + index) * COLUMNS + column..][..16].copy_from_slice(sum);
            }
        }
    }
}
