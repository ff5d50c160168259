//! Raw feature columns to `x`, a candidate at a time.
//!
//! A thread keeps one dense row and one `x` row. What a request gives once (its own columns, transformed, and its
//! embeddings, normalised) stays in them while the request's candidates pass by; a candidate overwrites its own
//! columns only. Norms are taken over the whole row for every candidate, so the split never changes a bit of `x`.
//!
//! Where a plan computes products of a request's columns once ([`crate::plan::Reuse`]), the thread that meets a request
//! first in a workspace also writes the request's own row, and each candidate's terms are written beside its `x`.

use std::marker::PhantomData;
use std::ops::Range;

use crate::batch::{Batch, Binary, Columns, Features, Split};
use crate::plan::{Plan, Reuse};
use crate::scores::Status;

use super::element::Element;
use super::isa::{Isa, Work};
use super::layout::Operand;
use super::log1p::signed_log1p;
use super::memory::Shared;
use super::norm::{RowNorm, mean_and_variance};
use super::panel::{RowTerms, Workspace};

/// Consecutive columns of a row, and where they lie in what the caller gives.
#[derive(Clone, Copy, Debug)]
struct Piece {
    into: usize,
    from: usize,
    len: usize,
}

/// The columns that one part of a request gives, and the widths of its rows.
#[derive(Clone, Debug, Default)]
struct Part {
    continuous: Vec<Piece>,
    continuous_width: usize,
    binary: Vec<Piece>,
    binary_width: usize,
    embeddings: [bool; 3],
}

#[derive(Clone, Debug)]
struct Embedding {
    column: usize,
    width: usize,
    norm: RowNorm,
}

/// The featurization of a plan under a split.
#[derive(Debug)]
pub(super) struct Featurizer {
    batch_norm: Option<(Vec<f32>, Vec<f32>)>,
    min_value: f32,
    max_value: f32,
    layer_norm: Option<RowNorm>,
    embeddings: [Option<Embedding>; 3],
    continuous: usize,
    dense: usize,
    input_dim: usize,
    once: Part,
    each: Part,
    ordered: Option<Ordered>,
}

/// `x` and the rows of requests in the order of a plan with reuse.
#[derive(Debug)]
struct Ordered {
    /// From the model's order to that of `x`.
    x: Vec<Piece>,
    /// From the model's order to a request's row: columns under the feature norm, before that norm.
    normed: Vec<Piece>,
    /// (normed columns)
    gamma: Vec<f32>,
    /// From the model's order to a request's row: columns that are the same for all candidates.
    plain: Vec<Piece>,
}

impl Ordered {
    /// `dense` is where the embeddings begin: pieces end there, because rows of both are kept apart.
    fn new(reuse: &Reuse, dense: usize) -> Self {
        let runs = |columns: Range<usize>| {
            let mut pieces: Vec<Piece> = Vec::new();
            for into in columns {
                let from = reuse.order[into];
                match pieces.last_mut() {
                    Some(last) if last.from + last.len == from && from != dense => last.len += 1,
                    _ => pieces.push(Piece { into, from, len: 1 }),
                }
            }
            pieces
        };
        Self {
            x: runs(0..reuse.order.len()),
            normed: runs(0..reuse.normed),
            gamma: reuse.gamma.iter().map(|&gamma| gamma as f32).collect(),
            plain: runs(reuse.normed..reuse.columns()),
        }
    }
}

/// A thread's rows of scratch: the widest row, a row of continuous and binary features, and, where there is an order
/// of `x`, one of the widest row's length more.
pub(super) struct RowScratch<'a> {
    pub(super) row: &'a mut [f32],
    pub(super) dense: &'a mut [f32],
    pub(super) ordered: &'a mut [f32],
}

impl Featurizer {
    pub(super) fn new(plan: &Plan, split: &Split) -> Self {
        let (step, widths) = (plan.featurize(), plan.widths);
        let narrow = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let mut column = widths.dense();
        let mut embeddings = [None, None, None];
        for (i, (width, norm)) in widths.embeddings().into_iter().zip(&step.embeddings).enumerate() {
            if width > 0 {
                let norm = norm.as_ref().map(RowNorm::new).unwrap_or_default();
                embeddings[i] = Some(Embedding { column, width, norm });
            }
            column += width;
        }
        let (continuous_once, continuous_each) = pieces(&split.continuous, widths.continuous, 0);
        let (binary_once, binary_each) = pieces(&split.binary, widths.binary, widths.continuous);
        let part = |continuous: Vec<Piece>, binary: Vec<Piece>, embeddings| Part {
            continuous_width: continuous.iter().map(|p| p.len).sum(),
            binary_width: binary.iter().map(|p| p.len).sum(),
            continuous,
            binary,
            embeddings,
        };
        Self {
            batch_norm: step.batch_norm.as_ref().map(|a| (narrow(&a.gamma), narrow(&a.beta))),
            min_value: step.min_value as f32,
            max_value: step.max_value as f32,
            layer_norm: step.layer_norm.as_ref().map(RowNorm::new),
            embeddings,
            continuous: widths.continuous,
            dense: widths.dense(),
            input_dim: widths.input_dim(),
            once: part(continuous_once, binary_once, split.embeddings),
            each: part(continuous_each, binary_each, split.embeddings.map(|once| !once)),
            ordered: plan.reuse.as_ref().map(|reuse| Ordered::new(reuse, widths.dense())),
        }
    }

