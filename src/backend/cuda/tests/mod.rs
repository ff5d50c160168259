//! The shipped runtime and the shipped PTX, on the PTX interpreter.
//!
//! `machine` is a driver whose GPU is the interpreter, so everything but the driver itself is what a user runs: the
//! choice of kernels, memory, parameters, graphs, and the kernels' own code.

pub(super) mod machine;
#[cfg(feature = "cli")]
mod suite;
