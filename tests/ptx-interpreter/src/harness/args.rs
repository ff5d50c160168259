//! Kernel arguments.

use crate::memory::{BufferId, address};

/// One kernel argument.
#[derive(Clone, Debug)]
pub enum Arg {
    /// Pointer to the first byte of a buffer.
    Buffer(BufferId),
    /// Pointer into a buffer, in bytes.
    At(BufferId, usize),
    /// A null pointer.
    Null,
    /// An unsigned integer of 32 bits.
    U32(u32),
    /// A signed integer of 32 bits.
    I32(i32),
    /// An unsigned integer of 64 bits.
    U64(u64),
    /// A single-precision number.
    F32(f32),
    /// A struct by value, as the C compiler lays it out.
    Bytes(Vec<u8>),
}

impl Arg {
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Buffer(b) => address(*b).to_le_bytes().to_vec(),
            Self::At(b, offset) => (address(*b) + *offset as u64).to_le_bytes().to_vec(),
            Self::Null => vec![0; 8],
            Self::U32(x) => x.to_le_bytes().to_vec(),
            Self::I32(x) => x.to_le_bytes().to_vec(),
            Self::U64(x) => x.to_le_bytes().to_vec(),
            Self::F32(x) => x.to_le_bytes().to_vec(),
            Self::Bytes(b) => b.clone(),
        }
    }
}

/// Builds a struct argument with the natural alignment of C.
#[derive(Clone, Debug, Default)]
pub struct Struct {
    bytes: Vec<u8>,
    align: usize,
}

impl Struct {
    /// An empty struct.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::new(), align: 1 }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, value: &Arg) -> Self {
        let bytes = value.bytes();
        // Nested structs carry their own alignment through `align_to`.
        let align = if matches!(value, Arg::Bytes(_)) { 1 } else { bytes.len() };
        self = self.align_to(align);
        self.bytes.extend(bytes);
        self
    }

    /// Pads to a multiple of `align`, which becomes the least alignment of the struct.
    #[must_use]
    pub fn align_to(mut self, align: usize) -> Self {
        self.align = self.align.max(align);
        self.bytes.resize(self.bytes.len().next_multiple_of(align.max(1)), 0);
        self
    }

    /// The finished argument.
    #[must_use]
    pub fn build(mut self) -> Arg {
        self.bytes.resize(self.bytes.len().next_multiple_of(self.align.max(1)), 0);
        Arg::Bytes(self.bytes)
    }
}
