//! f32 without any instruction set's help: the fallback of every architecture.

use super::super::isa::Portable;
use super::{F32Tile, PANEL, STRIP, Tile};

impl F32Tile for Portable {
    unsafe fn tile(self, tile: &Tile<f32>) {
        for row in 0..tile.rows {
            let mut sums = [0.0f32; STRIP];
            for k in 0..tile.columns {
                // SAFETY: `k` is below `columns` and `row` below 16, so both reads are inside the operands that the
                // caller vouches for.
                let (a, b) = unsafe {
                    let line = tile.a.add((k / PANEL) * PANEL * PANEL + row * PANEL);
                    (*line.add(k % PANEL), &*tile.b.add(k * STRIP).cast::<[f32; STRIP]>())
                };
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
            // SAFETY: `row` is below `rows`, for which C is writable.
            let c = unsafe { &mut *tile.c.add(row * STRIP).cast::<[f32; STRIP]>() };
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = if tile.accumulate { *c + sum } else { sum };
            }
        }
    }
}