    /// Continuous and binary features.
    pub(super) fn dense_width(&self) -> usize {
        self.dense
    }

    /// Featurizes candidates `[first, first + rows.len())` of the batch into rows `rows` of a workspace whose row 0 is
    /// candidate `first − rows.start`, and says which of them have no normalised form. `into` is where `x` and the
    /// rows of requests go.
    ///
    /// # Safety
    /// No other thread is given these candidates, and so uses these rows of the workspace, these statuses (which are
    /// as many as the batch's candidates) or the rows of requests whose first candidate in the workspace is among them.
    #[expect(clippy::too_many_arguments, reason = "what goes in, scratch, and where everything goes")]
    pub(super) unsafe fn rows<I: Isa, E: Element>(
        &self,
        isa: I,
        batch: &Batch<'_>,
        first: usize,
        rows: Range<usize>,
        workspace: &Workspace<E>,
        into: (Operand, Operand),
        scratch: RowScratch<'_>,
        statuses: Shared<Status>,
    ) {
        isa.run(Rows::<I, E> {
            featurizer: self,
            isa: PhantomData,
            batch,
            first,
            rows,
            workspace,
            into,
            scratch,
            statuses,
        });
    }

    /// [`Self::rows`], under its instruction set.
    ///
    /// # Safety
    /// As [`Self::rows`].
    #[expect(clippy::too_many_arguments, reason = "what goes in, scratch, and where everything goes")]
    #[inline(always)]
    unsafe fn each_row<I: Isa, E: Element>(
        &self,
        batch: &Batch<'_>,
        first: usize,
        rows: Range<usize>,
        workspace: &Workspace<E>,
        into: (Operand, Operand),
        scratch: RowScratch<'_>,
        statuses: Shared<Status>,
    ) {
        let (output, requests) = into;
        let RowScratch { row, dense, ordered } = scratch;
        let row = &mut row[..output.columns];
        row.fill(0.0);
        let (mut request, mut candidate) = locate(batch, first);
        // The row of the candidate's request, counted from the workspace's first candidate.
        let mut own = count_requests(batch, first - rows.start, first + 1).saturating_sub(1);
        let mut fresh = true;
        let mut moments = (0.0, 1.0);
        for (index, at) in rows.enumerate() {
            while candidate == batch.requests[request].candidates {
                own += usize::from(candidate > 0);
                (request, candidate, fresh) = (request + 1, 0, true);
            }
            if fresh {
                self.part::<I>(&self.once, &batch.requests[request].request, 0, row, dense);
                if let Some(order) = &self.ordered {
                    let once = order.gamma.len() + order.plain.iter().map(|p| p.len).sum::<usize>();
                    moments = self.request_row::<I>(order, row, dense, &mut ordered[..once]);
                    // Whoever takes later candidates of the request leaves the row to this one.
                    if candidate == 0 || at == 0 {
                        // SAFETY: there are no more requests than candidates in the workspace, so the row is
                        // inside; this is the request's first candidate there.
                        unsafe { store_request::<I, E>(workspace, requests, own, &ordered[..once]) };
                    }
                }
                fresh = false;
            }
            self.part::<I>(&self.each, &batch.requests[request].candidate, candidate, row, dense);
            row[..self.dense].copy_from_slice(dense);
            let mut defined = true;
            let mut terms = RowTerms { request: own as u32, ..RowTerms::default() };
            if let Some(norm) = self.layer_norm.as_ref().filter(|_| self.dense > 0) {
                let of = norm.apply::<I>(&mut row[..self.dense]);
                defined = of.defined();
                terms.scale = (of.scale * moments.1) as f32;
                terms.offset = (of.scale * (moments.0 - of.mean)) as f32;
            }
            let x: &[f32] = match &self.ordered {
                None => row,
                Some(order) => {
                    for piece in &order.x {
                        ordered[piece.into..piece.into + piece.len]
                            .copy_from_slice(&row[piece.from..piece.from + piece.len]);
                    }
                    ordered[self.input_dim..output.columns].fill(0.0);
                    // SAFETY: one entry a candidate of the workspace; the row is this thread's.
                    unsafe { *workspace.terms.at(at) = terms };
                    &ordered[..output.columns]
                }
            };
            for (run, values) in x.as_chunks::<16>().0.iter().enumerate() {
                // SAFETY: inside the output's columns; the row is this thread's.
                unsafe { workspace.store::<I>(output, at, run * 16, values) };
            }
            let status = if defined { Status::Ok } else { Status::ZeroVariance };
            // SAFETY: the caller's promise about the statuses.
            unsafe { *statuses.at(first + index) = status };
            candidate += 1;
        }
        debug_assert!(self.input_dim <= row.len(), "x fits its columns");
    }

