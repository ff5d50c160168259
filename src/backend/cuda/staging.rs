//! A batch as one block of bytes for one copy: each kind of column for all candidates, then for all requests.
//!
//! Values travel as the caller gave them. Only a batch that mixes types is converted: features to f32, binary
//! features to numbers.

use half::{bf16, f16};

use crate::batch::{Batch, Binary, Columns, Features, Split};
use crate::config::Widths;

use super::layout::REGION_ALIGN;
use super::params;

/// Where one kind of column lies, in bytes from the block's start; strides in elements of that kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Source {
    /// Candidates' columns.
    pub(crate) candidate: usize,
    /// Requests' columns.
    pub(crate) request: usize,
    /// Between candidates.
    pub(crate) candidate_stride: usize,
    /// Between requests.
    pub(crate) request_stride: usize,
}

/// A packed batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    /// Type of continuous features and embeddings, as in the kernel's name.
    pub(crate) kind: Kind,
    /// `BINARY_*`.
    pub(crate) binary_kind: u32,
    /// Continuous, binary, and the three embeddings.
    pub(crate) columns: [Source; 5],
    /// Request of each candidate, u32.
    pub(crate) candidate_request: usize,
    /// Candidates.
    pub(crate) candidates: usize,
}

impl Packed {
    /// No candidates.
    pub(crate) fn empty(kind: Kind) -> Self {
        Self {
            kind,
            binary_kind: params::BINARY_BYTES,
            columns: [Source::default(); 5],
            candidate_request: 0,
            candidates: 0,
        }
    }
}

/// Type of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE halves.
    F16,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

impl Kind {
    fn of(features: &Features<'_>) -> Self {
        match features {
            Features::F32(_) => Self::F32,
            Features::Bf16(_) => Self::Bf16,
            Features::F16(_) => Self::F16,
        }
    }
}

/// Most bytes that a batch of up to `candidates` can need. Requests without candidates are left out, so there are
/// never more requests than candidates.
pub(crate) fn max_bytes(widths: Widths, split: &Split, candidates: usize) -> usize {
    let elements = |widths: Widths| (widths.input_dim() * size_of::<f32>() + 5) * candidates;
    let regions = 11 * REGION_ALIGN;
    elements(split.candidate_widths(widths))
        + elements(split.request_widths(widths))
        + candidates * size_of::<u32>()
        + regions
}

/// Packs a checked batch into the front of `into`, which holds `max_bytes` of the scorer. Finished pieces are handed
/// to `sink` with their offset while packing goes on, so that their copy can start.
///
/// # Errors
/// Those of `sink`.
pub(crate) fn pack<E>(
    batch: &Batch<'_>,
    widths: Widths,
    split: &Split,
    into: &mut [u8],
    sink: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<Packed, E> {
    let live = || batch.requests.iter().filter(|request| request.candidates > 0);
    let (candidates, requests) = (batch.candidates(), live().count());
    let (each, once) = (split.candidate_widths(widths), split.request_widths(widths));
    let kind = common(live().flat_map(|r| [r.candidate, r.request]).flat_map(features), Kind::F32);
    let binary_kind = common(
        live()
            .flat_map(|r| [r.candidate.binary, r.request.binary])
            .filter(|binary| !matches!(binary, Binary::Bytes([]) | Binary::Bits([]) | Binary::Numbers([])))
            .map(|binary| kind_of_binary(&binary)),
        params::BINARY_F32,
    );

    let mut writer = Writer { into, at: 0, handed: 0, sink, failed: None };
    let candidate_request = writer.start();
    for (index, request) in live().enumerate() {
        for _ in 0..request.candidates {
            writer.put(&(index as u32).to_ne_bytes());
        }
    }
    let mut columns = [Source::default(); 5];
    let stride_of = |width: usize| if binary_kind == params::BINARY_BITS { width.div_ceil(8) } else { width };
    let widths_of = |w: Widths| {
        let [user, user_eng, author] = w.embeddings();
        [w.continuous, stride_of(w.binary), user, user_eng, author]
    };
    let (each_widths, once_widths) = (widths_of(each), widths_of(once));
    for (index, source) in columns.iter_mut().enumerate() {
        source.candidate_stride = each_widths[index];
        source.request_stride = once_widths[index];
        source.candidate = writer.start();
        live().for_each(|request| {
            writer.columns(&request.candidate, index, kind, binary_kind, each.binary, request.candidates);
        });
        source.request = writer.start();
        live().for_each(|request| writer.columns(&request.request, index, kind, binary_kind, once.binary, 1));
    }
    debug_assert!(requests <= candidates, "requests without candidates are left out");
    writer.finish()?;
    Ok(Packed { kind, binary_kind, columns, candidate_request, candidates })
}

/// The kind that all have, else `mixed`; also when there are none.
fn common<T: PartialEq>(mut kinds: impl Iterator<Item = T>, mixed: T) -> T {
    let Some(first) = kinds.next() else { return mixed };
    if kinds.all(|kind| kind == first) { first } else { mixed }
}

fn features(columns: Columns<'_>) -> impl Iterator<Item = Kind> {
    let [user, user_eng, author] = columns.embeddings();
    let all = [columns.continuous, user, user_eng, author];
    all.into_iter().filter(|values| !values.is_empty()).map(|values| Kind::of(&values))
}

fn kind_of_binary(binary: &Binary<'_>) -> u32 {
    match binary {
        Binary::Bytes(_) => params::BINARY_BYTES,
        Binary::Bits(_) => params::BINARY_BITS,
        Binary::Numbers(_) => params::BINARY_F32,
    }
}

/// Bytes of a piece that is worth a copy of its own.
const PIECE_BYTES: usize = 1 << 20;

struct Writer<'a, F, E> {
    into: &'a mut [u8],
    at: usize,
    /// Bytes that the sink has been given.
    handed: usize,
    sink: F,
    failed: Option<E>,
}

