//! `D = epilogue(A · Wᵀ + bias)`, a strip of 32 output columns at a time.
//!
//! For each strip, K goes in chunks whose weights stay in L1 while all candidates of the block pass by; C, the
//! block's 32 columns of sums, waits between chunks in L1 or L2. The last chunk's sums go through the epilogue right
//! away, one call late, so that the tile or FMA unit is already at the next candidates' products.
//!
//! Where a split lets a part of K be computed once a request, a strip starts with that part: the rows of the requests
//! are multiplied by it, then the candidates by the rest, and the epilogue adds what each candidate takes of its
//! request's sums.

use std::ops::Range;

use super::element::Element;
use super::epilogue::{self, Taken};
use super::isa::{Isa, Work};
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
    /// Rows of requests, and how many the workspace holds; looked at where [`GemmOp::once`] is.
    pub(super) requests: (Operand, usize),
}

/// Computes columns of `strips` for some candidates of a workspace: whole panels, but for the last.
///
/// # Safety
/// - Operands lie in the workspace, `rows` inside its capacity; the input (and what it is multiplied by) is
///   written, and so are the rows of requests and every candidate's terms where the product has such a part.
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
    let Scratch { sums, request_sums, a, b, .. } = scratch;
    let (sums, request_sums) = (sums.as_mut_slice(), request_sums.as_mut_slice());
    let mut wide = Wide { a: a.as_mut_slice(), b: b.as_mut_slice() };
    for strip in strips {
        let weights = &product.weights[op.weights + strip * STRIP * op.depth..][..STRIP * op.depth];
        let taken = op.once.as_ref().map(|once| {
            let (operand, count) = product.requests;
            let (normed, plain) = request_sums.split_at_mut(request_sums.len() / 2);
            let end = once.normed + once.plain;
            // What rounding cut off the normed columns lies behind the row, and meets the same weights.
            let cut = if operand.columns > end { once.normed } else { 0 };
            let parts = [(0..once.normed, 0), (0..cut, end), (once.normed..end, 0)];
            for (part, (columns, shift)) in parts.into_iter().enumerate() {
                let sums = if part < 2 { &mut *normed } else { &mut *plain };
                let (rows, accumulate) = (0..count, part == 1);
                let sweep = Sweep { kernel, workspace, operand, shift, weights, columns, rows, accumulate };
                // SAFETY: the rows of requests are a matrix of the workspace of no more rows than candidates, and
                // written; the session is the caller's.
                unsafe { sweep.run(sums, &mut wide, |_, _| {}) };
            }
            Taken { once, normed: &*normed, plain: &*plain }
        });
        let first = op.once.as_ref().map_or(0, |once| once.normed + once.plain);
        let (operand, columns) = (product.input, first..op.depth);
        let (rows, accumulate) = (rows.clone(), false);
        let sweep = Sweep { kernel, workspace, operand, shift: 0, weights, columns, rows, accumulate };
        // SAFETY: the caller's promises about the input and the output; the session is the caller's.
        unsafe {
            sweep.run(sums, &mut wide, |rows, sums| {
                epilogue::store(kernel, product, workspace, strip, rows, sums, taken.as_ref());
            });
        }
    }
}

/// Room for widened chunks.
struct Wide<'a, O> {
    a: &'a mut [O],
    b: &'a mut [O],
}

/// Rows of an operand against some of K of one strip.
struct Sweep<'a, K: Kernel> {
    kernel: K,
    workspace: &'a Workspace<K::Stored>,
    operand: Operand,
    /// Column of the operand that meets column 0 of K.
    shift: usize,
    /// The strip: all of K.
    weights: &'a [K::Stored],
    columns: Range<usize>,
    rows: Range<usize>,
    /// Whether the sums hold something already.
    accumulate: bool,
}

