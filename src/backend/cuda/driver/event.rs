//! Events: marks in a stream that other streams wait for, and that times are measured between.

use std::sync::Arc;
use std::time::Duration;

use crate::Result;

use super::context::Gpu;
use super::library::EventHandle;
use super::memory::Stream;

/// A mark in a stream.
pub(crate) struct Event {
    gpu: Arc<Gpu>,
    pub(super) handle: EventHandle,
}

impl Event {
    /// An event that takes times.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        let _current = gpu.enter()?;
        let mut handle = EventHandle::NULL;
        // SAFETY: the pointer is to a live handle.
        gpu.check("create an event", unsafe { gpu.driver().event_create(&raw mut handle, 0) })?;
        Ok(Self { gpu: Arc::clone(gpu), handle })
    }

    /// Marks what is in the stream so far; the mark from before is forgotten.
    pub(crate) fn record(&self, stream: &Stream) -> Result<()> {
        // SAFETY: event and stream live.
        let code = unsafe { self.gpu.driver().event_record(self.handle, stream.handle) };
        self.gpu.check("record an event", code)
    }

    /// Waits until the mark is passed; at once where there is none.
    pub(crate) fn wait(&self) -> Result<()> {
        // SAFETY: the event lives.
        self.gpu.check("wait for an event", unsafe { self.gpu.driver().event_wait(self.handle) })
    }

    /// Time from another mark to this one; both must have been passed.
    pub(crate) fn since(&self, earlier: &Self) -> Result<Duration> {
        let mut milliseconds = 0.0;
        // SAFETY: both events live; the pointer is to a live number.
        let code =
            unsafe { self.gpu.driver().event_elapsed(&raw mut milliseconds, earlier.handle, self.handle) };
        self.gpu.check("read a time between events", code)?;
        Ok(Duration::try_from_secs_f64(f64::from(milliseconds) / 1e3).unwrap_or_default())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if let Ok(_current) = self.gpu.enter() {
            // SAFETY: created once, destroyed once; whoever waits for it goes on waiting for what it marked.
            unsafe { self.gpu.driver().event_destroy(self.handle) };
        }
    }
}
