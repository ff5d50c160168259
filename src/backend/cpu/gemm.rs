//! `D = epilogue(A · Wᵀ + bias)`, a strip of 32 output columns at a time.
//!
//! For each strip, K goes in chunks whose weights stay in L1 while all candidates of the block pass by; C, the
//! block's 32 columns of sums, waits between chunks in L1 or L2. The last chunk's sums go through the epilogue right
//! away, one call late, so that the tile or FMA unit is already at the next candidates' products.

use std::ops::Range;

use super::element::Element;
use super::epilogue;
use super::isa::Isa;
use super::layout::Operand;
use super::micro::{Kernel, PANEL, STRIP, Tile};
use super::panel::Workspace;
use super::program::GemmOp;
use super::scratch::Scratch;

/// One product's operands in a workspace.
#[derive(Clone, Copy)]
pub(super) struct Product<'a, E> {
    pub(super) op: &'a GemmOp,
    /// All strips of the program.
    pub(super) weights: &'a [E],
    pub(super) input: Operand,
    pub(super) output: Operand,
    pub(super) by: Option<Operand>,
    /// First f32 column of the rows that wait for a norm.
    pub(super) waiting: usize,
}

/// Computes columns of `strips` for some candidates of a workspace: whole panels, but for the last.
///
/// # Safety
/// - Operands lie in the workspace, `rows` inside its capacity; the input (and what it is multiplied by) is
///   written.
/// - No other thread uses these columns of the output, or of the rows that wait.
pub(super) unsafe fn strips<K: Kernel>(
    kernel: K,
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    strips: Range<usize>,
    rows: Range<usize>,
    scratch: &mut Scratch<K::Operand>,
) {
    let op = product.op;
    let step = PANEL * K::PANELS;
    let chunks = op.depth.div_ceil(K::CHUNK).max(1);
    let chunk = (op.depth / STRIP).div_ceil(chunks) * STRIP;
    let Scratch { sums, a: wide_a, b: wide_b, .. } = scratch;
    let (sums, wide_a, wide_b) = (sums.as_mut_slice(), wide_a.as_mut_slice(), wide_b.as_mut_slice());
    assert_eq!(rows.start % step, 0, "rows start where a call does");
    assert!(sums.len() >= rows.end.next_multiple_of(step) * STRIP, "sums for every candidate");
    for strip in strips {
        let weights = &product.weights[op.weights + strip * STRIP * op.depth..][..STRIP * op.depth];
        for start in (0..op.depth).step_by(chunk) {
            let columns = chunk.min(op.depth - start);
            let own = &weights[start * STRIP..(start + columns) * STRIP];
            let b = operand::<K, STRIP>(kernel, own, wide_b);
            let last = start + columns == op.depth;
            // The next chunk's weights follow this chunk's, in this strip or the next.
            let ahead = own.as_ptr_range().end.cast::<u8>();
            let ahead_lines =
                (columns * STRIP * size_of::<K::Stored>() / 64).div_ceil(rows.len().div_ceil(step));
            for (call, row) in rows.clone().step_by(step).enumerate() {
                let first = workspace.panel(product.input, row / PANEL) + start * PANEL;
                let take = step.min(rows.end - row);
                // SAFETY: `first` is inside the input's panel and the chunk inside its columns; a second panel is
                // there when rows go beyond the first, because the capacity is whole panels.
                let a = unsafe { std::slice::from_raw_parts(workspace.elements.at(first), columns * PANEL) };
                let tile = Tile {
                    a: operand::<K, PANEL>(kernel, a, wide_a),
                    panel_stride: product.input.matrix_columns * PANEL,
                    b,
                    columns,
                    c: sums[row * STRIP..].as_mut_ptr(),
                    rows: take,
                    accumulate: start > 0,
                    ahead: ahead.wrapping_add(call * ahead_lines * 64),
                    ahead_lines,
                };
                // SAFETY: A and B as above, widened chunks have the same extent; C has whole calls of rows (asserted).
                // The session is the caller's.
                unsafe { kernel.tile(&tile) };
                if last && row > rows.start {
                    // SAFETY: the caller's promise about the output.
                    unsafe { epilogue::store(kernel, product, workspace, strip, row - step..row, sums) };
                }
            }
            if last && !rows.is_empty() {
                let row = (rows.end - 1) / step * step;
                // SAFETY: the caller's promise about the output.
                unsafe { epilogue::store(kernel, product, workspace, strip, row..rows.end, sums) };
            }
        }
    }
}

/// A chunk as the kernel reads it: itself, or widened into `scratch`. `W` is the rows of A or the columns of B that
/// lie side by side.
#[inline(always)]
fn operand<K: Kernel, const W: usize>(
    kernel: K,
    chunk: &[K::Stored],
    scratch: &mut [K::Operand],
) -> *const K::Operand {
    if size_of::<K::Stored>() == size_of::<K::Operand>() {
        return chunk.as_ptr().cast();
    }
    assert!(scratch.len() >= chunk.len() && size_of::<K::Operand>() == 4, "room to widen a chunk");
    let into = scratch.as_mut_ptr().cast::<[f32; 16]>();
    let line = K::Stored::LINE;
    kernel.isa().run(|| {
        for (at, from) in chunk.chunks_exact(16).enumerate() {
            let from: &[K::Stored; 16] = from.try_into().unwrap_or_else(|_| unreachable!("sixteen"));
            // A's lines hold two runs of 16 columns of one candidate; f32 lines hold one.
            let to = if W == PANEL && line == 32 {
                let (tile, run) = (at / (2 * PANEL), at % (2 * PANEL));
                tile * 2 * PANEL + run % 2 * PANEL + run / 2
            } else {
                at
            };
            // SAFETY: `to` is a permutation of the chunk's runs, all inside `scratch` (asserted), which is f32.
            unsafe { *into.add(to) = K::Stored::widen::<K::Isa>(from) };
        }
    });
    scratch.as_ptr()
}
