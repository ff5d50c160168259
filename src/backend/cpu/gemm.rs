//! `D = epilogue(A · Wᵀ + bias)`, a strip of 32 output columns at a time.
//!
//! For each strip, K goes in chunks whose weights stay in L1 while all candidates of the block pass by; C, the
//! block's 32 columns of sums, waits between chunks in L1 or L2. The last chunk's sums go through the epilogue right
//! away, one call late, so that the tile or FMA unit is already at the next candidates' products. Where a layer norm
//! follows, C is made where the norm will read it, and nothing is stored twice.
//!
//! Where the candidates' rows are more than L2 holds, K goes in parts first: many strips against one part, then against
//! the next, and the weights are still read once.
//!
//! Where a split lets a part of K be computed once a request, a strip starts with that part: the rows of the requests
//! are multiplied by it, then the candidates by the rest, and the epilogue adds what each candidate takes of its
//! request's sums.

use std::ops::Range;
use std::ptr;

use super::element::Element;
use super::epilogue::{self, Taken};
use super::few::{Few, gather};
use super::isa::{Isa, Work};
use super::layout::Operand;
use super::micro::{Kernel, PANEL, STRIP, Tile};
use super::panel::Workspace;
use super::program::{GemmEpilogue, GemmOp, Once};
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
    /// First column of the sums that wait for a norm.
    pub(super) waiting: usize,
    /// Rows of requests, and how many the workspace holds; looked at where [`GemmOp::once`] is.
    pub(super) requests: (Operand, usize),
}

/// Computes columns of `strips` for the workspace's first `rows` candidates. `resident` is how many elements of A
/// stay in cache.
///
/// # Safety
/// - Operands lie in the workspace, `rows` inside its capacity; the input (and what it is multiplied by) is
///   written, and so are the rows of requests and every candidate's terms where the product has such a part.
/// - No other thread uses these columns of the output, or of the sums that wait for a norm.
pub(super) unsafe fn strips<K: Kernel>(
    kernel: K,
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    strips: Range<usize>,
    rows: usize,
    resident: usize,
    scratch: &mut Scratch<K::Operand>,
) {
    let op = product.op;
    let Scratch { sums, request_sums, a, b, few, .. } = scratch;
    let (sums, request_sums) = (sums.as_mut_slice(), request_sums.as_mut_slice());
    let mut wide = Wide { a: a.as_mut_slice(), b: b.as_mut_slice() };
    let first = op.once.as_ref().map_or(0, |once| once.normed + once.plain);
    // SAFETY: the caller's promise about the input.
    let few = unsafe { gather::<K>(workspace, product.input, first..op.depth, rows, few.as_mut_slice()) };
    let chunk = chunk_of::<K>(op.depth - first, rows);
    let part = part_of(op.depth - first, rows, chunk, resident);
    // A strip's sums, and one row more, so that the same candidate's sums of many strips lie in different sets.
    let room = (rows.next_multiple_of(PANEL) + 1) * STRIP;
    let waits = matches!(op.epilogue, GemmEpilogue::LayerNorm(..));
    // Two strips side by side, where the kernel gains by it and nothing has to be made for each first.
    let two = op.once.is_none() && K::takes_two(rows);
    let group = match part < op.depth - first {
        true if waits => strips.len(),
        true => (sums.len() / room).max(1),
        false => 1 + usize::from(two),
    };
    assert!(sums.len() >= room - STRIP, "sums for every row");
    for from in strips.clone().step_by(group.max(1)) {
        let group = from..strips.end.min(from + group.max(1));
        for start in (first..op.depth).step_by(part) {
            let columns = start..op.depth.min(start + part);
            let last = columns.end == op.depth;
            let mut sums_of = |strip: usize| match waits {
                // SAFETY: the product's own columns of what waits, inside the capacity.
                true => unsafe { workspace.waiting(product.waiting + strip * STRIP) },
                false => sums[(strip - from) * room..].as_mut_ptr(),
            };
            let weights_of =
                |strip: usize| &product.weights[op.weights + strip * STRIP * op.depth..][..STRIP * op.depth];
            let mut strip = group.start;
            while strip < group.end {
                let pair = two && strip + 1 < group.end;
                // Of many strips' sums the next are not in L2; those of the first strip are added to in the next part.
                let next = if strip + 1 < group.end { strip + 1 } else { group.start };
                let next_sums = if next == strip { ptr::null() } else { sums_of(next).cast_const() };
                let sweep = Sweep {
                    kernel,
                    workspace,
                    operand: product.input,
                    shift: 0,
                    few,
                    columns: columns.clone(),
                    chunk,
                    rows,
                    accumulate: start > first,
                    next_sums,
                };
                let taken = op.once.as_ref().filter(|_| last).map(|once| {
                    // SAFETY: the caller's promise about the rows of requests.
                    unsafe {
                        take(kernel, product, workspace, weights_of(strip), once, request_sums, &mut wide)
                    }
                });
                let ready = |which: usize, rows, sums: &mut [f32]| {
                    if last {
                        let taken = taken.as_ref();
                        // SAFETY: the caller's promises about the output; these sums are complete.
                        unsafe {
                            epilogue::store(kernel, product, workspace, strip + which, rows, sums, taken);
                        }
                    }
                };
                // SAFETY: the caller's promises about the input and the output; the session is the caller's. The sums
                // are this thread's: whole panels of rows of scratch, at most a group's strips of them, or of what
                // waits.
                unsafe {
                    if pair {
                        let both = [strip, strip + 1];
                        sweep.run(both.map(weights_of), both.map(&mut sums_of), &mut wide, ready);
                    } else {
                        sweep.run([weights_of(strip)], [sums_of(strip)], &mut wide, ready);
                    }
                }
                strip += 1 + usize::from(pair);
            }
        }
    }
}