impl<K: Kernel> Sweep<'_, K> {
    /// Sums, (rows, 32), with `ready` told of rows whose sums are complete, one call late.
    ///
    /// # Safety
    /// The operand lies in the workspace, these rows and columns of it are written; a session of this thread lives.
    #[inline(always)]
    unsafe fn run(
        self,
        sums: &mut [f32],
        wide: &mut Wide<'_, K::Operand>,
        mut ready: impl FnMut(Range<usize>, &[f32]),
    ) {
        let Self { kernel, workspace, operand: from, shift, weights, columns: all, rows, accumulate } = self;
        let step = PANEL * K::PANELS;
        if rows.is_empty() || all.is_empty() {
            return;
        }
        let chunks = all.len().div_ceil(K::chunk(rows.len()));
        let chunk = (all.len() / STRIP).div_ceil(chunks) * STRIP;
        assert_eq!(rows.start % step, 0, "rows start where a call does");
        assert!(sums.len() >= rows.end.next_multiple_of(step) * STRIP, "sums for every row");
        for start in all.clone().step_by(chunk) {
            let columns = chunk.min(all.end - start);
            let own = &weights[start * STRIP..(start + columns) * STRIP];
            let b = operand::<K, STRIP>(kernel, own, wide.b);
            let last = start + columns == all.end;
            // The next chunk's weights follow this chunk's, in this strip or the next.
            let ahead = own.as_ptr_range().end.cast::<u8>();
            let ahead_lines =
                (columns * STRIP * size_of::<K::Stored>() / 64).div_ceil(rows.len().div_ceil(step));
            for (call, row) in rows.clone().step_by(step).enumerate() {
                let at = workspace.panel(from, row / PANEL) + (shift + start) * PANEL;
                let take = step.min(rows.end - row);
                // SAFETY: `at` is inside the operand's panel and the chunk inside its columns; a second panel is
                // there when rows go beyond the first, because the capacity is whole panels.
                let a = unsafe { std::slice::from_raw_parts(workspace.elements.at(at), columns * PANEL) };
                let tile = Tile {
                    a: operand::<K, PANEL>(kernel, a, wide.a),
                    panel_stride: from.matrix_columns * PANEL,
                    b,
                    columns,
                    c: sums[row * STRIP..].as_mut_ptr(),
                    rows: take,
                    accumulate: accumulate || start > all.start,
                    ahead: ahead.wrapping_add(call * ahead_lines * 64),
                    ahead_lines,
                };
                // SAFETY: A and B as above, widened chunks have the same extent; C has whole calls of rows (asserted).
                // The session is the caller's.
                unsafe { kernel.tile(&tile) };
                if last && row > rows.start {
                    ready(row - step..row, sums);
                }
            }
            if last {
                let row = (rows.end - 1) / step * step;
                ready(row..rows.end, sums);
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
    kernel.isa().run(Widen::<K, W> { chunk, into: scratch.as_mut_ptr().cast() });
    scratch.as_ptr()
}

/// Widens a chunk.
struct Widen<'a, K: Kernel, const W: usize> {
    chunk: &'a [K::Stored],
    /// Room for as many f32.
    into: *mut [f32; 16],
}

impl<K: Kernel, const W: usize> Work for Widen<'_, K, W> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let line = K::Stored::LINE;
        for (at, from) in self.chunk.chunks_exact(16).enumerate() {
            let from: &[K::Stored; 16] = from.try_into().unwrap_or_else(|_| unreachable!("sixteen"));
            // A's lines hold two runs of 16 columns of one candidate; f32 lines hold one.
            let to = if W == PANEL && line == 32 {
                let (tile, run) = (at / (2 * PANEL), at % (2 * PANEL));
                tile * 2 * PANEL + run % 2 * PANEL + run / 2
            } else {
                at
            };
            // SAFETY: `to` is a permutation of the chunk's runs, all inside `into`: `operand` asserted its room.
            unsafe { *self.into.add(to) = K::Stored::widen::<K::Isa>(from) };
        }
    }
}
