//! f32 by AVX-512: up to 8 candidates × 32 columns in registers.
//!
//! At 8 rows a step of K is two loads of B, eight broadcasts of A and sixteen multiply-adds: 8 cycles of two FMA
//! ports for 10 loads, so the ports are the limit. Fewer rows use the same lanes with fewer accumulators.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use super::super::isa::{Avx512, Avx512Bf16};
use super::rows512::{self, NEAR, tile_by_rows};
use super::sixteen::sixteen;
use super::{F32Tile, PANEL, STRIP, Tile, fetch};

/// Up to here the weights' way from memory counts, and two strips are two streams. From there on one strip is 3 to 4 %
/// faster, whatever the registers say: B of two takes twice the place in L1.
const TWO_UP_TO: usize = 64;

impl F32Tile for Avx512 {
    const FEW: usize = rows512::FEW;
    const TWO_UP_TO: usize = TWO_UP_TO;

    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<f32>) {
        // SAFETY: the token proves the features; the caller vouches for the operands.
        unsafe { tile_rows(tile) }
    }

    #[inline(always)]
    unsafe fn two_tiles(self, tiles: [&Tile<f32>; 2]) {
        // SAFETY: as above.
        unsafe { two_tiles(tiles) }
    }
}

impl F32Tile for Avx512Bf16 {
    const FEW: usize = rows512::FEW;
    const TWO_UP_TO: usize = TWO_UP_TO;

    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<f32>) {
        // SAFETY: the token proves the features; the caller vouches for the operands.
        unsafe { tile_rows(tile) }
    }

    #[inline(always)]
    unsafe fn two_tiles(self, tiles: [&Tile<f32>; 2]) {
        // SAFETY: as above.
        unsafe { two_tiles(tiles) }
    }
}

tile_by_rows!("avx512f", f32, PANEL, step);

/// Sixteen columns of K.
///
/// # Safety
/// `a` is readable for R lines of 16, each of `b` for 16 rows of 32.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn step<const R: usize, const S: usize, const N: bool>(
    a: *const f32,
    b: [*const f32; S],
    sums: &mut [[[__m512; 2]; S]; R],
) {
    // SAFETY: the caller's promise.
    unsafe {
        if N && R <= rows512::FEW {
            // Gathered lines are in L1: nothing to foresee, and four candidates are 3 % faster in a loop.
            for k in 0..PANEL {
                multiply::<R, S, N>(a.add(k), b.map(|b| b.add(k * STRIP)), sums);
            }
        } else {
            sixteen!(K, { multiply::<R, S, N>(a.add(K), b.map(|b| b.add(K * STRIP)), sums) });
        }
    }
}

/// One column of K.
///
/// # Safety
/// `a` is readable for the first value of R lines of 16, each of `b` for a row of 32.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn multiply<const R: usize, const S: usize, const N: bool>(
    a: *const f32,
    b: [*const f32; S],
    sums: &mut [[[__m512; 2]; S]; R],
) {
    if N {
        for b in b {
            let near = b.cast::<u8>().wrapping_add(NEAR);
            fetch(near);
            fetch(near.wrapping_add(64));
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        let b = b.map(|b| [_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16))]);
        for (r, sums) in sums.iter_mut().enumerate() {
            let a = _mm512_set1_ps(*a.add(r * PANEL));
            for (sums, b) in sums.iter_mut().zip(b) {
                sums[0] = _mm512_fmadd_ps(a, b[0], sums[0]);
                sums[1] = _mm512_fmadd_ps(a, b[1], sums[1]);
            }
        }
    }
}
