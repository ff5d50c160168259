//! One lane's floating-point operation.
//!
//! Approximate instructions (`rcp.approx`, `ex2.approx` and the others) return the correctly rounded value, which
//! lies inside the error that the PTX manual documents for each of them.

use super::format::{BF16, F16};
use super::round::{Round, narrow, sum_odd};
use crate::isa::{FpMode, FpOp, Half};

/// The NaN that single-precision instructions return.
const NAN32: u32 = 0x7fff_ffff;

/// `x` with every NaN replaced by the canonical one.
#[inline]
pub(crate) fn canonical(x: f32) -> u32 {
    if x.is_nan() { NAN32 } else { x.to_bits() }
}

fn flush(x: f32, ftz: bool) -> f32 {
    if ftz && x.is_subnormal() { 0f32.copysign(x) } else { x }
}

/// Minimum with -0 below +0; a NaN loses against a number.
fn lesser(a: f64, b: f64) -> f64 {
    if a.is_nan() {
        b
    } else if b.is_nan() || a < b || (a == b && a.is_sign_negative()) {
        a
    } else {
        b
    }
}

/// The exact value of an operation on values of a narrower format, ready for one rounding; `f64` serves for `f32`
/// and both halves, because products of two such values are exact in it.
fn exact(op: FpOp, a: f64, b: f64, c: f64) -> f64 {
    match op {
        FpOp::Add => sum_odd(a, b),
        FpOp::Sub => sum_odd(a, -b),
        FpOp::Mul => a * b,
        FpOp::Fma | FpOp::FmaRelu => sum_odd(a * b, c),
        FpOp::Div => a / b,
        FpOp::Min => lesser(a, b),
        FpOp::Max => -lesser(-a, -b),
        FpOp::MinNan | FpOp::MaxNan if a.is_nan() || b.is_nan() => f64::NAN,
        FpOp::MinNan => lesser(a, b),
        FpOp::MaxNan => -lesser(-a, -b),
        FpOp::Neg => -a,
        FpOp::Abs => a.abs(),
        FpOp::Copysign => b.copysign(a),
        FpOp::Rcp => 1.0 / a,
        FpOp::Sqrt => a.sqrt(),
        FpOp::Rsqrt => 1.0 / a.sqrt(),
        FpOp::Ex2 => a.exp2(),
        FpOp::Lg2 => a.log2(),
        FpOp::Sin => a.sin(),
        FpOp::Cos => a.cos(),
        FpOp::Tanh => a.tanh(),
    }
}

/// `f32` operation on bit patterns.
pub(crate) fn fp32(op: FpOp, mode: FpMode, a: u32, b: u32, c: u32) -> u32 {
    match op {
        // Sign operations do not look at the value (a NaN keeps its payload).
        FpOp::Neg if !mode.ftz => return a ^ 0x8000_0000,
        FpOp::Abs if !mode.ftz => return a & 0x7fff_ffff,
        FpOp::Copysign => return (b & 0x7fff_ffff) | (a & 0x8000_0000),
        _ => {}
    }
    let [x, y, z] = [a, b, c].map(|v| flush(f32::from_bits(v), mode.ftz));
    let result = match op {
        // The hardware instructions round these once by themselves.
        FpOp::Div if mode.round == Round::Nearest => x / y,
        FpOp::Sqrt if mode.round == Round::Nearest => x.sqrt(),
        FpOp::Div | FpOp::Rcp | FpOp::Sqrt => directed_quotient(op, x, y, mode.round),
        _ => {
            let value = exact(op, f64::from(x), f64::from(y), f64::from(z));
            let zero_sum = value == 0.0 && matches!(op, FpOp::Add | FpOp::Sub | FpOp::Fma);
            if zero_sum && mode.round == Round::Down && !value.is_sign_negative() {
                exact_zero_down(op, x, y, z)
            } else {
                narrow(value, mode.round)
            }
        }
    };
    let result = flush(result, mode.ftz);
    if mode.sat {
        // A NaN saturates to zero.
        return if result > 0.0 { result.min(1.0).to_bits() } else { 0 };
    }
    if op == FpOp::FmaRelu {
        return if result.is_nan() {
            NAN32
        } else if result > 0.0 {
            result.to_bits()
        } else {
            0
        };
    }
    canonical(result)
}

