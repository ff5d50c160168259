//! Where everything lies in device memory, computed before anything is allocated.

use crate::backend::staged::REGION_ALIGN;

/// Some bytes of an allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Region {
    /// First byte.
    pub(crate) offset: usize,
    /// Length.
    pub(crate) bytes: usize,
}

impl Region {
    /// Device address, in an allocation that starts at `base`.
    pub(crate) fn at(self, base: u64) -> u64 {
        base + self.offset as u64
    }
}

/// One allocation, region by region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    bytes: usize,
}

impl Arena {
    /// The next region.
    pub(crate) fn push(&mut self, bytes: usize) -> Region {
        let region = Region { offset: self.bytes, bytes };
        self.bytes = (self.bytes + bytes).next_multiple_of(REGION_ALIGN);
        region
    }

    /// Bytes of the whole allocation.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// An arena with its contents: the weights.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    arena: Arena,
    /// What is uploaded.
    pub(crate) bytes: Vec<u8>,
}

impl Image {
    /// Bytes on the device, also after [`Image::bytes`] was taken out.
    pub(crate) fn len(&self) -> usize {
        self.arena.bytes()
    }

    /// Appends a region of zeros and gives it for filling.
    pub(crate) fn push(&mut self, bytes: usize) -> (Region, &mut [u8]) {
        let region = self.arena.push(bytes);
        self.bytes.resize(self.arena.bytes(), 0);
        (region, &mut self.bytes[region.offset..region.offset + bytes])
    }

    /// Appends f32 words.
    pub(crate) fn push_f32(&mut self, values: &[f32]) -> Region {
        let (region, into) = self.push(size_of_val(values));
        into.copy_from_slice(bytemuck::cast_slice(values));
        region
    }

    /// Appends i32 words.
    pub(crate) fn push_i32(&mut self, values: &[i32]) -> Region {
        let (region, into) = self.push(size_of_val(values));
        into.copy_from_slice(bytemuck::cast_slice(values));
        region
    }
}
