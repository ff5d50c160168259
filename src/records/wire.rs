//! The protobuf wire format: tags, varints and lengths, read without copying and without trust.
//!
//! [`Fields`] walks the fields of one message. Positions are kept relative to the whole example, so that a range found
//! in one pass can be read again in a later one without holding a borrow.

use std::ops::Range;

/// How deep groups (a deprecated wire type that only unknown fields can use) may nest.
const MAX_GROUP_DEPTH: usize = 32;

/// What makes bytes not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("a varint is cut")]
    VarintCut,
    #[error("a varint does not fit 64 bits")]
    VarintOverflow,
    #[error("a tag does not fit 32 bits")]
    TagOverflow,
    #[error("a field says {length} bytes where {left} are left")]
    LengthBeyondEnd { length: u64, left: usize },
    #[error("a field has number 0")]
    FieldZero,
    #[error("a field has wire type {0}, which does not exist")]
    WireType(u8),
    #[error("groups do not match or nest deeper than {MAX_GROUP_DEPTH}")]
    Group,
    #[error("{what} has wire type {found}")]
    UnexpectedWireType { what: &'static str, found: u8 },
    #[error("a packed list of floats has {0} bytes, not a multiple of 4")]
    PackedFloats(usize),
}

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Varint(u64),
    Fixed64,
    /// A message, text, bytes or a packed list: where its content lies in the example.
    Bytes(Range<usize>),
    Group,
    Fixed32([u8; 4]),
}

impl Value {
    /// The wire type, for messages.
    fn wire_type(&self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64 => 1,
            Self::Bytes(_) => 2,
            Self::Group => 3,
            Self::Fixed32(_) => 5,
        }
    }

    /// The error for a known field with another wire type than its declaration allows.
    pub(super) fn unexpected(&self, what: &'static str) -> WireError {
        WireError::UnexpectedWireType { what, found: self.wire_type() }
    }

    /// Where the content of a length-delimited field lies.
    pub(super) fn into_range(self, what: &'static str) -> Result<Range<usize>, WireError> {
        match self {
            Self::Bytes(range) => Ok(range),
            other => Err(other.unexpected(what)),
        }
    }
}

/// Walks the fields of the message that lies at `position..end` of `bytes`.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Fields<'a> {
    /// The fields of the message at `range` of `example`. A range beyond the end is cut to it.
    pub(super) fn new(example: &'a [u8], range: Range<usize>) -> Self {
        Self { bytes: &example[..range.end.min(example.len())], position: range.start }
    }

    /// The next field and its number; `None` at the message's end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value)>, WireError> {
        self.next_nested(0).map(|field| match field {
            Some((number, Item::Value(value))) => Ok(Some((number, value))),
            Some((_, Item::EndGroup)) => Err(WireError::Group),
            None => Ok(None),
        })?
    }

    /// The next varint of a packed list; `None` at its end.
    #[inline]
    pub(super) fn next_varint(&mut self) -> Result<Option<u64>, WireError> {
        if self.position >= self.bytes.len() {
            return Ok(None);
        }
        self.varint().map(Some)
    }

    fn next_nested(&mut self, depth: usize) -> Result<Option<(u32, Item)>, WireError> {
        let Some(tag) = self.next_varint()? else { return Ok(None) };
        let tag = u32::try_from(tag).map_err(|_| WireError::TagOverflow)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(WireError::FieldZero);
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Fixed64
            }
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            3 => {
                self.skip_group(number, depth + 1)?;
                Value::Group
            }
            4 => return Ok(Some((number, Item::EndGroup))),
            5 => {
                let start = self.take(4)?.start;
                let mut fixed = [0; 4];
                fixed.copy_from_slice(&self.bytes[start..start + 4]);
                Value::Fixed32(fixed)
            }
            other => return Err(WireError::WireType(other as u8)),
        };
        Ok(Some((number, Item::Value(value))))
    }

    fn skip_group(&mut self, number: u32, depth: usize) -> Result<(), WireError> {
        if depth > MAX_GROUP_DEPTH {
            return Err(WireError::Group);
        }
        loop {
            match self.next_nested(depth)? {
                Some((_, Item::Value(_))) => {}
                Some((end, Item::EndGroup)) if end == number => return Ok(()),
                Some((_, Item::EndGroup)) | None => return Err(WireError::Group),
            }
        }
    }

    fn take(&mut self, length: u64) -> Result<Range<usize>, WireError> {
        let left = self.bytes.len() - self.position;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                let start = self.position;
                self.position += length;
                Ok(start..self.position)
            }
            _ => Err(WireError::LengthBeyondEnd { length, left }),
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let rest = &self.bytes[self.position..];
        // Most values of a record are below 128.
        if let Some(&first) = rest.first()
            && first < 0x80
        {
            self.position += 1;
            return Ok(u64::from(first));
        }
        let mut value = 0_u64;
        for (place, &byte) in rest.iter().take(10).enumerate() {
            // The tenth byte holds bit 63 and nothing else.
            if place == 9 && byte > 1 {
                return Err(WireError::VarintOverflow);
            }
            value |= u64::from(byte & 0x7F) << (7 * place);
            if byte < 0x80 {
                self.position += place + 1;
                return Ok(value);
            }
        }
        Err(WireError::VarintCut)
    }
}

