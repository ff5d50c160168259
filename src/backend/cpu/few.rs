//! Few candidates: the weights are read from memory once, and nothing else takes time.

use std::ops::Range;
use std::ptr;

use super::element::Element;
use super::epilogue;
use super::gemm::{Product, chunk_of};
use super::layout::Operand;
use super::micro::{Kernel, PANEL, STRIP, Tile};
use super::panel::Workspace;
use super::program::GemmEpilogue;

/// Lines of a few candidates, side by side, and the column that they begin with.
pub(super) struct Few<O> {
    pub(super) lines: *const O,
    pub(super) first: usize,
    rows: usize,
}

impl<O> Clone for Few<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Few<O> {}

/// Gathers the lines of few candidates out of their panel, which is mostly empty then; none where there are more.
///
/// # Safety
/// The operand lies in the workspace, these rows and columns of it are written.
pub(super) unsafe fn gather<K: Kernel>(
    workspace: &Workspace<K::Stored>,
    operand: Operand,
    columns: Range<usize>,
    rows: usize,
    into: &mut [K::Operand],
) -> Option<Few<K::Operand>> {
    let line = K::Stored::LINE;
    if rows == 0 || rows > K::FEW || !columns.start.is_multiple_of(line) {
        return None;
    }
    assert!(size_of::<K::Stored>() == size_of::<K::Operand>(), "gathered as stored");
    assert!(into.len() >= columns.len() * rows && columns.end.is_multiple_of(line), "room to gather lines");
    for (at, column) in columns.clone().step_by(line).enumerate() {
        let from = workspace.panel(operand, 0) + column * PANEL;
        // SAFETY: `rows` lines of the panel, at most 16, by the caller's promise; room for them was asserted, and both
        // types are the same size, plain numbers.
        unsafe {
            let to = into.as_mut_ptr().add(at * rows * line).cast::<K::Stored>();
            std::ptr::copy_nonoverlapping(workspace.elements.at(from), to, rows * line);
        }
    }
    Some(Few { lines: into.as_ptr(), first: columns.start, rows })
}

/// Two strips at a time, side by side, as long as there are two; returns what is left. `sums` is room for two strips' sums.
///
/// # Safety
/// As [`super::gemm::strips`]; `few` are all rows, and the product has no part that is made once a request.
pub(super) unsafe fn in_twos<K: Kernel>(
    kernel: K,
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    strips: Range<usize>,
    few: &Few<K::Operand>,
    sums: &mut [f32],
) -> Range<usize> {
    let (op, rows) = (product.op, few.rows);
    let waits = matches!(op.epilogue, GemmEpilogue::LayerNorm(..));
    let chunk = chunk_of::<K>(op.depth, rows);
    // Few are one panel.
    let room = PANEL * STRIP;
    assert!(sums.len() >= 2 * room, "sums of two strips");
    let mut left = strips;
    while left.len() >= 2 {
        let pair = [left.start, left.start + 1];
        let weights =
            pair.map(|strip| &product.weights[op.weights + strip * STRIP * op.depth..][..STRIP * op.depth]);
        let sums = pair.map(|strip| match waits {
            // SAFETY: the product's own columns of what waits, inside the capacity.
            true => unsafe { workspace.waiting(product.waiting + strip * STRIP) },
            false => sums[(strip - left.start) * room..].as_mut_ptr(),
        });
        for start in (0..op.depth).step_by(chunk) {
            let columns = chunk.min(op.depth - start);
            let tile = |which: usize| Tile {
                // SAFETY: the lines of these columns lie behind those of the columns before them.
                a: unsafe { few.lines.add(start * rows) },
                panel_stride: 0,
                line_stride: rows * K::Stored::LINE,
                // Gathered as stored: both types are the same.
                b: weights[which][start * STRIP..(start + columns) * STRIP].as_ptr().cast(),
                columns,
                c: sums[which],
                rows,
                accumulate: start > 0,
                ahead: ptr::null(),
                ahead_lines: 0,
                next_c: ptr::null(),
            };
            // SAFETY: the caller's promise; the sums have room for a whole panel of each strip.
            unsafe { kernel.two_tiles(&[tile(0), tile(1)]) };
        }
        for (strip, sums) in pair.into_iter().zip(sums) {
            // SAFETY: the sums of these rows were just made; the output's columns are the caller's.
            unsafe {
                let sums = std::slice::from_raw_parts_mut(sums, rows * STRIP);
                epilogue::store(kernel, product, workspace, strip, 0..rows, sums, None);
            }
        }
        left.start += 2;
    }
    left
}
