//! Memory on the device, pinned memory on the host, and the stream that orders copies between them.

use std::ffi::c_void;
use std::sync::Arc;

use crate::Result;

use super::context::Gpu;
use super::event::Event;
use super::library::{Address, StreamHandle};

/// Device memory.
pub(crate) struct DeviceMemory {
    gpu: Arc<Gpu>,
    address: Address,
    bytes: usize,
}

impl DeviceMemory {
    /// Allocates; at least one byte.
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<Self> {
        let _current = gpu.enter()?;
        let (mut address, bytes) = (0, bytes.max(1));
        // SAFETY: the pointer is to a live integer.
        let code = unsafe { gpu.driver().memory_alloc(&raw mut address, bytes) };
        gpu.check(format_args!("allocate {bytes} bytes"), code)?;
        Ok(Self { gpu: Arc::clone(gpu), address, bytes })
    }

    /// Its address.
    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Copies in and waits.
    pub(crate) fn write(&self, from: &[u8]) -> Result<()> {
        assert!(from.len() <= self.bytes, "{} bytes into {}", from.len(), self.bytes);
        let _current = self.gpu.enter()?;
        // SAFETY: the destination is ours and long enough (asserted above); the source is a live slice, and the call
        // returns after reading it.
        let code = unsafe { self.gpu.driver().upload(self.address, from.as_ptr().cast(), from.len()) };
        self.gpu.check(format_args!("copy {} bytes to the device", from.len()), code)?;
        self.settle()
    }

    /// Fills a range with zeros.
    pub(crate) fn clear(&self, offset: usize, bytes: usize) -> Result<()> {
        assert!(offset + bytes <= self.bytes, "{bytes} bytes at {offset} of {}", self.bytes);
        let _current = self.gpu.enter()?;
        // SAFETY: the range is ours (asserted above).
        let code = unsafe { self.gpu.driver().memset(self.address + offset as u64, 0, bytes) };
        self.gpu.check("clear device memory", code)?;
        self.settle()
    }

    /// Waits for the default stream, which the two above use and ours do not wait for.
    fn settle(&self) -> Result<()> {
        // SAFETY: the null handle is the default stream.
        let code = unsafe { self.gpu.driver().stream_wait(StreamHandle::NULL) };
        self.gpu.check("wait for the default stream", code)
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        if let Ok(_current) = self.gpu.enter() {
            // SAFETY: allocated once, freed once; freeing waits for work that uses it.
            unsafe { self.gpu.driver().memory_free(self.address) };
        }
    }
}

/// Host memory that the device copies from and to without a detour.
pub(crate) struct PinnedMemory {
    gpu: Arc<Gpu>,
    pointer: *mut c_void,
    bytes: usize,
}

// SAFETY: it is plain memory with one owner; any thread may read, write and free it.
unsafe impl Send for PinnedMemory {}

impl PinnedMemory {
    /// Allocates zeros; at least one byte.
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<Self> {
        let _current = gpu.enter()?;
        let (mut pointer, bytes) = (std::ptr::null_mut(), bytes.max(1));
        // SAFETY: the pointer is to a live pointer; flags 0 are ordinary pinned memory.
        let code = unsafe { gpu.driver().pinned_alloc(&raw mut pointer, bytes, 0) };
        gpu.check(format_args!("allocate {bytes} bytes of pinned memory"), code)?;
        // SAFETY: just allocated with this length; initialised here before any reference is made.
        unsafe { pointer.cast::<u8>().write_bytes(0, bytes) };
        Ok(Self { gpu: Arc::clone(gpu), pointer, bytes })
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: allocated and initialised with this length in `new`; `&self` keeps writers away, and the lane that
        // owns it lends it to the device only between calls that wait.
        unsafe { std::slice::from_raw_parts(self.pointer.cast(), self.bytes) }
    }

    /// Its bytes, to write.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `bytes`, with `&mut self`.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.cast(), self.bytes) }
    }
}

impl Drop for PinnedMemory {
    fn drop(&mut self) {
        if let Ok(_current) = self.gpu.enter() {
            // SAFETY: allocated once, freed once.
            unsafe { self.gpu.driver().pinned_free(self.pointer) };
        }
    }
}

