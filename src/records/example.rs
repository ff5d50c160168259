//! `tf.Example` read in place.
//!
//! ```text
//! Example  { Features features = 1; }
//! Features { map<string, Feature> feature = 1; }      an entry of the map is a message { key = 1; value = 2; }
//! Feature  { oneof { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
//! …List    { repeated … value = 1; }                  numbers packed or one field each
//! ```
//!
//! Protobuf's rules for repeated pieces hold: messages given twice are merged, the last entry of a key wins, and within
//! a feature the last kind wins. Unknown fields are skipped. Features that nobody asked for are not looked into.

use std::ops::Range;

use super::schema::Dtype;
use super::wire::{Fields, Value, WireError};

/// Calls `found` with the key of every feature, in file order, and where the map entry lies.
pub(super) fn for_each_feature(
    example: &[u8],
    mut found: impl FnMut(&[u8], Range<usize>),
) -> Result<(), WireError> {
    let mut fields = Fields::new(example, 0..example.len());
    while let Some((number, value)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let mut features = Fields::new(example, value.into_range("Example.features")?);
        while let Some((number, value)) = features.next()? {
            if number != 1 {
                continue;
            }
            let entry = value.into_range("Features.feature")?;
            // A key that is not there is the empty text.
            let mut key = 0..0;
            let mut parts = Fields::new(example, entry.clone());
            while let Some((number, value)) = parts.next()? {
                if number == 1 {
                    key = value.into_range("a feature's key")?;
                }
            }
            found(&example[key], entry);
        }
    }
    Ok(())
}

/// One feature of an example: its map entry, and which of the lists in it count.
pub(super) struct Feature<'a> {
    example: &'a [u8],
    entry: Range<usize>,
    dtype: Dtype,
    /// Lists before this one were replaced by a list of another kind.
    first_list: usize,
}

impl<'a> Feature<'a> {
    /// Reads the map entry at `entry`. `None` when no list is set: such a feature is as good as missing.
    pub(super) fn open(example: &'a [u8], entry: Range<usize>) -> Result<Option<Self>, WireError> {
        let mut kind = None;
        let mut first_list = 0;
        let mut position = 0;
        for_each_list(example, entry.clone(), |dtype, _| {
            if kind.is_some_and(|before| before != dtype) {
                first_list = position;
            }
            kind = Some(dtype);
            position += 1;
            Ok(())
        })?;
        Ok(kind.map(|dtype| Self { example, entry, dtype, first_list }))
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Appends the first `take` floats to `out`; returns how many there are in all.
    pub(super) fn floats(&self, take: usize, out: &mut Vec<f32>) -> Result<usize, WireError> {
        let mut count = 0;
        self.for_each_value(|value| {
            match value {
                Value::Bytes(packed) => {
                    let (values, rest) = self.example[packed.clone()].as_chunks::<4>();
                    if !rest.is_empty() {
                        return Err(WireError::PackedFloats(packed.len()));
                    }
                    let wanted = take.saturating_sub(count).min(values.len());
                    out.extend(values[..wanted].iter().map(|&bytes| f32::from_le_bytes(bytes)));
                    count += values.len();
                }
                Value::Fixed32(bytes) => {
                    if count < take {
                        out.push(f32::from_le_bytes(bytes));
                    }
                    count += 1;
                }
                other => return Err(other.unexpected("FloatList.value")),
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Calls `each` with position and value of every integer; returns how many there are.
    pub(super) fn integers(&self, mut each: impl FnMut(usize, i64)) -> Result<usize, WireError> {
        let mut count = 0;
        self.for_each_value(|value| {
            match value {
                Value::Bytes(packed) => {
                    let mut values = Fields::new(self.example, packed);
                    while let Some(value) = values.next_varint()? {
                        each(count, value as i64);
                        count += 1;
                    }
                }
                Value::Varint(value) => {
                    each(count, value as i64);
                    count += 1;
                }
                other => return Err(other.unexpected("Int64List.value")),
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Calls `each` with every `value` field of the lists that count.
    fn for_each_value(&self, mut each: impl FnMut(Value) -> Result<(), WireError>) -> Result<(), WireError> {
        let mut position = 0;
        for_each_list(self.example, self.entry.clone(), |_, list| {
            position += 1;
            if position <= self.first_list {
                return Ok(());
            }
            let mut fields = Fields::new(self.example, list);
            while let Some((number, value)) = fields.next()? {
                if number == 1 {
                    each(value)?;
                }
            }
            Ok(())
        })
    }
}

/// Calls `each` with kind and place of every list in a map entry.
fn for_each_list(
    example: &[u8],
    entry: Range<usize>,
    mut each: impl FnMut(Dtype, Range<usize>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut parts = Fields::new(example, entry);
    while let Some((number, value)) = parts.next()? {
        if number != 2 {
            continue;
        }
        let mut lists = Fields::new(example, value.into_range("a feature's value")?);
        while let Some((number, value)) = lists.next()? {
            let dtype = match number {
                1 => Dtype::Bytes,
                2 => Dtype::Float,
                3 => Dtype::Int64,
                _ => continue,
            };
            each(dtype, value.into_range("a feature's list")?)?;
        }
    }
    Ok(())
}
