//! Kernels and programs on the PTX interpreter.
