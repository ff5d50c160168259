//! The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes without gaps.
//!
//! The header is read here rather than by a library so that every error names the tensor that it is about, and so that
//! a name given twice is one. Nothing is allocated beyond a small multiple of the file's own size.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::Dtype;
use crate::config::shown;
use crate::{Error, Result};

/// Bytes of the header's length.
const PREFIX: usize = 8;
/// The format's own limit on headers.
const MAX_HEADER: usize = 100_000_000;
/// In front of every name of a checkpoint that the training wrapper saved.
const MODEL_PREFIX: &str = "model.";

/// One entry of a header; the range counts from the start of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) range: Range<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// Parses and checks a header. The entries' ranges lie inside `file_bytes` and tile its data without gap or overlap.
pub(super) fn parse(bytes: &[u8], file: &Path) -> Result<Vec<(String, Entry)>> {
    let broken = |problem: String| Error::weights(file, "header", problem);
    let Some((length, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(broken(format!("expected at least {PREFIX} bytes, found a file of {}", bytes.len())));
    };
    let length = u64::from_le_bytes(*length);
    let Some((header, data)) =
        usize::try_from(length).ok().filter(|&l| l <= MAX_HEADER).and_then(|l| rest.split_at_checked(l))
    else {
        return Err(broken(format!(
            "expected a header of at most {} bytes, found a length of {length}: not a safetensors file, or a cut one",
            rest.len().min(MAX_HEADER)
        )));
    };
    let text = std::str::from_utf8(header)
        .map_err(|error| broken(format!("expected UTF-8, found another byte at {}", error.valid_up_to())))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let raw = Header
        .deserialize(&mut deserializer)
        .and_then(|raw| deserializer.end().map(|()| raw))
        .map_err(|error| broken(format!("not a safetensors header: {error}")))?;
    let start = PREFIX + header.len();
    let mut entries = raw
        .into_iter()
        .map(|(name, raw)| entry(&name, raw, data.len(), start, file).map(|entry| (name, entry)))
        .collect::<Result<Vec<_>>>()?;
    check_tiling(&mut entries, start, bytes.len(), file)?;
    strip_prefix(&mut entries, file)?;
    check_unique(&entries, file)?;
    Ok(entries)
}

fn entry(name: &str, raw: Raw, available: usize, start: usize, file: &Path) -> Result<Entry> {
    let wrong = |problem: String| Error::weights(file, shown(name), problem);
    let Some(dtype) = Dtype::from_name(&raw.dtype) else {
        let found = shown(&raw.dtype);
        return Err(wrong(format!("expected the type F32, BF16, F16 (or I64 for a counter), found {found}")));
    };
    let (begin, end) = raw.data_offsets;
    if begin > end || end > available {
        return Err(wrong(format!(
            "expected data offsets in order and within the {available} bytes of data, found [{begin}, {end}]"
        )));
    }
    let needed = raw.shape.iter().try_fold(dtype.size(), |bytes, &dim| bytes.checked_mul(dim));
    if needed != Some(end - begin) {
        return Err(wrong(format!(
            "expected the bytes of {} of shape {}, found {}",
            dtype.name(),
            shape_text(&raw.shape),
            end - begin
        )));
    }
    Ok(Entry { dtype, shape: raw.shape, range: start + begin..start + end })
}

/// A shape for a message; a rank beyond reason is cut.
pub(super) fn shape_text(shape: &[usize]) -> String {
    const SHOWN: usize = 8;
    if shape.len() <= SHOWN {
        return format!("{shape:?}");
    }
    format!("{:?}… ({} dimensions)", &shape[..SHOWN], shape.len())
}

/// Sorts by place, and refuses gaps and overlaps: a byte that no tensor or two tensors claim is a damaged file.
fn check_tiling(entries: &mut [(String, Entry)], start: usize, end: usize, file: &Path) -> Result<()> {
    entries.sort_by_key(|(_, entry)| (entry.range.start, entry.range.end));
    let mut at = start;
    for (name, entry) in entries.iter() {
        if entry.range.start != at {
            let kind = if entry.range.start < at { "an overlap" } else { "a gap" };
            let problem = format!(
                "expected its data at offset {}, where the tensor before it ends, found {kind}: offset {}",
                at - start,
                entry.range.start - start
            );
            return Err(Error::weights(file, shown(name), problem));
        }
        at = entry.range.end;
    }
    if at == end {
        return Ok(());
    }
    let problem = format!("expected the tensors to fill the file, found {} bytes after the last", end - at);
    Err(Error::weights(file, "header", problem))
}

/// Removes `model.` from every name when it is in front of every name.
fn strip_prefix(entries: &mut [(String, Entry)], file: &Path) -> Result<()> {
    let with = entries.iter().find(|(name, _)| name.starts_with(MODEL_PREFIX));
    let without = entries.iter().find(|(name, _)| !name.starts_with(MODEL_PREFIX));
    match (with, without) {
        (Some((with, _)), Some((without, _))) => {
            let problem = format!(
                "expected the prefix \"{MODEL_PREFIX}\" on all names or on none, found \"{}\" without it",
                shown(without)
            );
            Err(Error::weights(file, shown(with), problem))
        }
        (Some(_), None) => {
            entries.iter_mut().for_each(|(name, _)| drop(name.drain(..MODEL_PREFIX.len())));
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

fn check_unique(entries: &[(String, Entry)], file: &Path) -> Result<()> {
    let mut seen = std::collections::HashSet::with_capacity(entries.len());
    match entries.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::weights(file, shown(name), "expected one tensor of the name, found two"))
        }
    }
}

/// Reads the header's object into a list, so that a repeated name is not lost.
struct Header;

impl<'de> DeserializeSeed<'de> for Header {
    type Value = Vec<(String, Raw)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Header {
    type Value = Vec<(String, Raw)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let raw = map
                .next_value::<Raw>()
                .map_err(|error| A::Error::custom(format!("tensor \"{}\": {error}", shown(&name))))?;
            entries.push((name, raw));
        }
        Ok(entries)
    }
}
