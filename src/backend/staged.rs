//! How a batch lies in one block of memory: the layout of lent staging, and of what a GPU is sent.
//!
//! First the table of each candidate's request, then each kind of column for all requests, then each kind for all
//! candidates. Requests without candidates have no rows, so there are never more requests than candidates.

use std::ops::Range;

use crate::batch::Split;
use crate::config::Widths;

/// Every region starts at a multiple of this: what vector loads and copies want, and more.
pub(crate) const REGION_ALIGN: usize = 256;

/// Type of continuous features and embeddings in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeatureType {
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE halves.
    F16,
}

impl FeatureType {
    /// Bytes of a value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }
}

impl std::fmt::Display for FeatureType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

/// Type of binary features in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BinaryType {
    /// One byte a feature, taken as a number.
    Bytes,
    /// One bit a feature, least significant first; each row starts at a new byte.
    Bits,
    /// One f32 a feature.
    Numbers,
}

impl BinaryType {
    /// Stored elements of a row of `width` features.
    #[must_use]
    pub const fn stride(self, width: usize) -> usize {
        match self {
            Self::Bytes | Self::Numbers => width,
            Self::Bits => width.div_ceil(8),
        }
    }

    /// Bytes of a stored element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bytes | Self::Bits => 1,
            Self::Numbers => 4,
        }
    }
}

/// Where the rows of one kind of column lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// First byte.
    pub(crate) offset: usize,
    /// Elements from one row to the next: the row's length.
    pub(crate) stride: usize,
    /// Bytes of an element.
    pub(crate) size: usize,
}

impl Rows {
    /// Bytes of some rows.
    pub(crate) fn bytes(&self, rows: &Range<usize>) -> Range<usize> {
        let at = |row: usize| self.offset + row * self.stride * self.size;
        at(rows.start)..at(rows.end)
    }
}

/// A batch's place in a block of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Type of continuous features and embeddings.
    pub(crate) features: FeatureType,
    /// Type of binary features.
    pub(crate) binary: BinaryType,
    /// Candidates.
    pub(crate) candidates: usize,
    /// Requests that have candidates.
    pub(crate) requests: usize,
    /// Continuous, binary, and the three embeddings, a row a request.
    pub(crate) request: [Rows; 5],
    /// The same, a row a candidate.
    pub(crate) candidate: [Rows; 5],
    /// Bytes of all; the table of requests, u32 a candidate, comes first.
    pub(crate) bytes: usize,
}

impl Layout {
    /// Lays out `candidates` of `requests`.
    pub(crate) fn new(
        (features, binary): (FeatureType, BinaryType),
        (requests, candidates): (usize, usize),
        widths: Widths,
        split: &Split,
    ) -> Self {
        let mut bytes = candidates * size_of::<u32>();
        let mut rows = |widths: Widths, count: usize| {
            let [user, user_eng, author] = widths.embeddings();
            let strides = [widths.continuous, binary.stride(widths.binary), user, user_eng, author];
            let mut index = 0;
            strides.map(|stride| {
                let size = if index == 1 { binary.bytes() } else { features.bytes() };
                index += 1;
                let offset = bytes.next_multiple_of(REGION_ALIGN);
                bytes = offset + count * stride * size;
                Rows { offset, stride, size }
            })
        };
        let request = rows(split.request_widths(widths), requests);
        let candidate = rows(split.candidate_widths(widths), candidates);
        Self { features, binary, candidates, requests, request, candidate, bytes }
    }

    /// Bytes that a batch of up to `candidates` can need, whatever its types.
    pub(crate) fn max_bytes(widths: Widths, split: &Split, candidates: usize) -> usize {
        let widest = (FeatureType::F32, BinaryType::Numbers);
        Self::new(widest, (candidates, candidates), widths, split).bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: Widths =
        Widths { continuous: 7, binary: 9, user_embedding: 5, user_eng_embedding: 0, author_embedding: 3 };

    #[test]
    fn regions_follow_each_other_and_fit_the_largest_batch() {
        let split = Split { continuous: vec![1..3], ..Split::user_embeddings() };
        for features in [FeatureType::F32, FeatureType::Bf16, FeatureType::F16] {
            for binary in [BinaryType::Bytes, BinaryType::Bits, BinaryType::Numbers] {
                for (requests, candidates) in [(0, 0), (1, 1), (3, 17), (17, 17)] {
                    let layout = Layout::new((features, binary), (requests, candidates), WIDTHS, &split);
                    let mut end = candidates * 4;
                    let request = layout.request.iter().map(|rows| (rows, requests));
                    let candidate = layout.candidate.iter().map(|rows| (rows, candidates));
                    for (rows, count) in request.chain(candidate) {
                        assert!(rows.offset >= end && rows.offset - end < REGION_ALIGN, "{layout:?}");
                        assert_eq!(rows.offset % REGION_ALIGN, 0);
                        end = rows.bytes(&(0..count)).end;
                    }
                    assert_eq!(end, layout.bytes);
                    assert!(end <= Layout::max_bytes(WIDTHS, &split, candidates), "{layout:?}");
                }
            }
        }
        let layout = Layout::new((FeatureType::Bf16, BinaryType::Bits), (1, 2), WIDTHS, &split);
        assert_eq!((layout.request[0].stride, layout.candidate[0].stride), (2, 5));
        assert_eq!((layout.request[1].stride, layout.candidate[1].stride), (0, 2));
        assert_eq!((layout.request[2].stride, layout.candidate[2].stride), (5, 0));
    }
}