/// A stream: what is put into it runs in order.
pub(crate) struct Stream {
    gpu: Arc<Gpu>,
    pub(in crate::backend::cuda) handle: StreamHandle,
    /// A caller's stream is not ours to destroy.
    is_lent: bool,
}

/// `CU_STREAM_NON_BLOCKING`: independent of the default stream.
const NON_BLOCKING: u32 = 1;

impl Stream {
    /// A new stream.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        let _current = gpu.enter()?;
        let mut handle = StreamHandle::NULL;
        // SAFETY: the pointer is to a live handle.
        gpu.check("create a stream", unsafe { gpu.driver().stream_create(&raw mut handle, NON_BLOCKING) })?;
        Ok(Self { gpu: Arc::clone(gpu), handle, is_lent: false })
    }

    /// A caller's stream.
    ///
    /// # Safety
    /// The handle is null or a live stream of this GPU's primary context, and stays so while this value lives.
    pub(crate) unsafe fn lent(gpu: &Arc<Gpu>, handle: *mut c_void) -> Self {
        Self { gpu: Arc::clone(gpu), handle: StreamHandle(handle), is_lent: true }
    }

    /// Starts a copy to the device.
    ///
    /// # Safety
    /// `from` stays alive and unchanged until the stream has been waited for.
    pub(crate) unsafe fn upload(&self, to: &DeviceMemory, offset: usize, from: &[u8]) -> Result<()> {
        assert!(offset + from.len() <= to.bytes, "{} bytes at {offset} into {}", from.len(), to.bytes);
        let (address, driver) = (to.address + offset as u64, self.gpu.driver());
        // SAFETY: the destination range is inside `to` (asserted above); the caller keeps the source.
        let code = unsafe { driver.upload_async(address, from.as_ptr().cast(), from.len(), self.handle) };
        self.gpu.check(format_args!("start a copy of {} bytes to the device", from.len()), code)
    }

    /// Starts a copy from the device.
    ///
    /// # Safety
    /// `into` is not touched until the stream has been waited for.
    pub(crate) unsafe fn download(&self, from: &DeviceMemory, offset: usize, into: &mut [u8]) -> Result<()> {
        assert!(offset + into.len() <= from.bytes, "{} bytes at {offset} of {}", into.len(), from.bytes);
        let (address, driver) = (from.address + offset as u64, self.gpu.driver());
        // SAFETY: the source range is inside `from` (asserted above); the caller keeps the destination.
        let code =
            unsafe { driver.download_async(into.as_mut_ptr().cast(), address, into.len(), self.handle) };
        self.gpu.check(format_args!("start a copy of {} bytes from the device", into.len()), code)
    }

    /// Starts a copy on the device.
    pub(crate) fn copy(&self, to: &DeviceMemory, from: &DeviceMemory, bytes: usize) -> Result<()> {
        assert!(bytes <= to.bytes.min(from.bytes), "{bytes} bytes of {} into {}", from.bytes, to.bytes);
        // SAFETY: both ranges are inside their allocations (asserted above), and freeing those waits for the copy.
        let code = unsafe { self.gpu.driver().move_async(to.address, from.address, bytes, self.handle) };
        self.gpu.check(format_args!("start a copy of {bytes} bytes on the device"), code)
    }

    /// What is put into the stream from now on starts after the event's mark.
    pub(crate) fn wait_event(&self, event: &Event) -> Result<()> {
        // SAFETY: stream and event live; flags must be 0.
        let code = unsafe { self.gpu.driver().stream_wait_event(self.handle, event.handle, 0) };
        self.gpu.check("order two streams", code)
    }

    /// Waits until everything in the stream is done.
    pub(crate) fn wait(&self) -> Result<()> {
        // SAFETY: the stream lives.
        self.gpu.check("wait for the device", unsafe { self.gpu.driver().stream_wait(self.handle) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.is_lent {
            return;
        }
        if let Ok(_current) = self.gpu.enter() {
            // SAFETY: created once, destroyed once; what is still in it runs to its end first (waited for here, so that
            // the memory that it uses may be freed after it).
            unsafe {
                self.gpu.driver().stream_wait(self.handle);
                self.gpu.driver().stream_destroy(self.handle);
            }
        }
    }
}
