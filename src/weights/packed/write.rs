//! Writing a packed file.

use std::io::Write;
use std::path::Path;

use rayon::prelude::*;

use super::checksum::{checksum, combine};
use super::format::{Header, PAGE, PREFIX, Prefix, Source, SplitHeader};
use super::matrices::{Matrices, is_matrix};
use super::{config_checksum, folded};
use crate::batch::Split;
use crate::config::{ModelConfig, Widths};
use crate::weights::round::{bf16_of, f16_of};
use crate::weights::{Dtype, NamedTensor, Weights, encode, layout};
use crate::{Error, Result};

/// What is to be packed, and for what.
pub(crate) struct Packing<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) config_text: &'a str,
    pub(crate) schema: Option<&'a str>,
    pub(crate) widths: Widths,
    pub(crate) weights: &'a Weights,
    pub(crate) backend: String,
    pub(crate) precision: String,
    pub(crate) split: &'a Split,
    /// Name of a matrix, what was made of it, and its values: see [`folded`].
    pub(crate) folded: Vec<(String, &'static str, Vec<f64>)>,
}

impl Packing<'_> {
    /// The payload of plain rows: `row` writes a folded row of the matrix of that name.
    ///
    /// # Errors
    /// A precision that no payload has; sizes that overflow.
    pub(crate) fn rows(&self, row: impl Fn(&str, usize, &mut [f64]) + Sync) -> Result<Vec<u8>> {
        let dtype = match self.precision.as_str() {
            "f32" => Dtype::F32,
            "bf16" => Dtype::Bf16,
            "f16" => Dtype::F16,
            other => {
                return Err(Error::Argument {
                    argument: "precision",
                    expected: "f32, bf16 or f16".into(),
                    found: other.into(),
                });
            }
        };
        let expected = layout::expected(self.config, self.widths)?;
        let overflow = || Error::weights(self.weights.file(), "header", "sizes beyond memory");
        let matrices = Matrices::new(&expected, Some(dtype)).ok_or_else(overflow)?;
        let mut payload = vec![0; matrices.bytes];
        for tensor in expected.iter().filter(|tensor| is_matrix(tensor)) {
            let (Some([_, depth]), Some(range)) =
                (matrices.shape(&tensor.name), matrices.range(&tensor.name))
            else {
                continue;
            };
            let rows = payload[range].par_chunks_mut(depth * dtype.size()).enumerate();
            rows.for_each(|(out, bytes)| {
                let mut values = vec![0.0; depth];
                row(&tensor.name, out, &mut values);
                for (cell, &value) in bytes.chunks_mut(dtype.size()).zip(&values) {
                    match dtype {
                        Dtype::Bf16 => cell.copy_from_slice(&bf16_of(value).to_le_bytes()),
                        Dtype::F16 => cell.copy_from_slice(&f16_of(value).to_le_bytes()),
                        _ => cell.copy_from_slice(&(value as f32).to_le_bytes()),
                    }
                }
            });
        }
        Ok(payload)
    }

    /// Writes the file: all of it or none.
    ///
    /// # Errors
    /// The folder cannot be written to, or the disk is full; no partial file is left behind.
    pub(crate) fn write(&self, path: &Path, layout: &str, payload: &[u8]) -> Result<()> {
        let tensors = self.tensors()?;
        let header = self.header(layout);
        let prefix = Prefix {
            header: header.len() as u64,
            tensors: tensors.len() as u64,
            payload: payload.len() as u64,
            payload_checksum: checksum(payload),
            head_checksum: combine([checksum(&header), checksum(&tensors)]),
        };
        let head = PREFIX + header.len() + tensors.len();
        let padding = vec![0; head.next_multiple_of(PAGE as usize) - head];
        encode::write_whole(path, |file| {
            [&prefix.encode()[..], &header, &tensors, &padding, payload]
                .into_iter()
                .try_for_each(|part| file.write_all(part))
        })
    }

    fn header(&self, layout: &str) -> Vec<u8> {
        let [user, user_eng, author] = self.widths.embeddings();
        let bytes = self.weights.bytes();
        let header = Header {
            program: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            backend: self.backend.clone(),
            layout: layout.to_owned(),
            precision: self.precision.clone(),
            widths: [self.widths.continuous, self.widths.binary, user, user_eng, author],
            split: SplitHeader::new(self.split),
            config: self.config_text.to_owned(),
            config_checksum: config_checksum(self.config, self.widths),
            schema: self.schema.map(str::to_owned),
            source: Source {
                file: self.weights.file().file_name().unwrap_or_default().to_string_lossy().into_owned(),
                bytes: bytes.len() as u64,
                checksum: format!("{:016x}", checksum(bytes)),
            },
        };
        serde_json::to_vec(&header).expect("texts and numbers become JSON")
    }

    /// The safetensors section.
    fn tensors(&self) -> Result<Vec<u8>> {
        let expected = layout::expected(self.config, self.widths)?;
        let kept = expected.iter().filter(|tensor| !is_matrix(tensor)).filter_map(|tensor| {
            let stored = self.weights.find(&tensor.name)?;
            Some(NamedTensor {
                name: tensor.name.clone(),
                dtype: stored.dtype,
                shape: stored.shape.to_vec(),
                bytes: stored.bytes.to_vec(),
            })
        });
        let matrices: std::collections::HashSet<&str> =
            expected.iter().filter(|tensor| is_matrix(tensor)).map(|tensor| tensor.name.as_str()).collect();
        let folded = self.folded.iter().filter(|(matrix, ..)| matrices.contains(matrix.as_str()));
        let folded = folded.map(|(matrix, suffix, values)| NamedTensor {
            name: folded::name(matrix, suffix),
            dtype: Dtype::F64,
            shape: vec![values.len()],
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        });
        let tensors: Vec<NamedTensor> = kept.chain(folded).collect();
        Ok(Weights::from_tensors(self.weights.file(), &tensors)?.bytes().to_vec())
    }
}
