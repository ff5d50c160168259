//! The shipped runtime and the shipped PTX, on the PTX interpreter.
//!
//! `entries` runs every kernel of the manifest, one at a time, at the edges of its tiles. `maskrank_ptx_driver` is a driver
//! whose GPU is the interpreter, so `suite` tests everything but the driver itself as a user runs it: the choice of
//! kernels, memory, parameters, graphs, and the kernels' own code.

mod allocations;
mod ceilings;
mod device_buffers;
mod entries;
#[cfg(feature = "cli")]
mod expected;
mod failures;
#[cfg(feature = "cli")]
mod ranking;
mod runtime;
#[cfg(feature = "cli")]
mod suite;
mod timing;
