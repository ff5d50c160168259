//! Floating-point arithmetic as PTX defines it: one rounding per operation, in the mode that was asked for.

mod format;
mod ops;
mod round;

pub(crate) use format::{BF16, E4M3, E5M2, F16, Format, TF32, bf16_from_f32, f16_to_f32};
pub(crate) use ops::{canonical, fp32, fp64, half_add, half_op};
pub(crate) use round::{Round, integral, narrow, sum_odd};
