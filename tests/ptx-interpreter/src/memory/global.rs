//! Device memory: named buffers behind 64-bit addresses, shared by the threads that run blocks.
//!
//! Words are atomics, so that no block can tear what another one reads. Inputs are read only and carry no shadow.
//! Other buffers keep their shadow in pages, each behind a lock that also makes read-modify-write atomic.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Bytes;
use super::clock::Sync;
use super::shadow::{Actor, Shadow};
use super::shared::{Wrong, aligned, byte_mask, merge};
use crate::fault::{FaultKind, Space};

/// Bits of the offset in a global address; the buffer's number plus one lies above.
const OFFSET_BITS: u32 = 40;
/// Words of one shadow page.
const PAGE: usize = 1024;

/// Handle of a buffer of a `Device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferId(pub(crate) usize);

/// What kernels may do with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reads only; a write is a fault.
    Input,
    /// Reads and writes.
    InOut,
}

/// Address of the first byte of a buffer.
pub(crate) fn address(id: BufferId) -> u64 {
    (id.0 as u64 + 1) << OFFSET_BITS
}

/// Buffer number and offset of an address.
fn locate(address: u64) -> (Option<usize>, u64) {
    (((address >> OFFSET_BITS) as usize).checked_sub(1), address & offset_mask())
}

/// Mask of the offset bits.
fn offset_mask() -> u64 {
    (1 << OFFSET_BITS) - 1
}

struct Page {
    shadow: Shadow<u32>,
}

struct Buffer {
    name: String,
    words: Vec<AtomicU32>,
    bytes: usize,
    access: Access,
    /// One bit per byte that holds a value; absent if all do.
    written: Option<Vec<AtomicU32>>,
    pages: Vec<Mutex<Option<Box<Page>>>>,
}

