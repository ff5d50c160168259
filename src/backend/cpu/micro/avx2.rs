//! f32 by AVX2 and FMA: up to 6 candidates × 16 columns in registers, the strip in two halves.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::super::isa::Avx2;
use super::sixteen::sixteen;
use super::{F32Tile, PANEL, STRIP, Tile};

/// Columns of one pass.
const HALF: usize = STRIP / 2;

impl F32Tile for Avx2 {
    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<f32>) {
        // SAFETY: the token proves the features; the caller vouches for the operands.
        unsafe { tile_avx2(tile) }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn tile_avx2(tile: &Tile<f32>) {
    for column in [0, HALF] {
        let mut row = 0;
        while row < tile.rows {
            // SAFETY: each call has at most the rows that are left.
            row += unsafe {
                match tile.rows - row {
                    6.. => rows::<6>(tile, row, column),
                    4.. => rows::<4>(tile, row, column),
                    2.. => rows::<2>(tile, row, column),
                    _ => rows::<1>(tile, row, column),
                }
            };
        }
    }
}

/// Rows `[row, row + R)` of columns `[column, column + 16)`; returns R.
#[target_feature(enable = "avx2,fma")]
unsafe fn rows<const R: usize>(tile: &Tile<f32>, row: usize, column: usize) -> usize {
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    for line in 0..tile.columns / PANEL {
        // SAFETY: `line · 16 + K` is below `columns`, `row + R` at most 16, `column + 16` at most 32: inside what
        // the caller vouches for.
        unsafe {
            let a = tile.a.add(line * PANEL * PANEL + row * PANEL);
            let b = tile.b.add(line * PANEL * STRIP + column);
            sixteen!(K, {
                let b0 = _mm256_loadu_ps(b.add(K * STRIP));
                let b1 = _mm256_loadu_ps(b.add(K * STRIP + 8));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(*a.add(r * PANEL + K));
                    sums[0] = _mm256_fmadd_ps(a, b0, sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, b1, sums[1]);
                }
            });
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (part, sum) in sums.iter().enumerate() {
            // SAFETY: row `row + r` is below `rows`, for which C is writable.
            unsafe {
                let c = tile.c.add((row + r) * STRIP + column + part * 8);
                let sum = if tile.accumulate { _mm256_add_ps(_mm256_loadu_ps(c), *sum) } else { *sum };
                _mm256_storeu_ps(c, sum);
            }
        }
    }
    R
}
