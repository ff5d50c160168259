//! Tests of the interpreter: whole kernels, planted faults, single instructions, speed.

mod gemm;
mod kernels;
mod row_norm;
mod speed;
