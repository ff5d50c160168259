//! Tests of the interpreter: whole kernels, planted faults, single instructions, speed.

mod gemm;
mod instructions;
mod kernels;
mod planted;
mod row_norm;
mod speed;