/// Sums of a strip for the rows of requests.
///
/// # Safety
/// The rows of requests are a matrix of the workspace of no more rows than candidates, and written; a session of this
/// thread lives.
unsafe fn take<'a, K: Kernel>(
    kernel: K,
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    weights: &[K::Stored],
    once: &'a Once,
    sums: &'a mut [f32],
    wide: &mut Wide<'_, K::Operand>,
) -> Taken<'a> {
    let (operand, rows) = product.requests;
    let (normed, plain) = sums.split_at_mut(sums.len() / 2);
    assert!(plain.len() >= rows.next_multiple_of(PANEL) * STRIP, "sums for every row of a request");
    let end = once.normed + once.plain;
    // What rounding cut off the normed columns lies behind the row, and meets the same weights.
    let cut = if operand.columns > end { once.normed } else { 0 };
    let parts = [(0..once.normed, 0), (0..cut, end), (once.normed..end, 0)];
    for (part, (columns, shift)) in parts.into_iter().enumerate() {
        let sums = if part < 2 { normed.as_mut_ptr() } else { plain.as_mut_ptr() };
        let accumulate = part == 1;
        let chunk = chunk_of::<K>(columns.len(), rows);
        let sweep = Sweep {
            kernel,
            workspace,
            operand,
            shift,
            few: None,
            columns,
            chunk,
            rows,
            accumulate,
            next_sums: ptr::null(),
        };
        // SAFETY: the caller's promise; the sums have room for whole panels of these rows (asserted).
        unsafe { sweep.run([weights], [sums], wide, |_, _, _| {}) };
    }
    Taken { once, normed, plain }
}

/// Sums that wait for their next part of K: 32 strips of 384 candidates. They go through L3, and the more they are, the
/// less often a part of A comes from there.
pub(super) const GROUP_SUMS: usize = 32 * 385 * STRIP;

/// Columns of K that one call takes.
pub(super) fn chunk_of<K: Kernel>(columns: usize, rows: usize) -> usize {
    let chunks = columns.div_ceil(K::chunk(rows)).max(1);
    (columns / STRIP).div_ceil(chunks) * STRIP
}

/// Columns of K, whole chunks, of which `resident` elements hold all rows.
fn part_of(columns: usize, rows: usize, chunk: usize, resident: usize) -> usize {
    let parts = (columns * rows).div_ceil(resident).max(1);
    (columns.div_ceil(chunk.max(1)).div_ceil(parts) * chunk).max(STRIP)
}

/// Room for widened chunks.
struct Wide<'a, O> {
    a: &'a mut [O],
    b: &'a mut [O],
}

/// Rows of an operand against some of K.
struct Sweep<'a, K: Kernel> {
    kernel: K,
    workspace: &'a Workspace<K::Stored>,
    operand: Operand,
    /// Column of the operand that meets column 0 of K.
    shift: usize,
    /// The operand's rows where few were gathered.
    few: Option<Few<K::Operand>>,
    columns: Range<usize>,
    /// Columns that one call takes.
    chunk: usize,
    rows: usize,
    /// Whether the sums hold something already.
    accumulate: bool,
    /// The next strip's sums, where they should be fetched; else null.
    next_sums: *const f32,
}

