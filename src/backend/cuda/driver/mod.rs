//! The driver API, wrapped: owners that free what they hold, and errors that say which operation failed.

mod context;
mod event;
mod graph;
pub(super) mod library;
mod memory;
mod probe;

pub(crate) use context::{Gpu, Kernel, LoadedModule};
pub(crate) use event::Event;
pub(crate) use graph::{Graph, Step};
pub(crate) use memory::{DeviceMemory, PinnedMemory, Stream};
pub(crate) use probe::{Found, find};
