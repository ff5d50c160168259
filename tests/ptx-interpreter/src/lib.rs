//! Executes the PTX of CUDA kernels on a CPU, with race and hazard detection, for tests without a GPU.
//!
//! A [`Module`] is parsed from the PTX text that the compiler emits; a [`Launch`] runs one of its entries over the
//! buffers of a [`Gpu`]. What a correct kernel never does (a race, a read of unwritten memory, an access out of
//! bounds, a barrier that not all threads reach) ends the launch with a [`Fault`] that names the place.
#![forbid(unsafe_code)]

mod error;
mod fault;
mod float;
mod harness;
mod isa;
mod lower;
mod machine;
mod memory;
mod stats;
mod syntax;
mod tensor;

pub use error::{Error, Result};
pub use fault::{Fault, FaultKind, Hazard, Site, Space};
pub use harness::{Arg, EntryInfo, Gpu, Kernels, Launch, Module, Padding, Plain, Struct};
pub use memory::BufferId;
pub use stats::{Count, Stats};
