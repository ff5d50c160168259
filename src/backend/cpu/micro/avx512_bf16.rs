//! bf16 by AVX-512 BF16: `vdpbf16ps` multiplies pairs of bf16 and adds both products to an f32 lane.
//!
//! Weights lie in pairs of K, `(K/2, 16 columns, 2)`, the order of AMX: both kernels read the same strips. A's pairs
//! are broadcast as 32 bits.

use std::arch::x86_64::{
    __m512bh, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_storeu_ps,
};
use std::mem::transmute;

use half::bf16;

use super::super::isa::Avx512Bf16;
use super::{Kernel, PANEL, STRIP, Tile, fetch};

/// K columns of a line, 32; pairs of them, 16.
const LINE: usize = 32;
const PAIRS: usize = LINE / 2;

/// Dot products of bf16 pairs.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct DotBf16(pub(in super::super) Avx512Bf16);

impl Kernel for DotBf16 {
    type Isa = Avx512Bf16;
    type Stored = bf16;
    type Operand = bf16;
    type Session = ();

    const PANELS: usize = 1;
    // 32 KiB of B.
    const CHUNK: usize = 512;
    const LAYOUT: &'static str = super::PAIRS;

    fn isa(self) -> Avx512Bf16 {
        self.0
    }

    fn session(self) {}

    fn weight_index(k: usize, column: usize) -> usize {
        pair_index(k, column)
    }

    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<bf16>) {
        // SAFETY: the token proves the features; the caller vouches for the operands.
        unsafe { tile_dot(tile) }
    }
}

/// Place of weight `(k, column)` in a strip of pairs: for every 32 of K two tiles of `(16 pairs, 16 columns, 2)`.
pub(super) fn pair_index(k: usize, column: usize) -> usize {
    let (line, k) = (k / LINE, k % LINE);
    let (tile, column) = (column / 16, column % 16);
    line * LINE * STRIP + tile * LINE * 16 + (k / 2) * LINE + column * 2 + k % 2
}

#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile_dot(tile: &Tile<bf16>) {
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
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn rows<const R: usize>(tile: &Tile<bf16>, row: usize) -> usize {
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    // This group's share of the weights to come, spread over the steps.
    let share = tile.ahead_lines * R / tile.rows;
    let mut ahead = tile.ahead.wrapping_add(tile.ahead_lines * row / tile.rows * 64);
    let steps = tile.columns / LINE;
    let each = share.div_ceil(steps);
    for line in 0..steps {
        for _ in 0..each {
            fetch(ahead);
            ahead = ahead.wrapping_add(64);
        }
        // SAFETY: `line · 32 + 2 · pair + 1` is below `columns`, `row + R` at most 16: inside what the caller
        // vouches for; pairs are 4-byte aligned in a line.
        unsafe {
            let a = tile.a.add(line * PANEL * LINE + row * LINE);
            let b = tile.b.add(line * LINE * STRIP);
            for pair in 0..PAIRS {
                let b0: __m512bh = transmute(_mm512_loadu_si512(b.add(pair * LINE).cast()));
                let b1: __m512bh = transmute(_mm512_loadu_si512(b.add(LINE * 16 + pair * LINE).cast()));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = a.add(r * LINE + pair * 2).cast::<i32>().read_unaligned();
                    let a: __m512bh = transmute(_mm512_set1_epi32(a));
                    sums[0] = _mm512_dpbf16_ps(sums[0], a, b0);
                    sums[1] = _mm512_dpbf16_ps(sums[1], a, b1);
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