/// Device memory.
#[derive(Default)]
pub(crate) struct Device {
    buffers: Vec<Buffer>,
    /// Words at which atomics of the running grid have published.
    pub(crate) sync: Mutex<HashMap<u64, Sync>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    // A worker that panicked has already failed the test; its data are still plain numbers.
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// Adds a buffer with contents.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8], access: Access) -> BufferId {
        let words = bytes.chunks(4).map(|c| {
            let mut w = [0; 4];
            w[..c.len()].copy_from_slice(c);
            AtomicU32::new(u32::from_le_bytes(w))
        });
        let words: Vec<_> = words.collect();
        let pages = if access == Access::Input { 0 } else { words.len().div_ceil(PAGE) };
        self.buffers.push(Buffer {
            name: name.to_string(),
            words,
            bytes: bytes.len(),
            access,
            written: None,
            pages: (0..pages).map(|_| Mutex::new(None)).collect(),
        });
        BufferId(self.buffers.len() - 1)
    }

    /// Adds a buffer that nobody has written: reads are faults until a kernel writes.
    pub(crate) fn add_unwritten(&mut self, name: &str, bytes: usize) -> BufferId {
        let id = self.add(name, &vec![0xff; bytes], Access::InOut);
        self.buffers[id.0].written = Some((0..bytes.div_ceil(32)).map(|_| AtomicU32::new(0)).collect());
        id
    }

    /// Copies bytes into a buffer and marks them written.
    pub(crate) fn fill(&mut self, id: BufferId, offset: usize, bytes: &[u8]) {
        let buffer = &mut self.buffers[id.0];
        for (i, b) in bytes.iter().enumerate() {
            let at = offset + i;
            let word = buffer.words[at / 4].get_mut();
            *word = merge(*word, u32::from(*b), at as u64, 1);
            if let Some(w) = &mut buffer.written {
                *w[at / 32].get_mut() |= 1 << (at % 32);
            }
        }
    }

    /// From now on kernels only read a buffer.
    pub(crate) fn seal(&mut self, id: BufferId) {
        let is_whole = self.first_unwritten(id, 0..self.buffers[id.0].bytes).is_none();
        let buffer = &mut self.buffers[id.0];
        buffer.access = Access::Input;
        buffer.pages = Vec::new();
        if is_whole {
            buffer.written = None;
        }
    }

    /// Gives a buffer's memory back; every later access to it is out of its bounds.
    pub(crate) fn free(&mut self, id: BufferId) {
        let buffer = &mut self.buffers[id.0];
        let name = format!("{} (freed)", buffer.name);
        let (words, pages) = (Vec::new(), Vec::new());
        *buffer = Buffer { name, words, bytes: 0, access: Access::Input, written: None, pages };
    }

    /// Some bytes of a buffer.
    pub(crate) fn part(&self, id: BufferId, range: std::ops::Range<usize>) -> Vec<u8> {
        let words = &self.buffers[id.0].words;
        range.map(|i| words[i / 4].load(Relaxed).to_le_bytes()[i % 4]).collect()
    }

    /// Bytes of a buffer.
    pub(crate) fn bytes(&self, id: BufferId) -> Vec<u8> {
        let b = &self.buffers[id.0];
        b.words.iter().flat_map(|w| w.load(Relaxed).to_le_bytes()).take(b.bytes).collect()
    }

    /// First byte of a buffer that holds no value.
    pub(crate) fn first_unwritten(&self, id: BufferId, range: std::ops::Range<usize>) -> Option<usize> {
        let written = self.buffers[id.0].written.as_ref()?;
        range.into_iter().find(|i| written[i / 32].load(Relaxed) >> (i % 32) & 1 == 0)
    }

    pub(crate) fn name(&self, id: BufferId) -> &str {
        &self.buffers[id.0].name
    }

    /// Forgets who accessed what: a kernel boundary orders everything.
    pub(crate) fn start_grid(&mut self) {
        for b in &mut self.buffers {
            for p in &mut b.pages {
                *p.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
        lock(&self.sync).clear();
    }

    #[inline]
    fn find(&self, address: u64, bytes: u32) -> Result<(&Buffer, u64), Wrong> {
        let (index, offset) = locate(address);
        let space = Space::Global;
        let Some(buffer) = index.and_then(|i| self.buffers.get(i)) else {
            return Err(Wrong::Fault(FaultKind::OutOfBounds { space, address, bytes, buffer: None }));
        };
        if offset + u64::from(bytes) > buffer.bytes as u64 {
            let buffer = Some((buffer.name.clone(), buffer.bytes));
            return Err(Wrong::Fault(FaultKind::OutOfBounds { space, address: offset, bytes, buffer }));
        }
        aligned(space, offset, bytes)?;
        Ok((buffer, offset))
    }

    pub(crate) fn load(&self, address: u64, bytes: u32, a: &Actor<'_>) -> Result<Bytes, Wrong> {
        let (buffer, offset) = self.find(address, bytes)?;
        let mut out = [0; 8];
        let first = offset as usize / 4;
        buffer.check_written(offset, bytes)?;
        if buffer.access == Access::InOut {
            buffer.shadowed(offset, bytes, |s, w, mask| s.read(w, mask, a, false))?;
        }
        for (i, slot) in out.iter_mut().enumerate().take((bytes as usize).div_ceil(4)) {
            *slot = buffer.words[first + i].load(Relaxed);
        }
        if bytes < 4 {
            out[0] = out[0] >> (8 * (offset & 3)) & ((1 << (8 * bytes)) - 1);
        }
        Ok(out)
    }

    pub(crate) fn store(&self, address: u64, bytes: u32, data: &Bytes, a: &Actor<'_>) -> Result<(), Wrong> {
        let (buffer, offset) = self.find(address, bytes)?;
        buffer.writable(offset)?;
        let first = offset as usize / 4;
        buffer.shadowed(offset, bytes, |s, w, mask| {
            s.write(w, mask, a)?;
            let word = &buffer.words[(first & !(PAGE - 1)) + w];
            let i = ((first & !(PAGE - 1)) + w) - first;
            word.store(merge(word.load(Relaxed), data[i], offset, bytes), Relaxed);
            Ok(())
        })?;
        buffer.mark_written(offset, bytes);
        Ok(())
    }

    /// Reads, changes and writes as one operation; returns the old bytes.
    pub(crate) fn update(
        &self,
        address: u64,
        bytes: u32,
        a: &Actor<'_>,
        f: impl FnOnce(u64) -> u64,
    ) -> Result<u64, Wrong> {
        let (buffer, offset) = self.find(address, bytes)?;
        buffer.writable(offset)?;
        buffer.check_written(offset, bytes)?;
        let first = offset as usize / 4;
        let mut guard = lock(&buffer.pages[first / PAGE]);
        let page = guard.get_or_insert_with(new_page);
        for w in first..first + (bytes as usize).div_ceil(4) {
            let done = page.shadow.write(w % PAGE, byte_mask(offset, bytes), a);
            done.map_err(|c| Wrong::Conflict(c, w as u64 * 4))?;
        }
        let shift = 8 * (offset & 3);
        let low = u64::from(buffer.words[first].load(Relaxed));
        let old = match bytes {
            8 => low | u64::from(buffer.words[first + 1].load(Relaxed)) << 32,
            4 => low,
            _ => low >> shift & ((1 << (8 * bytes)) - 1),
        };
        let new = f(old);
        buffer.words[first].store(merge(low as u32, new as u32, offset, bytes), Relaxed);
        if bytes == 8 {
            buffer.words[first + 1].store((new >> 32) as u32, Relaxed);
        }
        Ok(old)
    }
}

fn new_page() -> Box<Page> {
    Box::new(Page { shadow: Shadow::new(PAGE) })
}

impl Buffer {
    fn writable(&self, offset: u64) -> Result<(), Wrong> {
        if self.access == Access::InOut {
            return Ok(());
        }
        Err(Wrong::Fault(FaultKind::ReadOnlyWrite { buffer: self.name.clone(), offset }))
    }

    /// Runs `f` on the shadow of each word of an access; an access never crosses a page, because it is aligned.
    fn shadowed(
        &self,
        offset: u64,
        bytes: u32,
        mut f: impl FnMut(&mut Shadow<u32>, usize, u8) -> Result<(), super::Conflict>,
    ) -> Result<(), Wrong> {
        let first = offset as usize / 4;
        let mut guard = lock(&self.pages[first / PAGE]);
        let page = guard.get_or_insert_with(new_page);
        let mask = byte_mask(offset, bytes);
        for w in first..first + (bytes as usize).div_ceil(4) {
            f(&mut page.shadow, w % PAGE, mask).map_err(|c| Wrong::Conflict(c, w as u64 * 4))?;
        }
        Ok(())
    }

    fn check_written(&self, offset: u64, bytes: u32) -> Result<(), Wrong> {
        let Some(written) = &self.written else { return Ok(()) };
        let missing = !written[offset as usize / 32].load(Relaxed) & byte_bits(offset, bytes);
        if missing == 0 {
            return Ok(());
        }
        let address = offset - offset % 32 + u64::from(missing.trailing_zeros());
        Err(Wrong::Fault(FaultKind::PoisonRead { space: Space::Global, address }))
    }

    fn mark_written(&self, offset: u64, bytes: u32) {
        let Some(written) = &self.written else { return };
        written[offset as usize / 32].fetch_or(byte_bits(offset, bytes), Relaxed);
    }
}

/// The bits of an aligned access of at most 32 bytes: they lie in one word of bits.
fn byte_bits(offset: u64, bytes: u32) -> u32 {
    if bytes >= 32 { u32::MAX } else { ((1 << bytes) - 1) << (offset % 32) }
}
