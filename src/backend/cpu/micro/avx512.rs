//! f32 by AVX-512: up to 8 candidates × 32 columns in registers.
//!
//! At 8 rows a step of K is two loads of B, eight broadcasts of A and sixteen multiply-adds: 8 cycles of two FMA
//! ports for 10 loads, so the ports are the limit. Fewer rows use the same lanes with fewer accumulators.

use std::arch::x86_64::{
    _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::super::isa::{Avx512, Avx512Bf16};
use super::{F32Tile, PANEL, STRIP, Tile, fetch};

impl F32Tile for Avx512 {
    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<f32>) {
        // SAFETY: the token proves the features; the caller vouches for the operands.
        unsafe { tile_avx512(tile) }
    }
}

impl F32Tile for Avx512Bf16 {
    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<f32>) {
        // SAFETY: the token proves the features; the caller vouches for the operands.
        unsafe { tile_avx512(tile) }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn tile_avx512(tile: &Tile<f32>) {
    let mut row = 0;
    while row < tile.rows {
        // SAFETY: each call has at most the rows that are left.
        row += unsafe {
            match tile.rows - row {
                8.. => rows::<8>(tile, row),
                4.. => rows::<4>(tile, row),
                2.. => rows::<2>(tile, row),
                _ => rows::<1>(tile, row),
            }
        };
    }
}

/// Rows `[row, row + R)`; returns R.
#[target_feature(enable = "avx512f")]
unsafe fn rows<const R: usize>(tile: &Tile<f32>, row: usize) -> usize {
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    // This group's share of the weights to come, spread over the steps.
    let share = tile.ahead_lines * R / tile.rows;
    let mut ahead = tile.ahead.wrapping_add(tile.ahead_lines * row / tile.rows * 64);
    let steps = tile.columns / PANEL;
    let each = share.div_ceil(steps);
    for line in 0..steps {
        for _ in 0..each {
            fetch(ahead);
            ahead = ahead.wrapping_add(64);
        }
        // SAFETY: `line · 16 + k` is below `columns`, `row + R` at most 16: inside what the caller vouches for.
        unsafe {
            let a = tile.a.add(line * PANEL * PANEL + row * PANEL);
            let b = tile.b.add(line * PANEL * STRIP);
            for k in 0..PANEL {
                let b0 = _mm512_loadu_ps(b.add(k * STRIP));
                let b1 = _mm512_loadu_ps(b.add(k * STRIP + 16));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm512_set1_ps(*a.add(r * PANEL + k));
                    sums[0] = _mm512_fmadd_ps(a, b0, sums[0]);
                    sums[1] = _mm512_fmadd_ps(a, b1, sums[1]);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (half, sum) in sums.iter().enumerate() {
            // SAFETY: row `row + r` is below `rows`, for which C is writable.
            unsafe {
                let c = tile.c.add((row + r) * STRIP + half * 16);
                let sum = if tile.accumulate { _mm512_add_ps(_mm512_loadu_ps(c), *sum) } else { *sum };
                _mm512_storeu_ps(c, sum);
            }
        }
    }
    R
}