    /// A request's own row of the products that its candidates share, and the mean and the deviation of its columns
    /// under the feature norm. The request's part of `row` and `dense` is there.
    #[inline(always)]
    fn request_row<I: Isa>(
        &self,
        order: &Ordered,
        row: &[f32],
        dense: &[f32],
        into: &mut [f32],
    ) -> (f64, f64) {
        for piece in &order.normed {
            into[piece.into..piece.into + piece.len]
                .copy_from_slice(&dense[piece.from..piece.from + piece.len]);
        }
        for piece in &order.plain {
            // Embeddings lie in `row`, dense features of a model without the feature norm in `dense`.
            let from = if piece.from < self.dense { &dense[piece.from..] } else { &row[piece.from..] };
            into[piece.into..piece.into + piece.len].copy_from_slice(&from[..piece.len]);
        }
        let normed = &mut into[..order.gamma.len()];
        if normed.is_empty() {
            return (0.0, 1.0);
        }
        let (mean, variance) = mean_and_variance::<I>(normed);
        // Equal columns leave zeros, whatever they are divided by.
        let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        for (v, gamma) in normed.iter_mut().zip(&order.gamma) {
            *v = ((f64::from(*v) - mean) / deviation) as f32 * gamma;
        }
        (mean, deviation)
    }

    /// Row `index` of what one part gives: dense features transformed, embeddings normalised.
    #[inline(always)]
    fn part<I: Isa>(
        &self,
        part: &Part,
        columns: &Columns<'_>,
        index: usize,
        row: &mut [f32],
        dense: &mut [f32],
    ) {
        let start = index * part.continuous_width;
        for piece in &part.continuous {
            let into = &mut dense[piece.into..piece.into + piece.len];
            read::<I>(&columns.continuous, start + piece.from, into);
            self.transform::<I>(piece.into, into);
        }
        for piece in &part.binary {
            let into = &mut dense[piece.into..piece.into + piece.len];
            read_binary(&columns.binary, index, part.binary_width, piece.from, into);
        }
        let given = columns.embeddings();
        for ((embedding, values), here) in self.embeddings.iter().zip(given).zip(part.embeddings) {
            if let (Some(embedding), true) = (embedding, here) {
                let into = &mut row[embedding.column..embedding.column + embedding.width];
                read::<I>(&values, index * embedding.width, into);
                embedding.norm.apply::<I>(into);
            }
        }
    }

    /// Log, batch norm and clamp of continuous columns from `column` on, in place.
    #[inline(always)]
    fn transform<I: Isa>(&self, column: usize, values: &mut [f32]) {
        debug_assert!(column + values.len() <= self.continuous, "only continuous columns are transformed");
        let (low, high) = (self.min_value, self.max_value);
        let clamp = |v: f32| {
            let v = if v < low { low } else { v };
            if v > high { high } else { v }
        };
        match &self.batch_norm {
            None => values.iter_mut().for_each(|v| *v = clamp(signed_log1p::<I>(*v))),
            Some((gamma, beta)) => {
                let affine = gamma[column..].iter().zip(&beta[column..]);
                for (v, (gamma, beta)) in values.iter_mut().zip(affine) {
                    *v = clamp(I::mul_add(signed_log1p::<I>(*v), *gamma, *beta));
                }
            }
        }
    }
}

/// [`Featurizer::rows`], whose promises are those of whoever makes one.
struct Rows<'a, I, E> {
    featurizer: &'a Featurizer,
    isa: PhantomData<I>,
    batch: &'a Batch<'a>,
    first: usize,
    rows: Range<usize>,
    workspace: &'a Workspace<E>,
    into: (Operand, Operand),
    scratch: RowScratch<'a>,
    statuses: Shared<Status>,
}

