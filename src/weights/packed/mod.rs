//! Packed models: one file with all that a scorer needs, folded, padded and converted for one backend and precision, so
//! that opening it is reading it.
//!
//! ```text
//! prefix    64 bytes: magic, version, lengths and checksums, little-endian
//! header    JSON: what it was packed for, configuration, schema, source
//! tensors   a safetensors file: every tensor but the matrices, and what folding made of those
//! padding   zeros up to a page
//! payload   the matrices, in the order in which the backend's kernels read them
//! ```
//!
//! Every length is held against the file's before it is used, and what the header calls for against the tensors and the
//! payload; nothing is allocated beyond a small multiple of the file's own size. Opening copies the payload into
//! private memory while its checksum is taken, unless the caller vouches for the file ([`Weights::open_packed_shared`]).

mod checksum;
mod format;
mod matrices;
mod read;
mod write;

pub use format::Source;
pub use read::{is_packed, repair};
pub(crate) use write::Packing;

use std::sync::Arc;

use crate::Error;
use crate::batch::Split;
use crate::config::{ModelConfig, Widths};

use super::storage::Storage;
use super::{Tensor, Weights};
use matrices::Matrices;

/// Layout of a payload of plain folded rows, which any backend can pack further.
pub(crate) const ROWS: &str = "rows";

/// What a packed file holds besides its tensors.
#[derive(Debug)]
pub struct Packed {
    backend: String,
    layout: String,
    precision: String,
    split: Split,
    widths: Widths,
    config: ModelConfig,
    config_text: String,
    schema: Option<String>,
    source: Source,
    payload: Payload,
    matrices: Matrices,
}

/// The payload's bytes, at a multiple of 64 in memory.
#[derive(Debug)]
struct Payload {
    storage: Arc<Storage>,
    range: std::ops::Range<usize>,
}

impl Packed {
    /// The backend that it was packed for, by its name on the command line.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// How the payload lies: the name of a kernel layout, or `rows`.
    #[must_use]
    pub fn layout(&self) -> &str {
        &self.layout
    }

    /// The precision of the payload, by its name on the command line.
    #[must_use]
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// The split that it was packed for.
    #[must_use]
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// Widths of the raw inputs.
    #[must_use]
    pub fn widths(&self) -> Widths {
        self.widths
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The configuration's own text.
    #[must_use]
    pub fn config_text(&self) -> &str {
        &self.config_text
    }

    /// The segdense schema's own text, where the model's folder had one.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The weights that were packed.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The matrices' bytes, at a multiple of 64 in memory.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload.storage[self.payload.range.clone()]
    }

    /// Output and input features of a matrix that is in the payload.
    pub(crate) fn shape(&self, name: &str) -> Option<[usize; 2]> {
        self.matrices.shape(name)
    }

    /// The folded matrix of that name, where the payload is plain rows.
    pub(crate) fn rows(&self, name: &str) -> Option<Tensor<'_>> {
        self.matrices.rows(name, self.payload())
    }
}

impl Weights {
    /// What the weights were packed for, where they are a packed file's.
    #[must_use]
    pub fn packed(&self) -> Option<&Packed> {
        self.packed.as_deref()
    }

    pub(crate) fn packed_shared(&self) -> Option<&Arc<Packed>> {
        self.packed.as_ref()
    }

    /// Shape of a linear layer's weight, wherever it lies.
    ///
    /// # Panics
    /// When neither the tensors nor the payload hold it: a check has found it before.
    pub(crate) fn matrix_shape(&self, name: &str) -> [usize; 2] {
        match self.packed.as_ref().and_then(|packed| packed.shape(name)) {
            Some(shape) => shape,
            None => {
                let shape = self.get(name).shape;
                [shape[0], shape[1]]
            }
        }
    }

    pub(crate) fn packed_error(&self, problem: impl Into<String>) -> Error {
        Error::Packed { file: self.file().to_owned(), problem: problem.into() }
    }
}

/// Suffixes of what folding made of a matrix; f64 tensors, (out_features) each.
pub(crate) mod folded {
    /// The bias with the norm before the layer folded in.
    pub(crate) const BIAS: &str = "folded_bias";
    /// See [`crate::plan::ReuseConstants::center`].
    pub(crate) const CENTER: &str = "reuse_center";
    /// See [`crate::plan::ReuseConstants::shift`].
    pub(crate) const SHIFT: &str = "reuse_shift";

    /// The name of a folded tensor beside a matrix of this name.
    pub(crate) fn name(matrix: &str, suffix: &str) -> String {
        format!("{}.{suffix}", matrix.strip_suffix(".weight").unwrap_or(matrix))
    }
}

/// What a configuration means, for comparison.
fn config_checksum(config: &ModelConfig, widths: Widths) -> String {
    format!("{:016x}", checksum::checksum(format!("{config:?} {widths:?}").as_bytes()))
}

/// An error of a packed file.
fn packed_error(file: &std::path::Path, problem: impl Into<String>) -> Error {
    Error::Packed { file: file.to_owned(), problem: problem.into() }
}