impl<K: Kernel> Sweep<'_, K> {
    /// Sums of one strip or two that follow one another, whose weights are given with all of K; (rows, 32) each.
    /// `ready` is told of which strip's rows have complete sums over these columns, one call late.
    ///
    /// # Safety
    /// The operand lies in the workspace, these rows and columns of it are written; `sums` are this thread's for
    /// 32 · rows floats each, rounded up to whole panels; a session of this thread lives. Two are for a kernel that
    /// [takes two](Kernel::takes_two).
    #[inline(always)]
    unsafe fn run<const S: usize>(
        self,
        weights: [&[K::Stored]; S],
        sums: [*mut f32; S],
        wide: &mut Wide<'_, K::Operand>,
        mut ready: impl FnMut(usize, Range<usize>, &mut [f32]),
    ) {
        let Self { kernel, workspace, operand, shift, few, columns: all, chunk, rows, accumulate, next_sums } =
            self;
        let step = PANEL * K::PANELS;
        if rows == 0 || all.is_empty() {
            return;
        }
        for start in all.clone().step_by(chunk) {
            let columns = chunk.min(all.end - start);
            let b = weights.map(|own| {
                widened::<K, STRIP>(kernel, &own[start * STRIP..(start + columns) * STRIP], wide.b)
            });
            let last = start + columns == all.end;
            // The next chunk's weights follow this chunk's, in this strip or in the one that will be read in its place.
            let next =
                if last { all.start * STRIP + S * weights[0].len() } else { (start + columns) * STRIP };
            let ahead = weights.map(|own| own.as_ptr().wrapping_add(next).cast::<u8>());
            let ahead_lines = (columns * STRIP * size_of::<K::Stored>() / 64).div_ceil(rows.div_ceil(step));
            for (call, row) in (0..rows).step_by(step).enumerate() {
                let take = step.min(rows - row);
                let (a, line_stride) = match &few {
                    Some(few) => {
                        // SAFETY: the lines of these columns lie behind those of the columns before them.
                        let a = unsafe { few.lines.add((start - few.first) * rows) };
                        (a, rows * K::Stored::LINE)
                    }
                    None => {
                        let at = workspace.panel(operand, row / PANEL) + (shift + start) * PANEL;
                        // SAFETY: `at` is inside the operand's panel and the chunk inside its columns; a second panel
                        // is there when rows go beyond the first, because the capacity is whole panels.
                        let a =
                            unsafe { std::slice::from_raw_parts(workspace.elements.at(at), columns * PANEL) };
                        (widened::<K, PANEL>(kernel, a, wide.a), PANEL * K::Operand::LINE)
                    }
                };
                let tiles: [Tile<K::Operand>; S] = std::array::from_fn(|which| Tile {
                    a,
                    panel_stride: operand.matrix_columns * PANEL,
                    line_stride,
                    b: b[which],
                    columns,
                    // SAFETY: `row` is below `rows`, for which the sums have room.
                    c: unsafe { sums[which].add(row * STRIP) },
                    rows: take,
                    accumulate: accumulate || start > all.start,
                    ahead: ahead[which].wrapping_add(call * ahead_lines * 64),
                    ahead_lines,
                    next_c: if last && !next_sums.is_null() {
                        next_sums.wrapping_add(row * STRIP)
                    } else {
                        ptr::null()
                    },
                });
                // SAFETY: A and B as above, widened chunks have the same extent; C is the caller's promise, and so is
                // the session. The slices end before the rows of this call.
                unsafe {
                    match tiles.as_slice() {
                        [one, two] => kernel.two_tiles([one, two]),
                        tiles => tiles.iter().for_each(|tile| kernel.tile(tile)),
                    }
                    if last && row > 0 {
                        for (which, &sums) in sums.iter().enumerate() {
                            let sums = std::slice::from_raw_parts_mut(sums, row * STRIP);
                            ready(which, row - step..row, sums);
                        }
                    }
                }
            }
            if last {
                let row = (rows - 1) / step * step;
                for (which, &sums) in sums.iter().enumerate() {
                    // SAFETY: the sums have room for all rows, the caller's promise.
                    ready(which, row..rows, unsafe { std::slice::from_raw_parts_mut(sums, rows * STRIP) });
                }
            }
        }
    }
}

/// A chunk as the kernel reads it: itself, or widened into `scratch`. `W` is the rows of A or the columns of B that
/// lie side by side.
#[inline(always)]
fn widened<K: Kernel, const W: usize>(
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
            // SAFETY: `to` is a permutation of the chunk's runs, all inside `into`: `widened` asserted its room.
            unsafe { *self.into.add(to) = K::Stored::widen::<K::Isa>(from) };
        }
    }
}
