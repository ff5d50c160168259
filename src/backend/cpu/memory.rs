//! Zeroed memory for weights and activations: line-aligned, on huge pages where the system has them.
//!
//! Weights are streamed whole for every block of candidates; with 4 KiB pages every strip line pair would touch a
//! new page, and hardware prefetch stops at a page's end.

use std::marker::PhantomData;
use std::sync::Arc;

use memmap2::MmapMut;

use crate::weights::packed::Packed;
use crate::{Backend, Error, Result};

/// Bytes of a huge page on x86-64 and most of AArch64.
const HUGE_PAGE: usize = 2 << 20;

/// A fixed number of elements, zero at first, starting at a huge page where there is one to fill.
pub(super) struct Arena<E> {
    map: MmapMut,
    offset: usize,
    len: usize,
    element: PhantomData<E>,
}

impl<E: Copy> Arena<E> {
    /// Room for `len` elements whose all-zero bytes are a value: floats.
    ///
    /// # Errors
    /// The system has no memory.
    pub(super) fn new(len: usize) -> Result<Self> {
        let failed = |problem: String| Error::Device {
            backend: Backend::Cpu,
            operation: format!("allocate {len} elements of {} bytes", size_of::<E>()),
            problem,
        };
        let bytes =
            len.checked_mul(size_of::<E>()).ok_or_else(|| failed("size overflows".to_owned()))?.max(1);
        let huge = bytes >= HUGE_PAGE;
        let mapped = if huge { bytes + HUGE_PAGE } else { bytes };
        let map = MmapMut::map_anon(mapped).map_err(|error| failed(error.to_string()))?;
        let offset = if huge { map.as_ptr().align_offset(HUGE_PAGE) } else { 0 };
        #[cfg(target_os = "linux")]
        if huge {
            // Advice: small pages work too.
            let _refused = map.advise(memmap2::Advice::HugePage);
        }
        Ok(Self { map, offset, len, element: PhantomData })
    }

    pub(super) fn as_slice(&self) -> &[E] {
        // SAFETY: `len` elements lie in the mapping behind `offset`, page-aligned; zero bytes are a valid E.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(self.offset).cast(), self.len) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [E] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().add(self.offset).cast(), self.len) }
    }
}

/// A program's weights: packed here, or as they lie in a packed file.
pub(super) enum Strips<E> {
    Own(Arena<E>),
    Packed(Arc<Packed>),
}

impl<E: bytemuck::Pod> Strips<E> {
    /// The payload of a packed file, when it is of `len` elements.
    ///
    /// # Errors
    /// It is of another size.
    pub(super) fn of_packed(packed: &Arc<Packed>, len: usize) -> Result<Self> {
        let found = packed.payload().len();
        if len.checked_mul(size_of::<E>()) != Some(found) {
            return Err(Error::Unsupported {
                backend: Backend::Cpu,
                what: format!(
                    "a packed model of {found} bytes of weights, where {len} weights are called for"
                ),
            });
        }
        Ok(Self::Packed(Arc::clone(packed)))
    }

    /// All strips.
    pub(super) fn as_slice(&self) -> &[E] {
        match self {
            Self::Own(arena) => arena.as_slice(),
            // Starts at a page, and the length was compared: never a panic.
            Self::Packed(packed) => bytemuck::cast_slice(packed.payload()),
        }
    }
}

/// Memory that several threads write to at once, each its own part.
///
/// Whoever dereferences says why no other thread is there.
pub(super) struct Shared<E>(*mut E);

impl<E> Clone for Shared<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Shared<E> {}

// SAFETY: only a pointer; every use of it is in an unsafe block that proves its part to be its own.
unsafe impl<E: Send> Send for Shared<E> {}
// SAFETY: as above.
unsafe impl<E: Send> Sync for Shared<E> {}

impl<E> Shared<E> {
    pub(super) fn new(slice: &mut [E]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// Pointer to element `index`.
    ///
    /// # Safety
    /// `index` is inside the slice that this was made from, or one past it, and the slice is still borrowed.
    #[inline(always)]
    pub(super) unsafe fn at(self, index: usize) -> *mut E {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(index) }
    }
}
