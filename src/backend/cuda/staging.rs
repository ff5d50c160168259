//! A batch as one block of bytes for one copy, in the layout of lent staging.
//!
//! Values travel as the caller gave them. Only a batch that mixes types is converted: features to f32, binary
//! features to numbers.

use std::ops::Range;

use half::{bf16, f16};

use crate::backend::staged::{BinaryType, FeatureType, Layout, REGION_ALIGN, Rows};
use crate::batch::{Batch, Binary, Columns, Features, Request, Split};
use crate::config::Widths;

/// The layout that a checked batch is packed in.
pub(crate) fn layout(batch: &Batch<'_>, widths: Widths, split: &Split) -> Layout {
    let live = || live(batch);
    let features = live().flat_map(|r| [r.candidate, r.request]).flat_map(feature_types);
    let binary = live().flat_map(|r| [r.candidate.binary, r.request.binary]).filter_map(binary_type);
    let types = (common(features, FeatureType::F32), common(binary, BinaryType::Numbers));
    Layout::new(types, (live().count(), batch.candidates()), widths, split)
}

/// Writes the table of requests, u32 a candidate, for requests of these many candidates.
pub(crate) fn write_table(sizes: impl Iterator<Item = usize>, into: &mut [u8]) {
    let mut rows = into.chunks_exact_mut(size_of::<u32>());
    for (index, size) in sizes.filter(|&size| size > 0).enumerate() {
        rows.by_ref().take(size).for_each(|row| row.copy_from_slice(&(index as u32).to_ne_bytes()));
    }
}

/// Packs rows of a checked batch, and before the first row what comes once a request. Finished pieces are handed to
/// `sink` with their offset while packing goes on, so that their copy can start.
///
/// # Errors
/// Those of `sink`.
pub(crate) fn pack<E>(
    batch: &Batch<'_>,
    (widths, split): (Widths, &Split),
    layout: &Layout,
    rows: Range<usize>,
    into: &mut [u8],
    sink: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut writer = Writer { into, at: 0, handed: 0, sink, failed: None };
    if rows.start == 0 {
        let table = layout.candidates * size_of::<u32>();
        write_table(live(batch).map(|request| request.candidates), &mut writer.into[..table]);
        writer.at = table;
        let once = split.request_widths(widths).binary;
        for (index, place) in layout.request.iter().enumerate() {
            writer.go_to(place.offset);
            live(batch)
                .for_each(|request| writer.columns(&request.request, (index, place), layout, once, 0..1));
        }
    }
    let each = split.candidate_widths(widths).binary;
    for (index, place) in layout.candidate.iter().enumerate() {
        writer.go_to(place.bytes(&rows).start);
        for (request, part) in parts(batch, &rows) {
            writer.columns(&request.candidate, (index, place), layout, each, part);
        }
    }
    writer.finish()
}

fn live<'a>(batch: &Batch<'a>) -> impl Iterator<Item = &'a Request<'a>> {
    batch.requests.iter().filter(|request| request.candidates > 0)
}

/// The requests that rows of a batch belong to, and which of their own candidates these are.
fn parts<'a>(
    batch: &Batch<'a>,
    rows: &Range<usize>,
) -> impl Iterator<Item = (&'a Request<'a>, Range<usize>)> {
    let rows = rows.clone();
    let mut end = 0;
    batch.requests.iter().filter_map(move |request| {
        let first = end;
        end += request.candidates;
        let (from, to) = (rows.start.max(first), rows.end.min(end));
        (from < to).then(|| (request, from - first..to - first))
    })
}

/// The kind that all have, else `mixed`; also when there are none.
fn common<T: PartialEq>(mut kinds: impl Iterator<Item = T>, mixed: T) -> T {
    let Some(first) = kinds.next() else { return mixed };
    if kinds.all(|kind| kind == first) { first } else { mixed }
}

fn feature_types(columns: Columns<'_>) -> impl Iterator<Item = FeatureType> {
    let [user, user_eng, author] = columns.embeddings();
    let all = [columns.continuous, user, user_eng, author];
    all.into_iter().filter(|values| !values.is_empty()).map(|values| match values {
        Features::F32(_) => FeatureType::F32,
        Features::Bf16(_) => FeatureType::Bf16,
        Features::F16(_) => FeatureType::F16,
    })
}

fn binary_type(binary: Binary<'_>) -> Option<BinaryType> {
    match binary {
        Binary::Bytes([]) | Binary::Bits([]) | Binary::Numbers([]) => None,
        Binary::Bytes(_) => Some(BinaryType::Bytes),
        Binary::Bits(_) => Some(BinaryType::Bits),
        Binary::Numbers(_) => Some(BinaryType::Numbers),
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
    /// Goes on at another place. What lies between two neighbouring regions is copied with them.
    fn go_to(&mut self, offset: usize) {
        if offset < self.at || offset - self.at >= REGION_ALIGN {
            self.hand();
            self.handed = offset;
        }
        self.at = offset;
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
        if self.handed < self.at {
            let result = (self.sink)(self.handed, &self.into[self.handed..self.at]);
            self.handed = self.at;
            if let Err(error) = result {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn finish(mut self) -> Result<(), E> {
        self.hand();
        self.failed.map_or(Ok(()), Err)
    }

    /// Rows of one kind of column; `place` is where such rows go, `width` that of binary features.
    fn columns(
        &mut self,
        from: &Columns<'_>,
        (index, place): (usize, &Rows),
        layout: &Layout,
        width: usize,
        rows: Range<usize>,
    ) {
        let elements = rows.start * place.stride..rows.end * place.stride;
        match index {
            0 => self.features(from.continuous, layout.features, elements),
            1 => self.binary(from.binary, layout.binary, width, rows),
            _ => self.features(from.embeddings()[index - 2], layout.features, elements),
        }
    }

    fn features(&mut self, values: Features<'_>, kind: FeatureType, elements: Range<usize>) {
        match values {
            Features::F32(values) => self.put(bytemuck::cast_slice(&values[elements])),
            Features::Bf16(values) if kind == FeatureType::Bf16 => {
                self.put(bytemuck::cast_slice(&values[elements]));
            }
            Features::F16(values) if kind == FeatureType::F16 => {
                self.put(bytemuck::cast_slice(&values[elements]));
            }
            Features::Bf16(values) => self.numbers(values[elements].iter().map(|v: &bf16| v.to_f32())),
            Features::F16(values) => self.numbers(values[elements].iter().map(|v: &f16| v.to_f32())),
        }
    }

    fn binary(&mut self, values: Binary<'_>, kind: BinaryType, width: usize, rows: Range<usize>) {
        let elements = rows.start * width..rows.end * width;
        match values {
            Binary::Numbers(values) => self.put(bytemuck::cast_slice(&values[elements])),
            Binary::Bytes(values) if kind == BinaryType::Bytes => self.put(&values[elements]),
            Binary::Bytes(values) => self.numbers(values[elements].iter().map(|&v| f32::from(v))),
            Binary::Bits(values) => {
                let stride = width.div_ceil(8);
                if kind == BinaryType::Bits {
                    return self.put(&values[rows.start * stride..rows.end * stride]);
                }
                let bit = |row: usize, j: usize| f32::from((values[row * stride + j / 8] >> (j % 8)) & 1);
                self.numbers(rows.flat_map(|row| (0..width).map(move |j| bit(row, j))));
            }
        }
    }

    fn numbers(&mut self, values: impl Iterator<Item = f32>) {
        values.for_each(|value| self.put(&value.to_ne_bytes()));
    }
}
