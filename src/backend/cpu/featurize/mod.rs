//! Raw feature columns to `x`, a candidate at a time.
//!
//! A thread keeps one dense row and one `x` row. What a request gives once (its own columns, transformed, and its
//! embeddings, normalised) stays in them while the request's candidates pass by; a candidate overwrites its own
//! columns only. Norms are taken over the whole row for every candidate, so the split never changes a bit of `x`.
//!
//! Where a plan computes products of a request's columns once ([`crate::plan::Reuse`]), the thread that meets a request
//! first in a workspace also writes the request's own row, and each candidate's terms are written beside its `x`.

mod columns;
mod request;

use std::marker::PhantomData;
use std::ops::Range;

use crate::batch::{Batch, Columns, Split};
use crate::plan::Plan;
use crate::scores::Status;

use self::columns::{Part, read, read_binary};
pub(super) use self::request::count_requests;
use self::request::{Ordered, locate, store_request};
use super::element::Element;
use super::isa::{Isa, Work};
use super::layout::Operand;
use super::log1p::signed_log1p;
use super::memory::Shared;
use super::norm::RowNorm;
use super::panel::{RowTerms, Workspace};

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

/// A thread's rows of scratch: the widest row, a row of continuous and binary features, and, where there is an order
/// of `x`, one of the widest row's length more.
pub(super) struct RowScratch<'a> {
    pub(super) row: &'a mut [f32],
    pub(super) dense: &'a mut [f32],
    pub(super) ordered: &'a mut [f32],
}

/// Candidates to featurize, and where everything goes.
pub(super) struct Rows<'a, E> {
    pub(super) batch: &'a Batch<'a>,
    /// The batch's candidate that goes to the first of `rows`.
    pub(super) first: usize,
    /// Rows of the workspace, whose row 0 is candidate `first − rows.start`.
    pub(super) rows: Range<usize>,
    pub(super) workspace: &'a Workspace<E>,
    /// Where `x` goes.
    pub(super) x: Operand,
    /// Where the rows of requests go.
    pub(super) requests: Operand,
    pub(super) scratch: RowScratch<'a>,
    /// One a candidate of the batch.
    pub(super) statuses: Shared<Status>,
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
        let [once, each] = Part::both(widths, split);
        Self {
            batch_norm: step.batch_norm.as_ref().map(|a| (narrow(&a.gamma), narrow(&a.beta))),
            min_value: step.min_value as f32,
            max_value: step.max_value as f32,
            layer_norm: step.layer_norm.as_ref().map(RowNorm::new),
            embeddings,
            continuous: widths.continuous,
            dense: widths.dense(),
            input_dim: widths.input_dim(),
            once,
            each,
            ordered: plan.reuse.as_ref().map(|reuse| Ordered::new(reuse, widths.dense())),
        }
    }

    /// Continuous and binary features.
    pub(super) fn dense_width(&self) -> usize {
        self.dense
    }

    /// Featurizes what `rows` says, and says which candidates have no normalised form.
    ///
    /// # Safety
    /// No other thread is given these candidates, and so uses these rows of the workspace, these statuses (which are
    /// as many as the batch's candidates) or the rows of requests whose first candidate in the workspace is among them.
    pub(super) unsafe fn rows<I: Isa, E: Element>(&self, isa: I, rows: Rows<'_, E>) {
        isa.run(Featurize::<I, E> { featurizer: self, rows, isa: PhantomData });
    }

    /// [`Self::rows`], under its instruction set.
    ///
    /// # Safety
    /// As [`Self::rows`].
    #[inline(always)]
    unsafe fn each_row<I: Isa, E: Element>(&self, rows: Rows<'_, E>) {
        let Rows { batch, first, rows, workspace, x: output, requests, scratch, statuses } = rows;
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
                    let once = order.columns();
                    moments = order.request_row::<I>(row, dense, &mut ordered[..once]);
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
struct Featurize<'a, I, E> {
    featurizer: &'a Featurizer,
    rows: Rows<'a, E>,
    isa: PhantomData<I>,
}

impl<I: Isa, E: Element> Work for Featurize<'_, I, E> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // SAFETY: the maker's promise.
        unsafe { self.featurizer.each_row::<I, E>(self.rows) };
    }
}
