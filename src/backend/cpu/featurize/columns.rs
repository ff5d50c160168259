//! The columns that a caller gives, once a request or for every candidate, and reading them as f32.

use std::ops::Range;

use crate::batch::{Binary, Features, Split};
use crate::config::Widths;

use super::super::element::Element;
use super::super::isa::Isa;

/// Consecutive columns of a row, and where they lie in what the caller gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) into: usize,
    pub(super) from: usize,
    pub(super) len: usize,
}

/// The columns that one part of a request gives, and the widths of its rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) continuous: Vec<Piece>,
    pub(super) continuous_width: usize,
    pub(super) binary: Vec<Piece>,
    pub(super) binary_width: usize,
    pub(super) embeddings: [bool; 3],
}

impl Part {
    /// What a split has given once a request, and what for every candidate.
    pub(super) fn both(widths: Widths, split: &Split) -> [Self; 2] {
        let (continuous_once, continuous_each) = pieces(&split.continuous, widths.continuous, 0);
        let (binary_once, binary_each) = pieces(&split.binary, widths.binary, widths.continuous);
        let part = |continuous: Vec<Piece>, binary: Vec<Piece>, embeddings| Self {
            continuous_width: continuous.iter().map(|p| p.len).sum(),
            binary_width: binary.iter().map(|p| p.len).sum(),
            continuous,
            binary,
            embeddings,
        };
        [
            part(continuous_once, binary_once, split.embeddings),
            part(continuous_each, binary_each, split.embeddings.map(|once| !once)),
        ]
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

/// `into.len()` values from `start` on, as f32.
#[inline(always)]
pub(super) fn read<I: Isa>(features: &Features<'_>, start: usize, into: &mut [f32]) {
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
pub(super) fn read_binary(features: &Binary<'_>, index: usize, width: usize, from: usize, into: &mut [f32]) {
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
