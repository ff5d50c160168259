//! A CUDA driver whose one GPU is the PTX interpreter.
//!
//! Tests of the library link it and take its functions by their symbols ([`function`]). As a shared library it stands in
//! for the driver's own, so that a program runs on it as it is, without a GPU:
//!
//! ```text
//! cargo build -p maskrank-ptx-driver --release
//! mkdir gpu && cp target/release/libmaskrank_ptx_driver.so gpu/libcuda.so.1
//! LD_LIBRARY_PATH=gpu maskrank golden tests/golden --backend cuda
//! ```
//!
//! It has the functions that the library and its examples use and no others. Memory that one copy from the host filled from
//! end to end is taken for weights or features, which kernels only read: writing to it is a fault. Every access of a kernel is checked, so it is some ten
//! thousand times slower than a GPU; times that are taken on it mean nothing.
#![allow(non_snake_case, reason = "the driver's own names")]

pub mod faults;
mod functions;
mod machine;

use std::ffi::{c_int, c_void};

pub use functions::function;
pub use machine::{CAPABILITY, ERROR_LAUNCH, FOREIGN, with_multiprocessors};

/// `CUresult`.
pub type Code = c_int;
/// `CUdeviceptr`.
pub type Address = u64;
/// Any of the driver's opaque objects.
type Handle = *mut c_void;
