//! Weights: a safetensors file of the PyTorch `state_dict`, mapped and validated before anything uses it.

mod tensor;

use std::collections::HashMap;
use std::path::PathBuf;

pub use tensor::{Dtype, Tensor};

/// A weights file in memory. Tensor names are without the optional `model.` prefix.
#[derive(Debug)]
pub struct Weights {
    file: PathBuf,
    bytes: Vec<u8>,
    tensors: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    range: std::ops::Range<usize>,
}

impl Weights {
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
