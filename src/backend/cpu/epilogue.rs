//! What happens to a strip of sums before it is stored: the request's part of them added, `scale · sum + bias`, then
//! ReLU or the mask product. In registers, two runs of 16 columns a candidate. Sums that wait for a layer norm stay
//! where they are; scale, bias and norm come when a row's are complete.

use std::ops::Range;

use super::element::Element;
use super::gemm::Product;
use super::isa::{Isa, Work};
use super::micro::{Kernel, PANEL, STRIP, fetch};
use super::norm::RowNorm;
use super::panel::Workspace;
use super::program::{GemmEpilogue, Once};

/// Sums of one strip for the rows of requests.
pub(super) struct Taken<'a> {
    pub(super) once: &'a Once,
    /// Over the normed columns, (requests, 32).
    pub(super) normed: &'a [f32],
    /// Over the plain columns, (requests, 32).
    pub(super) plain: &'a [f32],
}

/// Sums of one strip, (candidates, 32), to the output's columns.
///
/// # Safety
/// - `rows` starts at a panel and is inside the workspace; what the output is multiplied by is written, and so are the
///   candidates' terms where a part of the sums is their request's.
/// - No other thread uses these columns of the output.
pub(super) unsafe fn store<K: Kernel>(
    kernel: K,
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    strip: usize,
    rows: Range<usize>,
    sums: &mut [f32],
    taken: Option<&Taken<'_>>,
) {
    // Which form runs is decided once a strip, not once a run.
    // SAFETY: the caller's promise.
    unsafe {
        match taken {
            None => store_with(kernel, product, workspace, strip, rows, sums, Nothing),
            Some(taken) => store_with(kernel, product, workspace, strip, rows, sums, taken),
        }
    }
}

/// What sums get before anything else happens to them.
trait Add: Copy {
    /// Whether there is anything to add.
    const ADDS: bool = true;

    /// Adds to sixteen columns of a strip of one candidate.
    ///
    /// # Safety
    /// The candidate's terms are written, where there are any.
    unsafe fn add<K: Kernel>(
        self,
        workspace: &Workspace<K::Stored>,
        strip: usize,
        at: Run,
        sums: &mut [f32; 16],
    );
}

#[derive(Clone, Copy)]
struct Nothing;

impl Add for Nothing {
    const ADDS: bool = false;

    #[inline(always)]
    unsafe fn add<K: Kernel>(self, _: &Workspace<K::Stored>, _: usize, _: Run, _: &mut [f32; 16]) {}
}

impl Add for &Taken<'_> {
    #[inline(always)]
    unsafe fn add<K: Kernel>(
        self,
        workspace: &Workspace<K::Stored>,
        strip: usize,
        at: Run,
        sums: &mut [f32; 16],
    ) {
        // SAFETY: one entry a candidate of the workspace; the caller's promise.
        let terms = unsafe { *workspace.terms.at(at.panel * PANEL + at.row) };
        let start = terms.request as usize * STRIP + at.run * 16;
        if self.once.plain > 0 {
            let plain = &self.plain[start..start + 16];
            sums.iter_mut().zip(plain).for_each(|(v, plain)| *v += plain);
        }
        if self.once.normed > 0 {
            let normed = &self.normed[start..start + 16];
            let center = &self.once.center[strip * STRIP + at.run * 16..][..16];
            for ((v, normed), center) in sums.iter_mut().zip(normed).zip(center) {
                *v = K::Isa::mul_add(terms.scale, *normed, *v);
                *v = K::Isa::mul_add(terms.offset, *center, *v);
            }
        }
    }
}

/// [`store`], whatever is added to the sums first.
///
/// # Safety
/// As [`store`].
unsafe fn store_with<K: Kernel>(
    kernel: K,
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    strip: usize,
    rows: Range<usize>,
    sums: &mut [f32],
    add: impl Add,
) {
    kernel.isa().run(Store::<K, _> { product, workspace, strip, rows, sums, add });
}

/// [`store_with`], whose promises are those of whoever makes one.
struct Store<'a, K: Kernel, A> {
    product: &'a Product<'a, K::Stored>,
    workspace: &'a Workspace<K::Stored>,
    strip: usize,
    rows: Range<usize>,
    sums: &'a mut [f32],
    add: A,
}

impl<K: Kernel, A: Add> Work for Store<'_, K, A> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { product, workspace, strip, rows, sums, add } = self;
        let output = product.output;
        let column = strip * STRIP;
        // SAFETY: `runs` visits the strip's own columns of `rows`, all inside the operands; the caller's promise.
        unsafe {
            match &product.op.epilogue {
                GemmEpilogue::Bias => runs::<K>(product, workspace, strip, rows, sums, add, |v, at| {
                    workspace.store_at::<K::Isa>(at.index::<K::Stored>(workspace, output, column), v);
                }),
                GemmEpilogue::Relu => runs::<K>(product, workspace, strip, rows, sums, add, |v, at| {
                    // Not `max`: a NaN must stay one.
                    let v = v.map(|v| if v < 0.0 { 0.0 } else { v });
                    workspace.store_at::<K::Isa>(at.index::<K::Stored>(workspace, output, column), v);
                }),
                GemmEpilogue::Multiply => {
                    let by = product.by.unwrap_or(output);
                    runs::<K>(product, workspace, strip, rows, sums, add, |mut v, at| {
                        // What the next call's rows are multiplied by.
                        let next = Run { panel: at.panel + K::PANELS, ..at };
                        let next = next.index::<K::Stored>(workspace, by, column);
                        fetch(workspace.elements.at(0).wrapping_add(next).cast());
                        let by = workspace.load_at::<K::Isa>(at.index::<K::Stored>(workspace, by, column));
                        v.iter_mut().zip(by).for_each(|(v, by)| *v *= by);
                        workspace.store_at::<K::Isa>(at.index::<K::Stored>(workspace, output, column), v);
                    });
                }
                GemmEpilogue::LayerNorm(..) if A::ADDS => {
                    let (sums, _) = sums[..rows.end * STRIP].as_chunks_mut::<16>();
                    for row in rows {
                        for run in 0..2 {
                            let at = Run { panel: row / PANEL, row: row % PANEL, run };
                            add.add::<K>(workspace, strip, at, &mut sums[2 * row + run]);
                        }
                    }
                }
                GemmEpilogue::LayerNorm(..) => {}
            }
        }
    }
}

