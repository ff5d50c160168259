//! Memory of single threads: arrays that are indexed at run time, and parameters of calls.

use super::regs::LANES;
use crate::fault::{FaultKind, Space};
use crate::memory::Bytes;

pub(crate) struct Local {
    /// Bytes of one lane.
    bytes: usize,
    data: Vec<u8>,
    written: Vec<bool>,
}

impl Local {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes, data: vec![0xff; bytes * LANES], written: vec![false; bytes * LANES] }
    }

    pub(crate) fn reset(&mut self) {
        self.written.fill(false);
    }

    fn at(&self, lane: usize, address: u64, bytes: u32) -> Result<usize, FaultKind> {
        let space = Space::Local;
        if address & u64::from(bytes - 1) != 0 {
            return Err(FaultKind::Misaligned { space, address, required: bytes });
        }
        if address.saturating_add(u64::from(bytes)) > self.bytes as u64 {
            let buffer = Some(("local memory".to_string(), self.bytes));
            return Err(FaultKind::OutOfBounds { space, address, bytes, buffer });
        }
        Ok(lane * self.bytes + address as usize)
    }

    pub(crate) fn load(&self, lane: usize, address: u64, bytes: u32) -> Result<Bytes, FaultKind> {
        let at = self.at(lane, address, bytes)?;
        let range = at..at + bytes as usize;
        if let Some(i) = self.written[range.clone()].iter().position(|w| !w) {
            return Err(FaultKind::PoisonRead { space: Space::Local, address: address + i as u64 });
        }
        Ok(words_of(&self.data[range]))
    }

    pub(crate) fn store(
        &mut self,
        lane: usize,
        address: u64,
        bytes: u32,
        data: &Bytes,
    ) -> Result<(), FaultKind> {
        let at = self.at(lane, address, bytes)?;
        for i in 0..bytes as usize {
            self.data[at + i] = data[i / 4].to_le_bytes()[i % 4];
            self.written[at + i] = true;
        }
        Ok(())
    }
}

/// Up to 32 bytes as words.
pub(crate) fn words_of(bytes: &[u8]) -> Bytes {
    let mut out = [0u32; 8];
    for (i, b) in bytes.iter().enumerate() {
        out[i / 4] |= u32::from(*b) << (8 * (i % 4));
    }
    out
}
