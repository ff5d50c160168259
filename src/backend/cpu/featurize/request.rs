//! Requests among a batch's candidates, and rows of their own: the order of a plan that computes products of a request's
//! columns once ([`Reuse`]).

use std::ops::Range;

use crate::batch::Batch;
use crate::plan::Reuse;

use super::super::element::Element;
use super::super::isa::Isa;
use super::super::layout::Operand;
use super::super::norm::mean_and_variance;
use super::super::panel::Workspace;
use super::columns::Piece;

/// `x` and the rows of requests in the order of a plan with reuse.
#[derive(Debug)]
pub(super) struct Ordered {
    /// From the model's order to that of `x`.
    pub(super) x: Vec<Piece>,
    /// From the model's order to a request's row: columns under the feature norm, before that norm.
    normed: Vec<Piece>,
    /// (normed columns)
    gamma: Vec<f32>,
    /// From the model's order to a request's row: columns that are the same for all candidates.
    plain: Vec<Piece>,
}

impl Ordered {
    /// `dense` is where the embeddings begin: pieces end there, because rows of both are kept apart.
    pub(super) fn new(reuse: &Reuse, dense: usize) -> Self {
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

    /// Columns of a request's row.
    #[inline(always)]
    pub(super) fn columns(&self) -> usize {
        self.gamma.len() + self.plain.iter().map(|piece| piece.len).sum::<usize>()
    }

    /// A request's own row of the products that its candidates share, and the mean and the deviation of its columns
    /// under the feature norm. The request's part of `row` and `dense` is there.
    #[inline(always)]
    pub(super) fn request_row<I: Isa>(&self, row: &[f32], dense: &[f32], into: &mut [f32]) -> (f64, f64) {
        for piece in &self.normed {
            into[piece.into..piece.into + piece.len]
                .copy_from_slice(&dense[piece.from..piece.from + piece.len]);
        }
        for piece in &self.plain {
            // Embeddings lie in `row`, dense features of a model without the feature norm in `dense`.
            let from = if piece.from < dense.len() { &dense[piece.from..] } else { &row[piece.from..] };
            into[piece.into..piece.into + piece.len].copy_from_slice(&from[..piece.len]);
        }
        let normed = &mut into[..self.gamma.len()];
        if normed.is_empty() {
            return (0.0, 1.0);
        }
        let (mean, variance) = mean_and_variance::<I>(normed);
        // Equal columns leave zeros, whatever they are divided by.
        let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        for (v, gamma) in normed.iter_mut().zip(&self.gamma) {
            *v = ((f64::from(*v) - mean) / deviation) as f32 * gamma;
        }
        (mean, deviation)
    }
}

/// Stores a request's row; where storage rounds, what that cuts off the normed columns follows, to be multiplied too.
///
/// # Safety
/// The row is inside the operand, and no other thread uses it.
#[inline(always)]
pub(super) unsafe fn store_request<I: Isa, E: Element>(
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
pub(in super::super) fn count_requests(batch: &Batch<'_>, first: usize, end: usize) -> usize {
    let (mut start, mut count) = (0, 0);
    for request in batch.requests {
        let next = start + request.candidates;
        count += usize::from(start.max(first) < next.min(end));
        start = next;
    }
    count
}

/// Request and candidate of the batch's candidate `row`.
pub(super) fn locate(batch: &Batch<'_>, row: usize) -> (usize, usize) {
    let mut left = row;
    for (index, request) in batch.requests.iter().enumerate() {
        if left < request.candidates {
            return (index, left);
        }
        left -= request.candidates;
    }
    (batch.requests.len(), 0)
}
