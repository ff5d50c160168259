//! bf16 by AVX-512 BF16: `vdpbf16ps` multiplies pairs of bf16 and adds both products to an f32 lane.
//!
//! Weights lie in pairs of K, `(K/2, 16 columns, 2)`, the order of AMX: both kernels read the same strips. A's pairs
//! are broadcast as 32 bits.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
};
use std::mem::transmute;

use half::bf16;

use super::super::isa::Avx512Bf16;
use super::rows512::{self, NEAR, tile_by_rows};
use super::sixteen::sixteen;
use super::{Kernel, STRIP, Tile, fetch};

/// K columns of a line, 16 pairs.
const LINE: usize = 32;

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
    const FEW: usize = rows512::FEW;
    const LAYOUT: &'static str = super::PAIRS;

    fn isa(self) -> Avx512Bf16 {
        self.0
    }

    fn session(self, _rows: usize) {}

    fn weight_index(k: usize, column: usize) -> usize {
        pair_index(k, column)
    }

    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<bf16>) {
        // SAFETY: the token proves the features; the caller vouches for the operands.
        unsafe { tile_rows(tile) }
    }

    #[inline(always)]
    fn takes_two(rows: usize) -> bool {
        rows <= rows512::FEW
    }

    #[inline(always)]
    unsafe fn two_tiles(self, tiles: [&Tile<bf16>; 2]) {
        // SAFETY: as above.
        unsafe { two_tiles(tiles) }
    }
}

/// Place of weight `(k, column)` in a strip of pairs: for every 32 of K two tiles of `(16 pairs, 16 columns, 2)`.
pub(super) fn pair_index(k: usize, column: usize) -> usize {
    let (line, k) = (k / LINE, k % LINE);
    let (tile, column) = (column / 16, column % 16);
    line * LINE * STRIP + tile * LINE * 16 + (k / 2) * LINE + column * 2 + k % 2
}

tile_by_rows!("avx512f,avx512bf16", bf16, LINE, step);

/// Thirty-two columns of K, in pairs.
///
/// # Safety
/// `a` is readable for R lines of 32, each of `b` for 32 rows of 32; pairs are 4-byte aligned in a line.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn step<const R: usize, const S: usize, const N: bool>(
    a: *const bf16,
    b: [*const bf16; S],
    sums: &mut [[[__m512; 2]; S]; R],
) {
    sixteen!(PAIR, {
        if N {
            for b in b {
                let near = b.wrapping_add(PAIR * 2 * LINE).cast::<u8>().wrapping_add(NEAR);
                fetch(near);
                fetch(near.wrapping_add(64));
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            let b = b.map(|b| -> [__m512bh; 2] {
                [
                    transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.add(PAIR * LINE).cast())),
                    transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.add(LINE * 16 + PAIR * LINE).cast())),
                ]
            });
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = a.add(r * LINE + PAIR * 2).cast::<i32>().read_unaligned();
                let a: __m512bh = transmute(_mm512_set1_epi32(a));
                for (sums, b) in sums.iter_mut().zip(b) {
                    sums[0] = _mm512_dpbf16_ps(sums[0], a, b[0]);
                    sums[1] = _mm512_dpbf16_ps(sums[1], a, b[1]);
                }
            }
        }
    });
}