impl<E, F: FnMut(usize, &[u8]) -> Result<(), E>> Writer<'_, F, E> {
    /// Starts a region.
    fn start(&mut self) -> usize {
        self.at = self.at.next_multiple_of(REGION_ALIGN);
        self.at
    }

    fn put(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.into[self.at..self.at + piece.len()].copy_from_slice(piece);
            self.at += piece.len();
            if self.at - self.handed >= PIECE_BYTES {
                self.hand();
            }
        }
    }

    fn hand(&mut self) {
        let result = (self.sink)(self.handed, &self.into[self.handed..self.at]);
        self.handed = self.at;
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }

    fn finish(mut self) -> Result<(), E> {
        self.hand();
        self.failed.map_or(Ok(()), Err)
    }

    fn columns(
        &mut self,
        from: &Columns<'_>,
        index: usize,
        kind: Kind,
        binary: u32,
        width: usize,
        rows: usize,
    ) {
        match index {
            0 => self.features(from.continuous, kind),
            1 => self.binary(from.binary, binary, width, rows),
            _ => self.features(from.embeddings()[index - 2], kind),
        }
    }

    fn features(&mut self, values: Features<'_>, kind: Kind) {
        match values {
            Features::F32(values) => self.put(bytemuck::cast_slice(values)),
            Features::Bf16(values) if kind == Kind::Bf16 => self.put(bytemuck::cast_slice(values)),
            Features::F16(values) if kind == Kind::F16 => self.put(bytemuck::cast_slice(values)),
            Features::Bf16(values) => self.numbers(values.iter().map(|v: &bf16| v.to_f32())),
            Features::F16(values) => self.numbers(values.iter().map(|v: &f16| v.to_f32())),
        }
    }

    fn binary(&mut self, values: Binary<'_>, kind: u32, width: usize, rows: usize) {
        match values {
            Binary::Numbers(values) => self.put(bytemuck::cast_slice(values)),
            Binary::Bytes(values) if kind == params::BINARY_BYTES => self.put(values),
            Binary::Bits(values) if kind == params::BINARY_BITS => self.put(values),
            Binary::Bytes(values) => self.numbers(values.iter().map(|&v| f32::from(v))),
            Binary::Bits(values) => {
                let stride = width.div_ceil(8);
                let bit = |row: usize, j: usize| f32::from((values[row * stride + j / 8] >> (j % 8)) & 1);
                self.numbers((0..rows).flat_map(|row| (0..width).map(move |j| bit(row, j))));
            }
        }
    }

    fn numbers(&mut self, values: impl Iterator<Item = f32>) {
        values.for_each(|value| self.put(&value.to_ne_bytes()));
    }
}