enum Item {
    Value(Value),
    EndGroup,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Result<Option<u64>, WireError> {
        Fields::new(bytes, 0..bytes.len()).next_varint()
    }

    fn field(bytes: &[u8]) -> Result<Option<(u32, Value)>, WireError> {
        Fields::new(bytes, 0..bytes.len()).next()
    }

    #[test]
    fn varints() {
        let full = [0xFF; 9];
        let with = |last: u8| [&full[..], &[last]].concat();
        type Case<'a> = (&'a [u8], Result<Option<u64>, WireError>);
        let cases: [Case<'_>; 8] = [
            (&[], Ok(None)),
            (&[0x7F], Ok(Some(127))),
            (&[0x80, 0x01], Ok(Some(128))),
            // More bytes than needed are allowed, as long as they say nothing new.
            (&[0x81, 0x80, 0x00], Ok(Some(1))),
            (&with(0x01), Ok(Some(u64::MAX))),
            (&with(0x02), Err(WireError::VarintOverflow)),
            (&with(0x81), Err(WireError::VarintOverflow)),
            (&[0x80], Err(WireError::VarintCut)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(varint(bytes), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn fields_of_every_wire_type() {
        type Case<'a> = (&'a [u8], Result<Option<(u32, Value)>, WireError>);
        let cases: [Case<'_>; 14] = [
            (&[], Ok(None)),
            (&[0x08, 0x05], Ok(Some((1, Value::Varint(5))))),
            (&[0x11, 1, 2, 3, 4, 5, 6, 7, 8], Ok(Some((2, Value::Fixed64)))),
            (&[0x1A, 0x02, 9, 9], Ok(Some((3, Value::Bytes(2..4))))),
            (&[0x25, 1, 2, 3, 4], Ok(Some((4, Value::Fixed32([1, 2, 3, 4]))))),
            (&[0x2B, 0x08, 0x01, 0x2C], Ok(Some((5, Value::Group)))),
            (&[0x2B, 0x33, 0x34, 0x2C], Ok(Some((5, Value::Group)))),
            (&[0x2B, 0x34], Err(WireError::Group)),
            (&[0x2B, 0x08, 0x01], Err(WireError::Group)),
            (&[0x2C], Err(WireError::Group)),
            (&[0x00], Err(WireError::FieldZero)),
            (&[0x0E], Err(WireError::WireType(6))),
            (&[0x1A, 0x03, 9, 9], Err(WireError::LengthBeyondEnd { length: 3, left: 2 })),
            (&[0x25, 1, 2, 3], Err(WireError::LengthBeyondEnd { length: 4, left: 3 })),
        ];
        for (bytes, expected) in cases {
            assert_eq!(field(bytes), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn groups_deeper_than_the_bound_are_refused() {
        let nested = |depth: usize| [vec![0x2B; depth], vec![0x2C; depth]].concat();
        assert_eq!(field(&nested(MAX_GROUP_DEPTH)), Ok(Some((5, Value::Group))));
        assert_eq!(field(&nested(MAX_GROUP_DEPTH + 1)), Err(WireError::Group));
        assert_eq!(field(&vec![0x2B; 1 << 20]), Err(WireError::Group));
    }
}