/// Sixteen columns of one candidate in a strip.
#[derive(Clone, Copy)]
struct Run {
    panel: usize,
    row: usize,
    run: usize,
}

impl Run {
    /// Element index in a view whose strip starts at `column`.
    #[inline(always)]
    fn index<E: Element>(
        self,
        workspace: &Workspace<E>,
        operand: super::layout::Operand,
        column: usize,
    ) -> usize {
        // The second run is in the same line of halves, or in the next line group of f32.
        let second = if E::LINE == STRIP { 16 } else { 16 * PANEL };
        workspace.panel(operand, self.panel) + column * PANEL + self.row * E::LINE + self.run * second
    }
}

/// Scaled and biased sums, run by run.
///
/// # Safety
/// The rows are inside the workspace, and their terms written where there are any.
#[inline(always)]
unsafe fn runs<K: Kernel>(
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    strip: usize,
    rows: Range<usize>,
    sums: &[f32],
    add: impl Add,
    store: impl Fn([f32; 16], Run),
) {
    let column = strip * STRIP;
    let (scale, _) = product.op.scale[column..column + STRIP].as_chunks::<16>();
    let (bias, _) = product.op.bias[column..column + STRIP].as_chunks::<16>();
    for panel in rows.start / PANEL..rows.end.div_ceil(PANEL) {
        let count = PANEL.min(rows.end - panel * PANEL);
        let (sums, _) = sums[panel * PANEL * STRIP..][..count * STRIP].as_chunks::<16>();
        for (row, sums) in sums.chunks_exact(2).enumerate() {
            for run in 0..2 {
                let mut v = sums[run];
                let at = Run { panel, row, run };
                // SAFETY: the caller's promise.
                unsafe { add.add::<K>(workspace, strip, at, &mut v) };
                for ((v, scale), bias) in v.iter_mut().zip(&scale[run]).zip(&bias[run]) {
                    *v = K::Isa::mul_add(*v, *scale, *bias);
                }
                store(v, at);
            }
        }
    }
}

/// Scales, biases and normalises the rows whose sums wait, and stores them. `room` is a row's length.
///
/// # Safety
/// All strips of these rows are computed, and no other thread uses the rows.
pub(super) unsafe fn finish_norm<K: Kernel>(
    kernel: K,
    product: &Product<'_, K::Stored>,
    workspace: &Workspace<K::Stored>,
    rows: Range<usize>,
    room: &mut [f32],
) {
    if let GemmEpilogue::LayerNorm(norm, width) = &product.op.epilogue {
        kernel.isa().run(Finish::<K> { product, workspace, norm, width: *width, rows, room });
    }
}

/// [`finish_norm`], whose promises are those of whoever makes one.
struct Finish<'a, K: Kernel> {
    product: &'a Product<'a, K::Stored>,
    workspace: &'a Workspace<K::Stored>,
    norm: &'a RowNorm,
    width: usize,
    rows: Range<usize>,
    room: &'a mut [f32],
}

impl<K: Kernel> Work for Finish<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { product, workspace, norm, width, rows, room } = self;
        let (scale, _) = product.op.scale.as_chunks::<STRIP>();
        let (bias, _) = product.op.bias.as_chunks::<STRIP>();
        let (values, _) = room[..product.op.strips * STRIP].as_chunks_mut::<STRIP>();
        for row in rows {
            for (strip, values) in values.iter_mut().enumerate() {
                // SAFETY: the row is inside the strip's waiting sums, and this thread's; the caller's promise.
                let mut sums = unsafe {
                    let strip = workspace.waiting(product.waiting + strip * STRIP);
                    // Strips are far apart, which no hardware foresees: the row after the next is asked for.
                    let after = strip.wrapping_add((row + 2) * STRIP).cast::<u8>();
                    fetch(after);
                    fetch(after.wrapping_add(64));
                    // A copy: of references to all three the compiler makes single values, lest one be to another's.
                    *strip.add(row * STRIP).cast::<[f32; STRIP]>()
                };
                let (scale, bias) = (scale[strip], bias[strip]);
                for ((v, scale), bias) in sums.iter_mut().zip(scale).zip(bias) {
                    *v = K::Isa::mul_add(*v, scale, bias);
                }
                *values = sums;
            }
            let values = values.as_flattened_mut();
            norm.apply::<K::Isa>(&mut values[..width]);
            values[width..].fill(0.0);
            for (run, values) in values.as_chunks::<16>().0.iter().enumerate() {
                // SAFETY: inside the output's columns; the rows are this thread's.
                unsafe { workspace.store::<K::Isa>(product.output, row, run * 16, values) };
            }
        }
    }
}
