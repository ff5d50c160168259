//! Opening a packed file: prefix, header, tensors, payload, each checked before the next is looked at.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checksum::{CHUNK, checksum, combine, stretch};
use super::format::{Header, MAGIC, PAGE, PREFIX, Prefix, widths_of};
use super::matrices::{Matrices, is_matrix};
use super::{Packed, Payload, ROWS, config_checksum, folded, packed_error};
use crate::Result;
use crate::config::ModelConfig;
use crate::weights::storage::{self, Storage};
use crate::weights::{Dtype, ExpectedTensor, Weights, layout};

impl Weights {
    /// Opens a packed model's file. The payload is copied into private memory, its checksum taken on the way, so the
    /// file may change or vanish afterwards.
    ///
    /// # Errors
    /// The file cannot be read; it is not a packed model of this version, damaged, or cut; what it holds does not fit its
    /// configuration.
    pub fn open_packed(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (file, len) = storage::open(path)?;
        let read = |offset: u64, bytes: usize| storage::read_at(&file, offset, bytes, path);
        Self::from_sections(path, len, read, |prefix| {
            let (offset, bytes) = (prefix.payload_offset(), prefix.payload as usize);
            let (storage, parts) = storage::copy_at(&file, offset, bytes, path, CHUNK, stretch)?;
            Ok((Payload { storage: Arc::new(storage), range: 0..bytes }, combine(parts)))
        })
    }

    /// Opens a packed model's file without a copy: the payload is used where the file is mapped, shared with every
    /// process that does the same.
    ///
    /// # Errors
    /// As [`Weights::open_packed`].
    ///
    /// # Safety
    /// Until the weights, and every model and scorer made of them, are dropped, nothing may write to the file or
    /// shrink it: a write changes scores after they were checked, reading past a shrunken end kills the process.
    pub unsafe fn open_packed_shared(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // SAFETY: the caller's promise is the one that `Storage::shared` asks for; the payload owns the storage.
        let storage = Arc::new(unsafe { Storage::shared(path) }?);
        Self::from_storage(path, &storage)
    }

    /// A packed model from the bytes of its file; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Weights::open_packed`].
    pub fn packed_from_bytes(name: impl Into<PathBuf>, bytes: &[u8]) -> Result<Self> {
        let name = name.into();
        let storage = Arc::new(Storage::aligned(bytes, &name)?);
        Self::from_storage(&name, &storage)
    }

    fn from_storage(path: &Path, storage: &Arc<Storage>) -> Result<Self> {
        let read = |offset: u64, bytes: usize| {
            let bytes = usize::try_from(offset).ok().and_then(|o| storage.get(o..o.checked_add(bytes)?));
            bytes.map(<[u8]>::to_vec).ok_or_else(|| packed_error(path, "damaged: it ends early"))
        };
        Self::from_sections(path, storage.len() as u64, read, |prefix| {
            let start = prefix.payload_offset() as usize;
            let range = start..start + prefix.payload as usize;
            let sum = checksum(&storage[range.clone()]);
            Ok((Payload { storage: Arc::clone(storage), range }, sum))
        })
    }

    /// `read` gives bytes of the file; `payload` the payload and its checksum. Sections lie inside `file_bytes`.
    fn from_sections(
        path: &Path,
        file_bytes: u64,
        read: impl Fn(u64, usize) -> Result<Vec<u8>>,
        payload: impl FnOnce(&Prefix) -> Result<(Payload, u64)>,
    ) -> Result<Self> {
        let wrong = |problem: String| packed_error(path, problem);
        let damaged = |what: &str| wrong(format!("damaged: {what}; pack the model again"));
        if usize::try_from(file_bytes).is_err() {
            return Err(wrong(format!("{file_bytes} bytes do not fit this machine's memory")));
        }
        let prefix = Prefix::decode(&read(0, PREFIX.min(file_bytes as usize))?, file_bytes, path)?;
        let header_bytes = read(PREFIX as u64, prefix.header as usize)?;
        let tensors_bytes = read(PREFIX as u64 + prefix.header, prefix.tensors as usize)?;
        if combine([checksum(&header_bytes), checksum(&tensors_bytes)]) != prefix.head_checksum {
            return Err(damaged("its header does not have its checksum"));
        }
        let header: Header = serde_json::from_slice(&header_bytes)
            .map_err(|error| wrong(format!("a header that this program cannot read: {error}")))?;

        let config = ModelConfig::from_yaml(&header.config, path)?;
        let widths = widths_of(header.widths);
        let sum =
            widths.embeddings().iter().try_fold(widths.continuous, |sum, &width| sum.checked_add(width));
        if sum.and_then(|sum| sum.checked_add(widths.binary)).is_none() {
            return Err(wrong("widths beyond reason".into()));
        }
        if config_checksum(&config, widths) != header.config_checksum {
            return Err(wrong(
                "its configuration means something else here than where it was packed: a variable in it has another \
                 value, or another version of this program packed it; pack the model again"
                    .into(),
            ));
        }
        let split = header.split.split();
        split.check(widths)?;
        let expected = layout::expected(&config, widths)?;
        let matrices = matrices(&header, &expected, &prefix).map_err(wrong)?;

        let mut weights = Self::from_bytes(path, tensors_bytes)?;
        weights.check_packed(&expected)?;
        let (payload, found) = payload(&prefix)?;
        if found != prefix.payload_checksum {
            return Err(damaged("its payload does not have its checksum"));
        }
        weights.packed = Some(Arc::new(Packed {
            backend: header.backend,
            layout: header.layout,
            precision: header.precision,
            split,
            widths,
            config,
            config_text: header.config,
            schema: header.schema,
            source: header.source,
            payload,
            matrices,
        }));
        Ok(weights)
    }

