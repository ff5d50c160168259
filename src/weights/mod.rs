//! Weights: a safetensors file of the PyTorch `state_dict`, mapped and validated before anything uses it.
//!
//! Opening checks the file for itself: header, offsets, types it can read. [`Weights::check`] then holds it against a
//! configuration: names, shapes, values.

mod check;
mod encode;
mod header;
mod layout;
pub(crate) mod names;
pub mod packed;
pub(crate) mod round;
pub mod seeded;
mod storage;
mod tensor;
mod widths;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use encode::NamedTensor;
pub use layout::{Dim, ExpectedTensor, Kind, expected};
pub use tensor::{Dtype, Tensor};
pub use widths::WidthsSeen;

use crate::Result;
use header::Entry;
use storage::Storage;

/// A weights file in memory. Tensor names are without the optional `model.` prefix.
#[derive(Debug)]
pub struct Weights {
    file: PathBuf,
    bytes: Storage,
    tensors: HashMap<String, Entry>,
    packed: Option<Arc<packed::Packed>>,
}

impl Weights {
    /// Opens a safetensors file. Its bytes are copied once, into memory that nothing can write to or shrink, so the
    /// file may change or vanish afterwards.
    ///
    /// # Errors
    /// The file cannot be read, or is not a well-formed safetensors file of types that this crate reads.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(path.to_owned(), Storage::copy_of(path)?)
    }

    /// Opens a safetensors file without a copy: the mapping is the file itself, shared between processes.
    ///
    /// # Errors
    /// As [`Weights::open`].
    ///
    /// # Safety
    /// Until the weights, and every model and scorer made of them, are dropped, nothing may write to the file or
    /// shrink it: a write changes scores after they were checked, reading past a shrunken end kills the process.
    pub unsafe fn open_shared(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // SAFETY: the caller's promise is the one that `Storage::shared` asks for; `Self` owns the storage.
        let bytes = unsafe { Storage::shared(path) }?;
        Self::parse(path.to_owned(), bytes)
    }

    /// Weights from the bytes of a safetensors file; `name` stands for the file in errors.
    ///
    /// # Errors
    /// The bytes are not a well-formed safetensors file of types that this crate reads.
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self> {
        Self::parse(name.into(), Storage::Owned(bytes))
    }

    fn parse(file: PathBuf, bytes: Storage) -> Result<Self> {
        let tensors = header::parse(&bytes, &file)?.into_iter().collect();
        Ok(Self { file, bytes, tensors, packed: None })
    }

    /// The file that the weights came from, or what stands for it.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The bytes of the whole file, header included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The names of all tensors, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor of that name, where the file holds one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Tensor<'_>> {
        let entry = self.tensors.get(name)?;
        Some(Tensor { dtype: entry.dtype, shape: &entry.shape, bytes: &self.bytes[entry.range.clone()] })
    }

    /// The tensor of that name, which a check of the layout has found before.
    ///
    /// # Panics
    /// When the file does not hold it.
    #[must_use]
    pub fn get(&self, name: &str) -> Tensor<'_> {
        self.find(name)
            .unwrap_or_else(|| panic!("{}: tensor \"{name}\" was not checked", self.file.display()))
    }
}