impl<I: Isa, E: Element> Work for Rows<'_, I, E> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { featurizer, isa: _, batch, first, rows, workspace, into, scratch, statuses } = self;
        // SAFETY: the maker's promise.
        unsafe { featurizer.each_row::<I, E>(batch, first, rows, workspace, into, scratch, statuses) };
    }
}

/// Splits `width` columns into those given once and those given for each candidate; `base` is added to their places.
fn pieces(once: &[Range<usize>], width: usize, base: usize) -> (Vec<Piece>, Vec<Piece>) {
    let (mut given_once, mut given_each) = (Vec::new(), Vec::new());
    let (mut at, mut from_once, mut from_each) = (0, 0, 0);
    for range in once.iter().cloned().chain(std::iter::once(width..width)) {
        if at < range.start {
            given_each.push(Piece { into: base + at, from: from_each, len: range.start - at });
            from_each += range.start - at;
        }
        if !range.is_empty() {
            given_once.push(Piece { into: base + range.start, from: from_once, len: range.len() });
            from_once += range.len();
        }
        at = range.end;
    }
    (given_once, given_each)
}

/// Stores a request's row; where storage rounds, what that cuts off the normed columns follows, to be multiplied too.
///
/// # Safety
/// The row is inside the operand, and no other thread uses it.
#[inline(always)]
unsafe fn store_request<I: Isa, E: Element>(
    workspace: &Workspace<E>,
    requests: Operand,
    row: usize,
    values: &[f32],
) {
    let rest = requests.columns - values.len();
    for (run, values) in values.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: `rest` more columns follow the values' own; the caller's promise.
        unsafe {
            workspace.store::<I>(requests, row, run * 16, values);
            if run * 16 < rest {
                let stored = workspace.load::<I>(requests, row, run * 16);
                let cut: [f32; 16] = std::array::from_fn(|i| values[i] - stored[i]);
                let cut = if stored.iter().all(|v| v.is_finite()) { cut } else { [0.0; 16] };
                workspace.store::<I>(requests, row, requests.columns - rest + run * 16, &cut);
            }
        }
    }
}

/// Requests with a candidate in `[first, end)` of the batch's candidates.
pub(super) fn count_requests(batch: &Batch<'_>, first: usize, end: usize) -> usize {
    let (mut start, mut count) = (0, 0);
    for request in batch.requests {
        let next = start + request.candidates;
        count += usize::from(start.max(first) < next.min(end));
        start = next;
    }
    count
}

/// Request and candidate of the batch's candidate `row`.
fn locate(batch: &Batch<'_>, row: usize) -> (usize, usize) {
    let mut left = row;
    for (index, request) in batch.requests.iter().enumerate() {
        if left < request.candidates {
            return (index, left);
        }
        left -= request.candidates;
    }
    (batch.requests.len(), 0)
}

/// `into.len()` values from `start` on, as f32.
#[inline(always)]
fn read<I: Isa>(features: &Features<'_>, start: usize, into: &mut [f32]) {
    let len = into.len();
    match features {
        Features::F32(values) => into.copy_from_slice(&values[start..start + len]),
        Features::Bf16(values) => widen::<I, _>(&values[start..start + len], into),
        Features::F16(values) => widen::<I, _>(&values[start..start + len], into),
    }
}

#[inline(always)]
fn widen<I: Isa, E: Element>(from: &[E], into: &mut [f32]) {
    let (runs, rest) = from.as_chunks::<16>();
    let (wide, wide_rest) = into.as_chunks_mut::<16>();
    for (wide, run) in wide.iter_mut().zip(runs) {
        *wide = E::widen::<I>(run);
    }
    let mut run = [E::default(); 16];
    run[..rest.len()].copy_from_slice(rest);
    wide_rest.copy_from_slice(&E::widen::<I>(&run)[..rest.len()]);
}

/// Binary features `[from, from + into.len())` of row `index`, as numbers.
#[inline(always)]
fn read_binary(features: &Binary<'_>, index: usize, width: usize, from: usize, into: &mut [f32]) {
    match features {
        Binary::Bytes(values) => {
            let values = &values[index * width + from..];
            into.iter_mut().zip(values).for_each(|(v, &byte)| *v = byte.into());
        }
        Binary::Numbers(values) => into.copy_from_slice(&values[index * width + from..][..into.len()]),
        Binary::Bits(values) => {
            let values = &values[index * width.div_ceil(8)..];
            for (i, v) in into.iter_mut().enumerate() {
                let bit = from + i;
                *v = f32::from(values[bit / 8] >> (bit % 8) & 1);
            }
        }
    }
}
