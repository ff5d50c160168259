//! The layout of a packed file: a prefix of fixed size, then three sections.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::checksum::combine;
use crate::batch::Split;
use crate::config::Widths;
use crate::{Error, Result};

/// First bytes of every packed file.
pub(super) const MAGIC: [u8; 8] = *b"MASKRANK";
/// Raised with every change of the format or of any layout in it.
pub(super) const VERSION: u32 = 1;
/// Bytes of the prefix.
pub(super) const PREFIX: usize = 64;
/// What the payload's offset is a multiple of: a page, so that it can be used where it is mapped.
pub(super) const PAGE: u64 = 4096;
/// Most bytes of header and tensors together: those of a model of a few million input features.
const MAX_HEAD: u64 = 1 << 30;

/// Where the sections lie, and their checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) header: u64,
    pub(super) tensors: u64,
    pub(super) payload: u64,
    pub(super) payload_checksum: u64,
    /// Of header and tensors, without the prefix's own part.
    pub(super) head_checksum: u64,
}

impl Prefix {
    /// First byte of the payload.
    pub(super) fn payload_offset(&self) -> u64 {
        (PREFIX as u64 + self.header + self.tensors).next_multiple_of(PAGE)
    }

    pub(super) fn encode(&self) -> [u8; PREFIX] {
        let mut bytes = [0; PREFIX];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let words = [self.header, self.tensors, self.payload, self.payload_checksum, self.head_checksum];
        for (word, cell) in words.iter().zip(bytes[16..56].as_chunks_mut::<8>().0) {
            *cell = word.to_le_bytes();
        }
        let own = self.own_checksum();
        bytes[56..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    fn own_checksum(&self) -> u64 {
        combine([
            VERSION.into(),
            self.header,
            self.tensors,
            self.payload,
            self.payload_checksum,
            self.head_checksum,
        ])
    }

    /// Reads a prefix and holds it against the file's length; nothing else is believed before.
    pub(super) fn decode(bytes: &[u8], file_bytes: u64, file: &Path) -> Result<Self> {
        let wrong = |problem: String| Error::Packed { file: file.to_owned(), problem };
        let Some(bytes) = bytes.first_chunk::<PREFIX>().filter(|bytes| bytes.starts_with(&MAGIC)) else {
            return Err(wrong(
                "not a packed model: expected a model folder, or a file that `maskrank pack` wrote".into(),
            ));
        };
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let version = word(8) as u32;
        if version != VERSION {
            return Err(wrong(format!(
                "format version {version}, this program reads {VERSION}: pack the model again with it"
            )));
        }
        let prefix = Self {
            header: word(16),
            tensors: word(24),
            payload: word(32),
            payload_checksum: word(40),
            head_checksum: word(48),
        };
        let damaged = |what: &str| wrong(format!("damaged: {what}; pack the model again"));
        if bytes[12..16] != [0; 4] || word(56) != prefix.own_checksum() {
            return Err(damaged("its prefix does not have its checksum"));
        }
        let head = prefix.header.checked_add(prefix.tensors).filter(|&head| head <= MAX_HEAD);
        let end = head.and_then(|_| prefix.payload_offset().checked_add(prefix.payload));
        match end {
            Some(end) if end == file_bytes => Ok(prefix),
            Some(end) => Err(damaged(&format!("expected {end} bytes, found {file_bytes}"))),
            None => Err(damaged("its sections have impossible lengths")),
        }
    }
}

/// The JSON header: what the file is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Program and version that wrote it, for people.
    pub(super) program: String,
    pub(super) backend: String,
    pub(super) layout: String,
    pub(super) precision: String,
    /// continuous, binary, and the embeddings.
    pub(super) widths: [usize; 5],
    pub(super) split: SplitHeader,
    /// The configuration's own text.
    pub(super) config: String,
    /// Of what the configuration meant when it was packed: a variable in it may mean something else here.
    pub(super) config_checksum: String,
    /// The segdense schema's own text.
    pub(super) schema: Option<String>,
    pub(super) source: Source,
}

/// What was packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The weights' own name.
    pub file: String,
    /// Bytes of the weights file.
    pub bytes: u64,
    /// Checksum of the weights file, in hexadecimal.
    pub checksum: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SplitHeader {
    continuous: Vec<(usize, usize)>,
    binary: Vec<(usize, usize)>,
    embeddings: [bool; 3],
}

impl SplitHeader {
    pub(super) fn new(split: &Split) -> Self {
        let pairs = |ranges: &[std::ops::Range<usize>]| ranges.iter().map(|r| (r.start, r.end)).collect();
        Self {
            continuous: pairs(&split.continuous),
            binary: pairs(&split.binary),
            embeddings: split.embeddings,
        }
    }

    pub(super) fn split(&self) -> Split {
        let ranges = |pairs: &[(usize, usize)]| pairs.iter().map(|&(start, end)| start..end).collect();
        Split {
            continuous: ranges(&self.continuous),
            binary: ranges(&self.binary),
            embeddings: self.embeddings,
        }
    }
}

pub(super) fn widths_of(list: [usize; 5]) -> Widths {
    let [continuous, binary, user_embedding, user_eng_embedding, author_embedding] = list;
    Widths { continuous, binary, user_embedding, user_eng_embedding, author_embedding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_reads_back_and_no_changed_bit_does() {
        let prefix =
            Prefix { header: 100, tensors: 3000, payload: 64, payload_checksum: 7, head_checksum: 8 };
        let bytes = prefix.encode();
        let (len, file) = (prefix.payload_offset() + 64, Path::new("x"));
        assert_eq!(Prefix::decode(&bytes, len, file).unwrap(), prefix);
        assert!(Prefix::decode(&bytes, len + 1, file).is_err());
        assert!(Prefix::decode(&bytes[..63], len, file).is_err());
        for bit in 0..8 * PREFIX {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Prefix::decode(&bytes, len, file).is_err(), "bit {bit}");
        }
        for huge in [u64::MAX, u64::MAX - 4095, 1 << 63] {
            for field in 0..3 {
                let mut prefix = prefix;
                *[&mut prefix.header, &mut prefix.tensors, &mut prefix.payload][field] = huge;
                let mut bytes = [0; PREFIX];
                if field == 2 {
                    bytes = prefix.encode();
                }
                assert!(Prefix::decode(&bytes, len, file).is_err());
            }
        }
    }
}
