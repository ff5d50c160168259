//! A device: opened with all that its adapter offers, its failures kept and returned as typed errors.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wgpu::{
    Adapter, Buffer, BufferDescriptor, BufferUsages, DeviceDescriptor, ErrorFilter, Features, Limits,
    PollType, Queue, SubmissionIndex,
};

use crate::{Backend, Error, Result};

use super::adapter;

/// How long one submission may take before the device counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// An open device. Dropping it frees all that was made with it.
pub(crate) struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: Queue,
    pub(crate) limits: Limits,
    pub(crate) features: Features,
    /// Device and driver.
    pub(crate) title: String,
    /// Names device and driver exactly, for caches.
    pub(crate) info: wgpu::AdapterInfo,
    /// The first thing that went wrong outside of any scope.
    fault: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// Opens an adapter, with its own limits and what this backend can use of its features.
    ///
    /// # Errors
    /// [`Error::Device`] where it does not open.
    pub(crate) fn open(adapter: &Adapter) -> Result<Self> {
        let info = adapter.get_info();
        let title = adapter::title(&info);
        let features = adapter.features() & adapter::USEFUL;
        let descriptor = DeviceDescriptor {
            label: Some("maskrank"),
            required_features: features,
            required_limits: adapter.limits(),
            ..DeviceDescriptor::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| device_error(format!("open {title}"), e.to_string()))?;
        let fault = Arc::new(Mutex::new(None));
        let keep = |fault: &Arc<Mutex<Option<String>>>, text: String| {
            fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        };
        let shared = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| keep(&shared, error.to_string())));
        let shared = Arc::clone(&fault);
        device.set_device_lost_callback(move |reason, message| {
            keep(&shared, format!("device lost ({reason:?}): {message}"));
        });
        Ok(Self { device, queue, limits: adapter.limits(), features, title, info, fault })
    }

    /// An error of this device.
    pub(crate) fn error(&self, operation: &str, problem: impl Into<String>) -> Error {
        device_error(format!("{operation} on {}", self.title), problem.into())
    }

    /// Runs `work`; whatever the device finds invalid or has no memory for becomes an error of `operation`.
    pub(crate) fn scope<T>(&self, operation: &str, work: impl FnOnce() -> T) -> Result<T> {
        let scopes = [ErrorFilter::Internal, ErrorFilter::OutOfMemory, ErrorFilter::Validation]
            .map(|filter| self.device.push_error_scope(filter));
        let value = work();
        // Scopes close in the reverse order of their opening.
        let [internal, memory, validation] = scopes;
        for scope in [validation, memory, internal] {
            if let Some(error) = pollster::block_on(scope.pop()) {
                return Err(self.error(operation, error.to_string()));
            }
        }
        self.check(operation)?;
        Ok(value)
    }

    /// Fails when the device has failed at any time before.
    pub(crate) fn check(&self, operation: &str) -> Result<()> {
        match &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(problem) => Err(self.error(operation, problem.clone())),
        }
    }

    /// Waits until a submission is done and its callbacks have run.
    pub(crate) fn wait(&self, operation: &str, submission: SubmissionIndex) -> Result<()> {
        let poll = PollType::Wait { submission_index: Some(submission), timeout: Some(PATIENCE) };
        let waited = self.device.poll(poll);
        if waited.is_err() {
            // A lost device cannot be waited for: another poll brings the news of the loss, which is the reason.
            let _ = self.device.poll(PollType::Poll);
        }
        self.check(operation)?;
        waited.map(drop).map_err(|e| self.error(operation, e.to_string()))
    }

    /// A new buffer. Sizes of 0 are rounded up to a quad, since a binding cannot be empty.
    ///
    /// # Errors
    /// More than the device's limits, or than it has memory for.
    pub(crate) fn buffer(&self, label: &str, size: usize, usage: BufferUsages) -> Result<Buffer> {
        let size = size.next_multiple_of(16).max(16) as u64;
        if size > self.limits.max_buffer_size {
            let problem =
                format!("{size} bytes, the device's buffers end at {}", self.limits.max_buffer_size);
            return Err(self.error(&format!("allocate \"{label}\""), problem));
        }
        self.scope(&format!("allocate \"{label}\" ({size} bytes)"), || {
            self.device.create_buffer(&BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        })
    }

    /// A new buffer that `fill` writes at once; its argument is as long as asked for.
    ///
    /// # Errors
    /// As [`Gpu::buffer`].
    pub(crate) fn filled(
        &self,
        label: &str,
        size: usize,
        usage: BufferUsages,
        fill: impl FnOnce(wgpu::WriteOnly<'_, [u8]>),
    ) -> Result<Buffer> {
        let padded = size.next_multiple_of(16).max(16) as u64;
        if padded > self.limits.max_buffer_size {
            let problem =
                format!("{padded} bytes, the device's buffers end at {}", self.limits.max_buffer_size);
            return Err(self.error(&format!("allocate \"{label}\""), problem));
        }
        self.scope(&format!("fill \"{label}\" ({padded} bytes)"), || {
            let descriptor =
                BufferDescriptor { label: Some(label), size: padded, usage, mapped_at_creation: true };
            let buffer = self.device.create_buffer(&descriptor);
            if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
                fill(view.slice(..size));
            }
            buffer.unmap();
            buffer
        })
    }

    /// A new buffer with these bytes.
    ///
    /// # Errors
    /// As [`Gpu::buffer`].
    pub(crate) fn upload(&self, label: &str, bytes: &[u8], usage: BufferUsages) -> Result<Buffer> {
        self.filled(label, bytes.len(), usage, |mut into| into.copy_from_slice(bytes))
    }

    /// Largest storage binding, in bytes.
    pub(crate) fn max_binding(&self) -> usize {
        let limit = self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }
}

fn device_error(operation: String, problem: String) -> Error {
    Error::Device { backend: Backend::Wgpu, operation, problem }
}
