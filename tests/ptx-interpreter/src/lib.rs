//! Executes the PTX of the CUDA kernels on a CPU.
#![forbid(unsafe_code)]
