//! Raw feature columns to `x`, a candidate at a time.
//!
//! A thread keeps one dense row and one `x` row. What a request gives once (its own columns, transformed, and its
//! embeddings, normalised) stays in them while the request's candidates pass by; a candidate overwrites its own
//! columns only. Norms are taken over the whole row for every candidate, so the split never changes a bit.

use std::ops::Range;

use crate::batch::{Batch, Binary, Columns, Features, Split};
use crate::plan::Plan;
use crate::scores::Status;

use super::element::Element;
use super::isa::Isa;
use super::layout::Operand;
use super::log1p::signed_log1p;
use super::memory::Shared;
use super::norm::RowNorm;
use super::panel::Workspace;

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
        }
    }

    /// Continuous and binary features.
    pub(super) fn dense_width(&self) -> usize {
        self.dense
    }

    /// Featurizes candidates `[first, first + rows.len())` of the batch into rows `rows` of a workspace, and says
    /// which of them have no normalised form. `row` is as long as the output's columns, `dense` as
    /// [`Self::dense_width`].
    ///
    /// # Safety
    /// No other thread uses these rows of the workspace or these statuses, which are as many as the batch's
    /// candidates.
    #[expect(clippy::too_many_arguments, reason = "two rows of scratch and where everything goes")]
    pub(super) unsafe fn rows<I: Isa, E: Element>(
        &self,
        isa: I,
        batch: &Batch<'_>,
        first: usize,
        rows: Range<usize>,
        workspace: &Workspace<E>,
        output: Operand,
        row: &mut [f32],
        dense: &mut [f32],
        statuses: Shared<Status>,
    ) {
        let row = &mut row[..output.columns];
        row.fill(0.0);
        let (mut request, mut candidate) = locate(batch, first);
        let mut fresh = true;
        isa.run(|| {
            for (index, at) in rows.enumerate() {
                while candidate == batch.requests[request].candidates {
                    (request, candidate, fresh) = (request + 1, 0, true);
                }
                if fresh {
                    self.part::<I>(&self.once, &batch.requests[request].request, 0, row, dense);
                    fresh = false;
                }
                self.part::<I>(&self.each, &batch.requests[request].candidate, candidate, row, dense);
                row[..self.dense].copy_from_slice(dense);
                let defined = match &self.layer_norm {
                    Some(norm) if self.dense > 0 => norm.apply::<I>(&mut row[..self.dense]),
                    _ => true,
                };
                for (run, values) in row.as_chunks::<16>().0.iter().enumerate() {
                    // SAFETY: inside the output's columns; the row is this thread's.
                    unsafe { workspace.store::<I>(output, at, run * 16, values) };
                }
                let status = if defined { Status::Ok } else { Status::ZeroVariance };
                // SAFETY: the caller's promise about the statuses.
                unsafe { *statuses.at(first + index) = status };
                candidate += 1;
            }
        });
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
