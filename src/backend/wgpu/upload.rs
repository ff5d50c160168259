//! The caller's arrays into staging memory: the one copy that a row makes on its way.
//!
//! Every array of a chunk starts at a whole word and keeps the caller's type. Beside them goes a table: for each
//! candidate its request, then for each request [`REQUEST_WORDS`] words, as `featurize.wgsl` reads them.

use std::ops::Range;

use wgpu::WriteOnly;

use crate::batch::{Batch, Binary, Columns, Features, Request};
use crate::config::Widths;

/// Words of a request's entry: its first candidate, then a first word and a kind for each of ten matrices.
pub(crate) const REQUEST_WORDS: usize = 21;

const KIND_F32: u32 = 0;
const KIND_BF16: u32 = 1;
const KIND_F16: u32 = 2;
const KIND_BYTES: u32 = 3;
const KIND_BITS: u32 = 4;

/// Some candidates of one request.
struct Piece<'a> {
    request: &'a Request<'a>,
    candidates: Range<usize>,
}

/// The pieces of requests that make up rows `rows` of a batch.
fn pieces<'a>(batch: &Batch<'a>, rows: Range<usize>) -> impl Iterator<Item = Piece<'a>> {
    let mut end = 0;
    batch.requests.iter().filter_map(move |request| {
        let first = end;
        end += request.candidates;
        let candidates = rows.start.max(first)..rows.end.min(end);
        (candidates.start < candidates.end)
            .then(|| Piece { request, candidates: candidates.start - first..candidates.end - first })
    })
}

/// Widths of what is given per candidate and once a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SplitWidths {
    pub(crate) candidate: Widths,
    pub(crate) request: Widths,
}

/// Copies rows `rows` of a batch into `into` and makes their table. Returns the bytes written.
///
/// `into` has 4 bytes for every column of every row, which no type exceeds.
pub(crate) fn write(
    batch: &Batch<'_>,
    rows: Range<usize>,
    widths: &SplitWidths,
    into: &mut WriteOnly<'_, [u8]>,
    table: &mut Vec<u32>,
) -> usize {
    table.clear();
    for (index, piece) in pieces(batch, rows.clone()).enumerate() {
        table.extend(std::iter::repeat_n(index as u32, piece.candidates.len()));
    }
    let mut writer = Writer { into, at: 0, table };
    let mut first = 0;
    for piece in pieces(batch, rows) {
        writer.table.push(first);
        first += piece.candidates.len() as u32;
        writer.columns(&piece.request.candidate, &widths.candidate, piece.candidates);
        writer.columns(&piece.request.request, &widths.request, 0..1);
    }
    writer.at
}

struct Writer<'a, 'b> {
    into: &'a mut WriteOnly<'b, [u8]>,
    /// Bytes written so far; whole words.
    at: usize,
    table: &'a mut Vec<u32>,
}

impl Writer<'_, '_> {
    fn columns(&mut self, columns: &Columns<'_>, widths: &Widths, rows: Range<usize>) {
        self.features(columns.continuous, widths.continuous, &rows);
        self.binary(columns.binary, widths.binary, &rows);
        for (features, width) in columns.embeddings().into_iter().zip(widths.embeddings()) {
            self.features(features, width, &rows);
        }
    }

    fn features(&mut self, features: Features<'_>, width: usize, rows: &Range<usize>) {
        let range = rows.start * width..rows.end * width;
        match features {
            _ if width == 0 => self.bytes(&[], KIND_F32),
            Features::F32(values) => self.bytes(bytemuck::cast_slice(&values[range]), KIND_F32),
            Features::Bf16(values) => self.bytes(bytemuck::cast_slice(&values[range]), KIND_BF16),
            Features::F16(values) => self.bytes(bytemuck::cast_slice(&values[range]), KIND_F16),
        }
    }

    fn binary(&mut self, binary: Binary<'_>, width: usize, rows: &Range<usize>) {
        let range = rows.start * width..rows.end * width;
        match binary {
            _ if width == 0 => self.bytes(&[], KIND_F32),
            Binary::Numbers(values) => self.bytes(bytemuck::cast_slice(&values[range]), KIND_F32),
            Binary::Bytes(values) => self.bytes(&values[range], KIND_BYTES),
            Binary::Bits(values) => {
                let stride = width.div_ceil(8);
                self.bytes(&values[rows.start * stride..rows.end * stride], KIND_BITS);
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8], kind: u32) {
        self.table.extend([(self.at / 4) as u32, kind]);
        self.into.slice(self.at..self.at + bytes.len()).copy_from_slice(bytes);
        self.at = (self.at + bytes.len()).next_multiple_of(4);
    }
}
