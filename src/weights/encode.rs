//! Writing the safetensors format.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::header::Entry;
use super::storage::Storage;
use super::{Dtype, Weights};
use crate::{Error, Result};

/// More than this is not made in memory.
const MAX_BYTES: usize = 16 << 30;

/// A tensor to be laid out.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

/// A file's bytes with the header written and the data still zero, and where each slot's data goes, in the slots' order.
/// Wider types come first, so that every tensor is aligned to its own type.
pub(super) fn lay_out(slots: &[Slot], file: &Path) -> Result<(Vec<u8>, Vec<std::ops::Range<usize>>)> {
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_by_key(|&slot| std::cmp::Reverse(slots[slot].dtype.size()));
    let mut header = String::from("{");
    let mut offsets = vec![0..0; slots.len()];
    let mut end = 0_usize;
    for slot in order {
        let Slot { name, dtype, shape } = &slots[slot];
        let bytes = shape.iter().try_fold(dtype.size(), |bytes, &dim| bytes.checked_mul(dim));
        let begin = end;
        end = bytes.and_then(|bytes| begin.checked_add(bytes)).filter(|&end| end <= MAX_BYTES).ok_or_else(
            || {
                Error::weights(
                    file,
                    name,
                    format!("expected at most {MAX_BYTES} bytes of weights, found more"),
                )
            },
        )?;
        offsets[slot] = begin..end;
        let comma = if header.len() > 1 { "," } else { "" };
        let name = serde_json::Value::from(name.as_str());
        // Writing to a string cannot fail.
        let _ = write!(
            header,
            "{comma}{name}:{{\"dtype\":\"{}\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}",
            dtype.name()
        );
    }
    header.push('}');
    let length = header.len().next_multiple_of(8);
    let start = 8 + length;
    let mut bytes = vec![0; start + end];
    bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
    bytes[8..start].fill(b' ');
    bytes[8..8 + header.len()].copy_from_slice(header.as_bytes());
    Ok((bytes, offsets.into_iter().map(|range| start + range.start..start + range.end).collect()))
}

/// A tensor with its values, to make [`Weights`] of.
#[derive(Clone, Debug)]
pub struct NamedTensor {
    /// The name in the released layout.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Dimensions; none for a scalar.
    pub shape: Vec<usize>,
    /// `shape.product() · dtype.size()` little-endian bytes, row-major.
    pub bytes: Vec<u8>,
}

impl NamedTensor {
    /// A tensor of f32 values.
    #[must_use]
    pub fn f32(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::F32, shape: shape.into(), bytes }
    }
}

impl Weights {
    /// Weights of tensors in memory; `name` stands for a file in errors.
    ///
    /// # Errors
    /// A tensor's bytes do not fit its shape, or a name is given twice.
    pub fn from_tensors(name: impl Into<PathBuf>, tensors: &[NamedTensor]) -> Result<Self> {
        let file = name.into();
        let slots: Vec<Slot> = tensors
            .iter()
            .map(|t| Slot { name: t.name.clone(), dtype: t.dtype, shape: t.shape.clone() })
            .collect();
        let (mut bytes, ranges) = lay_out(&slots, &file)?;
        for (tensor, range) in tensors.iter().zip(ranges) {
            if range.len() != tensor.bytes.len() {
                let problem = format!(
                    "expected {} bytes for shape {:?}, found {}",
                    range.len(),
                    tensor.shape,
                    tensor.bytes.len()
                );
                return Err(Error::weights(&file, &tensor.name, problem));
            }
            bytes[range].copy_from_slice(&tensor.bytes);
        }
        Self::from_bytes(file, bytes)
    }

    /// The same tensors under one more name for messages; used where a fresh layout needs no second parse.
    pub(super) fn from_parts(file: PathBuf, bytes: Vec<u8>, tensors: HashMap<String, Entry>) -> Self {
        Self { file, bytes: Storage::Owned(bytes), tensors, packed: None }
    }

    /// Writes the file: all of it or none, under a temporary name that is then renamed.
    ///
    /// # Errors
    /// The folder cannot be written to, or the disk is full; no partial file is left behind.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| file.write_all(&self.bytes))
    }
}

/// Writes a file under a temporary name that is then renamed.
pub(super) fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let Some(name) = path.file_name() else {
        return Err(Error::io("write", path, std::io::ErrorKind::InvalidFilename.into()));
    };
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.partial", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        // The error that matters is the one that led here.
        let _ = fs::remove_file(&temporary);
        Error::io("write", path, source)
    })
}