    /// Every tensor but the matrices, which the payload holds, and each matrix's folded bias.
    fn check_packed(&self, expected: &[ExpectedTensor]) -> Result<()> {
        let (matrices, tensors): (Vec<_>, Vec<_>) = expected.iter().cloned().partition(is_matrix);
        let mut derived = std::collections::HashSet::new();
        for matrix in &matrices {
            let out = matrix.shape()[0];
            for (suffix, required) in [(folded::BIAS, true), (folded::CENTER, false), (folded::SHIFT, false)]
            {
                let name = folded::name(&matrix.name, suffix);
                let fits = match self.find(&name) {
                    Some(tensor) => {
                        tensor.dtype == Dtype::F64
                            && tensor.shape == [out]
                            && tensor.to_vec().iter().all(|value| value.is_finite())
                    }
                    None => !required,
                };
                if !fits {
                    let problem =
                        format!("expected {out} finite F64 values of \"{name}\"; pack the model again");
                    return Err(self.packed_error(problem));
                }
                derived.insert(name);
            }
        }
        self.check_all(&tensors, |name| derived.contains(name))
    }
}

/// The payload's matrices, where it can hold them.
fn matrices(
    header: &Header,
    expected: &[ExpectedTensor],
    prefix: &Prefix,
) -> std::result::Result<Matrices, String> {
    let dtype = match header.precision.as_str() {
        "f32" => Dtype::F32,
        "bf16" => Dtype::Bf16,
        "f16" => Dtype::F16,
        other => return Err(format!("precision {}: expected f32, bf16 or f16", crate::config::shown(other))),
    };
    let is_rows = header.layout == ROWS;
    let unfit =
        || "its payload is not as long as its configuration's matrices; pack the model again".to_owned();
    let matrices = Matrices::new(expected, is_rows.then_some(dtype)).ok_or_else(unfit)?;
    // A kernel's layout pads, so it is never shorter; the backend compares exactly.
    let least = matrices.elements.checked_mul(dtype.size()).ok_or_else(unfit)? as u64;
    let fits = if is_rows { prefix.payload == matrices.bytes as u64 } else { prefix.payload >= least };
    fits.then_some(matrices).ok_or_else(unfit)
}

/// Whether a path is a packed model's file, by its first bytes; false for what cannot be read.
#[must_use]
pub fn is_packed(path: &Path) -> bool {
    use std::io::Read;

    let mut magic = Vec::new();
    let is_file = path.is_file();
    let file = is_file.then(|| File::open(path).ok()).flatten();
    file.is_some_and(|file| file.take(MAGIC.len() as u64).read_to_end(&mut magic).is_ok()) && magic == MAGIC
}

/// A packed file's bytes with lengths and checksums made right, as far as the bytes go: what a fuzzer needs to get
/// behind them.
#[doc(hidden)]
#[must_use]
pub fn repair(bytes: &[u8]) -> Vec<u8> {
    let body = bytes.get(PREFIX..).unwrap_or_default();
    let word =
        |at: usize| bytes.get(at..at + 8).map_or(0, |b| u64::from_le_bytes(std::array::from_fn(|i| b[i])));
    let header = (word(16) as usize).min(body.len());
    let tensors = (word(24) as usize).min(body.len() - header);
    let (header, rest) = body.split_at(header);
    let (tensors, rest) = rest.split_at(tensors);
    let head = PREFIX + header.len() + tensors.len();
    let padding = head.next_multiple_of(PAGE as usize) - head;
    let payload = rest.get(padding..).unwrap_or_default();
    let prefix = Prefix {
        header: header.len() as u64,
        tensors: tensors.len() as u64,
        payload: payload.len() as u64,
        payload_checksum: checksum(payload),
        head_checksum: combine([checksum(header), checksum(tensors)]),
    };
    [&prefix.encode()[..], header, tensors, &vec![0; padding], payload].concat()
}
