//! What a call brings to the launches of its size: where its features lie, where its outputs go, its score weights.

use std::ops::Range;

use crate::backend::staged::{BinaryType, FeatureType, Layout};

/// What a head's launch takes from the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadCall<'a> {
    /// Score weights, (tasks).
    pub(crate) weights: &'a [f32],
    /// Whether calibrated probabilities make the score.
    pub(crate) calibrated: bool,
    /// Where the outputs go.
    pub(crate) outputs: HeadOutputs,
}

/// Addresses of a batch's outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadOutputs {
    /// (rows), as featurize wrote them.
    pub(crate) status: u64,
    /// (rows).
    pub(crate) score: u64,
    /// Logits, probabilities and calibrated probabilities, (rows, tasks); 0 for none.
    pub(crate) per_task: [u64; 3],
}

/// Where a batch's features lie, by address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed {
    /// Type of continuous features and embeddings, as in the kernel's name.
    pub(crate) features: FeatureType,
    /// Type of binary features.
    pub(crate) binary: BinaryType,
    /// Continuous, binary, and the three embeddings.
    pub(crate) columns: [FeedColumns; 5],
    /// Request of each candidate, u32; 0 where all belong to the first.
    pub(crate) candidate_request: u64,
    /// Candidates.
    pub(crate) candidates: usize,
    /// Requests whose own rows are made with these candidates: all of them, with a batch's first candidates.
    pub(crate) requests: usize,
    /// Where statuses go, (rows).
    pub(crate) status: u64,
}

/// One kind of columns; strides in elements.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FeedColumns {
    pub(crate) candidate: u64,
    pub(crate) request: u64,
    pub(crate) candidate_stride: usize,
    pub(crate) request_stride: usize,
}

impl Feed {
    /// Some rows of a batch that lies at `base`.
    pub(crate) fn new(layout: &Layout, base: u64, rows: &Range<usize>, status: u64) -> Self {
        let mut columns = [FeedColumns::default(); 5];
        for ((out, each), once) in columns.iter_mut().zip(&layout.candidate).zip(&layout.request) {
            *out = FeedColumns {
                candidate: base + each.bytes(rows).start as u64,
                request: base + once.offset as u64,
                candidate_stride: each.stride,
                request_stride: once.stride,
            };
        }
        Self {
            features: layout.features,
            binary: layout.binary,
            columns,
            candidate_request: base + (rows.start * size_of::<u32>()) as u64,
            candidates: rows.len(),
            requests: if rows.start == 0 { layout.requests } else { 0 },
            status,
        }
    }

    /// No candidates, for a launch that will be replaced.
    pub(crate) fn empty(status: u64) -> Self {
        Self {
            features: FeatureType::F32,
            binary: BinaryType::Bytes,
            columns: [FeedColumns::default(); 5],
            candidate_request: 0,
            candidates: 0,
            requests: 0,
            status,
        }
    }
}

/// Where a program's memory lies, and how many multiprocessors there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Address of the image of the weights.
    pub(crate) image: u64,
    /// Address of the lane's memory.
    pub(crate) lane: u64,
    /// Multiprocessors of the device.
    pub(crate) multiprocessors: usize,
}
