//! Shared memory of one block.

use std::collections::HashMap;

use super::Bytes;
use super::clock::Sync;
use super::shadow::{Actor, Conflict, Shadow};
use crate::fault::{FaultKind, Space};

pub(crate) struct Shared {
    words: Vec<u32>,
    shadow: Shadow<()>,
    bytes: usize,
    /// Words at which atomics have published.
    pub(crate) sync: HashMap<u64, Sync>,
}

/// Failure of an access: a plain fault, or a conflict that still needs its sites.
pub(crate) enum Wrong {
    Fault(FaultKind),
    Conflict(Conflict, u64),
}

impl From<FaultKind> for Wrong {
    fn from(k: FaultKind) -> Self {
        Self::Fault(k)
    }
}

/// Bytes of a word that an access of `bytes` at `address` touches, for accesses below a word.
#[inline]
pub(super) fn byte_mask(address: u64, bytes: u32) -> u8 {
    if bytes >= 4 { 0xf } else { ((1u8 << bytes) - 1) << (address & 3) }
}

/// Checks that `address` is a multiple of `bytes`.
#[inline]
pub(super) fn aligned(space: Space, address: u64, bytes: u32) -> Result<(), FaultKind> {
    if address & u64::from(bytes - 1) == 0 {
        return Ok(());
    }
    Err(FaultKind::Misaligned { space, address, required: bytes })
}

impl Shared {
    pub(crate) fn new(bytes: usize) -> Self {
        let words = bytes.div_ceil(4);
        Self { words: vec![u32::MAX; words], shadow: Shadow::new(words), bytes, sync: HashMap::new() }
    }

    /// Poisons everything, for the next block.
    pub(crate) fn reset(&mut self) {
        // All ones are a NaN in every floating-point format.
        self.words.fill(u32::MAX);
        self.shadow.reset();
        self.sync.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    #[inline]
    fn range(&self, address: u64, bytes: u32) -> Result<std::ops::Range<usize>, Wrong> {
        aligned(Space::Shared, address, bytes)?;
        if address.checked_add(u64::from(bytes)).is_none_or(|end| end > self.bytes as u64) {
            let buffer = Some(("shared memory".to_string(), self.bytes));
            return Err(Wrong::Fault(FaultKind::OutOfBounds {
                space: Space::Shared,
                address,
                bytes,
                buffer,
            }));
        }
        let first = address as usize / 4;
        Ok(first..first + (bytes as usize).div_ceil(4))
    }

    #[inline]
    pub(crate) fn load(&mut self, address: u64, bytes: u32, a: &Actor<'_>) -> Result<Bytes, Wrong> {
        let range = self.range(address, bytes)?;
        let mask = byte_mask(address, bytes);
        let mut out = [0; 8];
        for (slot, w) in out.iter_mut().zip(range) {
            self.shadow.read(w, mask, a, true).map_err(|c| Wrong::Conflict(c, w as u64 * 4))?;
            *slot = self.words[w];
        }
        if bytes < 4 {
            out[0] = out[0] >> (8 * (address & 3)) & ((1 << (8 * bytes)) - 1);
        }
        Ok(out)
    }

    #[inline]
    pub(crate) fn store(
        &mut self,
        address: u64,
        bytes: u32,
        data: &Bytes,
        a: &Actor<'_>,
    ) -> Result<(), Wrong> {
        let range = self.range(address, bytes)?;
        let mask = byte_mask(address, bytes);
        for (value, w) in data.iter().zip(range) {
            self.shadow.write(w, mask, a).map_err(|c| Wrong::Conflict(c, w as u64 * 4))?;
            self.words[w] = merge(self.words[w], *value, address, bytes);
        }
        Ok(())
    }

    /// Reads, changes and writes as one operation; returns the old bytes.
    pub(crate) fn update(
        &mut self,
        address: u64,
        bytes: u32,
        a: &Actor<'_>,
        f: impl FnOnce(u64) -> u64,
    ) -> Result<u64, Wrong> {
        let old = self.load(address, bytes, a)?;
        let old = u64::from(old[0]) | if bytes == 8 { u64::from(old[1]) << 32 } else { 0 };
        let new = f(old);
        let mut data = [0; 8];
        (data[0], data[1]) = (new as u32, (new >> 32) as u32);
        self.store(address, bytes, &data, a)?;
        Ok(old)
    }

    /// Marks the target of an asynchronous copy.
    pub(crate) fn begin_copy(&mut self, address: u64, bytes: u32, a: &Actor<'_>) -> Result<(), Wrong> {
        for w in self.range(address, bytes)? {
            self.shadow.begin_copy(w, a).map_err(|c| Wrong::Conflict(c, w as u64 * 4))?;
        }
        Ok(())
    }

    /// Writes what an asynchronous copy brought.
    pub(crate) fn end_copy(&mut self, address: u64, data: &[u32], a: &Actor<'_>) {
        let first = address as usize / 4;
        for (i, value) in data.iter().enumerate() {
            self.words[first + i] = *value;
            self.shadow.end_copy(first + i, a);
        }
    }
}

/// `old` with the bytes of the access replaced.
#[inline]
pub(super) fn merge(old: u32, value: u32, address: u64, bytes: u32) -> u32 {
    if bytes >= 4 {
        return value;
    }
    let shift = 8 * (address & 3) as u32;
    let mask = ((1u32 << (8 * bytes)) - 1) << shift;
    (old & !mask) | (value << shift & mask)
}
