//! Which matrices a payload holds, and where, when they are plain rows.

use std::collections::HashMap;
use std::ops::Range;

use crate::weights::{Dtype, ExpectedTensor, Kind, Tensor};

/// Bytes that every matrix of a payload of rows starts at a multiple of.
const ALIGN: usize = 64;

/// The matrices of a model, by name.
#[derive(Debug, Default)]
pub(super) struct Matrices {
    entries: HashMap<String, Entry>,
    dtype: Option<Dtype>,
    /// Elements of all matrices, without any padding.
    pub(super) elements: usize,
    /// Bytes of a payload of rows.
    pub(super) bytes: usize,
}

#[derive(Debug)]
struct Entry {
    shape: [usize; 2],
    range: Range<usize>,
}

/// Whether a tensor is a matrix that goes to the payload. A layer of one output, such as a tower's last, is a row that
/// the head takes in f32, and stays among the tensors.
pub(super) fn is_matrix(tensor: &ExpectedTensor) -> bool {
    tensor.kind == Kind::LinearWeight && tensor.dims.first().is_some_and(|out| out.len > 1)
}

impl Matrices {
    /// The matrices of a layout; nothing where their sizes overflow. `dtype` is that of a payload of rows.
    pub(super) fn new(expected: &[ExpectedTensor], dtype: Option<Dtype>) -> Option<Self> {
        let mut matrices = Self { dtype, ..Self::default() };
        for tensor in expected.iter().filter(|tensor| is_matrix(tensor)) {
            let shape: [usize; 2] = tensor.shape().try_into().ok()?;
            let elements = shape[0].checked_mul(shape[1])?;
            let bytes = elements.checked_mul(dtype.map_or(1, Dtype::size))?;
            let start = matrices.bytes.checked_next_multiple_of(ALIGN)?;
            let end = start.checked_add(bytes)?;
            matrices.entries.insert(tensor.name.clone(), Entry { shape, range: start..end });
            matrices.elements = matrices.elements.checked_add(elements)?;
            matrices.bytes = end;
        }
        Some(matrices)
    }

    pub(super) fn shape(&self, name: &str) -> Option<[usize; 2]> {
        self.entries.get(name).map(|entry| entry.shape)
    }

    /// Where a matrix of rows lies in the payload.
    pub(super) fn range(&self, name: &str) -> Option<Range<usize>> {
        self.entries.get(name).map(|entry| entry.range.clone())
    }

    pub(super) fn rows<'a>(&'a self, name: &str, payload: &'a [u8]) -> Option<Tensor<'a>> {
        let (entry, dtype) = (self.entries.get(name)?, self.dtype?);
        Some(Tensor { dtype, shape: &entry.shape, bytes: payload.get(entry.range.clone())? })
    }
}