/// The sum of opposite numbers is -0 when rounding down, unless both terms were +0.
fn exact_zero_down(op: FpOp, x: f32, y: f32, z: f32) -> f32 {
    let (p, q) = match op {
        FpOp::Add => (x, y),
        FpOp::Sub => (x, -y),
        _ => (x * y, z),
    };
    let both_positive = p == 0.0 && q == 0.0 && !p.is_sign_negative() && !q.is_sign_negative();
    if both_positive { 0.0 } else { -0.0 }
}

/// Division and square root in a directed mode: the `f64` result is corrected to odd by its exact remainder.
fn directed_quotient(op: FpOp, x: f32, y: f32, round: Round) -> f32 {
    let (num, den) = match op {
        FpOp::Rcp => (1.0, f64::from(x)),
        _ => (f64::from(x), f64::from(y)),
    };
    let q = if op == FpOp::Sqrt { f64::from(x).sqrt() } else { num / den };
    if !q.is_finite() || q == 0.0 || q.to_bits() & 1 == 1 {
        return narrow(q, round);
    }
    let rest = if op == FpOp::Sqrt { (-q).mul_add(q, f64::from(x)) } else { (-q).mul_add(den, num) };
    if rest == 0.0 {
        return narrow(q, round);
    }
    let grow = if op == FpOp::Sqrt { rest > 0.0 } else { (rest > 0.0) == (num > 0.0) };
    narrow(f64::from_bits(if grow { q.to_bits() + 1 } else { q.to_bits() - 1 }), round)
}

/// `f64` operation; round to nearest is the only mode that the decoder lets through.
pub(crate) fn fp64(op: FpOp, a: u64, b: u64, c: u64) -> u64 {
    let [x, y, z] = [a, b, c].map(f64::from_bits);
    match op {
        FpOp::Neg => a ^ (1 << 63),
        FpOp::Abs => a & !(1 << 63),
        FpOp::Copysign => (b & !(1 << 63)) | (a & (1 << 63)),
        FpOp::Add => (x + y).to_bits(),
        FpOp::Sub => (x - y).to_bits(),
        FpOp::Fma => x.mul_add(y, z).to_bits(),
        _ => exact(op, x, y, z).to_bits(),
    }
}

/// `f16` or `bf16` operation on the low halves of the operands.
pub(crate) fn half_op(op: FpOp, mode: FpMode, format: Half, a: u32, b: u32, c: u32) -> u32 {
    let [a, b, c] = [a, b, c].map(|v| v & 0xffff);
    match op {
        FpOp::Neg => return a ^ 0x8000,
        FpOp::Abs => return a & 0x7fff,
        FpOp::Copysign => return (b & 0x7fff) | (a & 0x8000),
        _ => {}
    }
    let format = if format == Half::F16 { F16 } else { BF16 };
    let smallest_normal = if format == F16 { 2f64.powi(-14) } else { 2f64.powi(-126) };
    let flush = |x: f64| if mode.ftz && x.abs() < smallest_normal { 0f64.copysign(x) } else { x };
    let [x, y, z] = [a, b, c].map(|v| flush(format.decode(v)));
    let value = flush(exact(op, x, y, z));
    let bits = format.encode(value, mode.round, false);
    let value = format.decode(bits);
    if mode.sat {
        return if value > 0.0 { format.encode(value.min(1.0), Round::Nearest, false) } else { 0 };
    }
    if op == FpOp::FmaRelu && value <= 0.0 {
        return 0;
    }
    bits
}

/// Sum of two halves.
pub(crate) fn half_add(format: Half, a: u32, b: u32, round: Round) -> u32 {
    half_op(FpOp::Add, FpMode { round, ..FpMode::PLAIN }, format, a, b, 0)
}
