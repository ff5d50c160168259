//! Comparisons, tests and conversions of single values.

use crate::float::{BF16, E4M3, E5M2, F16, Format, Round, TF32, bf16_from_f32, canonical, narrow};
use crate::isa::{Cmp, CmpTy, Cvt, CvtRound, Half, NumTy, TestKind};
use std::cmp::Ordering;

fn half(format: Half) -> Format {
    if format == Half::F16 { F16 } else { BF16 }
}

/// Order of two operands, `None` if one is NaN.
fn order(ty: CmpTy, ftz: bool, a: u64, b: u64) -> Option<Ordering> {
    let flush = |x: u64| {
        let x = f32::from_bits(x as u32);
        if ftz && x.is_subnormal() { 0.0 } else { x }
    };
    match ty {
        CmpTy::U16 => Some((a as u16).cmp(&(b as u16))),
        CmpTy::S16 => Some((a as i16).cmp(&(b as i16))),
        CmpTy::U32 => Some((a as u32).cmp(&(b as u32))),
        CmpTy::S32 => Some((a as i32).cmp(&(b as i32))),
        CmpTy::U64 => Some(a.cmp(&b)),
        CmpTy::S64 => Some((a as i64).cmp(&(b as i64))),
        CmpTy::F32 => flush(a).partial_cmp(&flush(b)),
        CmpTy::F64 => f64::from_bits(a).partial_cmp(&f64::from_bits(b)),
        CmpTy::Half(h) | CmpTy::Packed(h) => {
            half(h).decode(a as u32 & 0xffff).partial_cmp(&half(h).decode(b as u32 & 0xffff))
        }
    }
}

/// One comparison.
pub(crate) fn compare(cmp: Cmp, ty: CmpTy, ftz: bool, a: u64, b: u64) -> bool {
    let o = order(ty, ftz, a, b);
    match cmp {
        Cmp::Eq => o == Some(Ordering::Equal),
        Cmp::Ne => o.is_some_and(|o| o != Ordering::Equal),
        Cmp::Lt => o == Some(Ordering::Less),
        Cmp::Le => o.is_some_and(Ordering::is_le),
        Cmp::Gt => o == Some(Ordering::Greater),
        Cmp::Ge => o.is_some_and(Ordering::is_ge),
        Cmp::Equ => o.is_none_or(|o| o == Ordering::Equal),
        Cmp::Neu => o != Some(Ordering::Equal),
        Cmp::Ltu => o.is_none_or(Ordering::is_lt),
        Cmp::Leu => o.is_none_or(Ordering::is_le),
        Cmp::Gtu => o.is_none_or(Ordering::is_gt),
        Cmp::Geu => o.is_none_or(Ordering::is_ge),
        Cmp::Num => o.is_some(),
        Cmp::Nan => o.is_none(),
    }
}

/// `testp`.
pub(crate) fn test(kind: TestKind, ty: CmpTy, a: u64) -> bool {
    let (class, x) = if ty == CmpTy::F64 {
        let x = f64::from_bits(a);
        (x.classify(), x)
    } else {
        let x = f32::from_bits(a as u32);
        (x.classify(), f64::from(x))
    };
    match kind {
        TestKind::Finite => x.is_finite(),
        TestKind::Infinite => x.is_infinite(),
        TestKind::Number => !x.is_nan(),
        TestKind::NotANumber => x.is_nan(),
        // The manual counts zero as normal.
        TestKind::Normal => matches!(class, std::num::FpCategory::Normal | std::num::FpCategory::Zero),
        TestKind::Subnormal => class == std::num::FpCategory::Subnormal,
    }
}

/// Low `bits` of `x`, extended by their sign if `signed`.
pub(crate) fn resize(x: u64, bits: u8, signed: bool) -> u64 {
    let shift = 64 - u32::from(bits);
    if signed { (((x << shift) as i64) >> shift) as u64 } else { x << shift >> shift }
}

fn from_float(x: f64, spec: &Cvt) -> u64 {
    let zero = |x: f64| spec.relu && (x < 0.0 || x == 0.0 && x.is_sign_negative());
    let x = if zero(x) { 0.0 } else { x };
    match spec.to {
        NumTy::Int { bits, signed } => {
            let round = match spec.round {
                CvtRound::Integer(r) | CvtRound::Format(r) => r,
            };
            let r = crate::float::integral(x, round);
            // Values out of range clamp; NaN gives zero (narrow types and 32 bits alike).
            let (low, high) = if signed {
                (-(2f64.powi(i32::from(bits) - 1)), 2f64.powi(i32::from(bits) - 1))
            } else {
                (0.0, 2f64.powi(i32::from(bits)))
            };
            if r.is_nan() {
                0
            } else if r >= high {
                if signed { (1u64 << (bits - 1)) - 1 } else { u64::MAX >> (64 - bits) }
            } else if r <= low {
                resize(if signed { 1u64 << (bits - 1) } else { 0 }, bits, false)
            } else if signed {
                resize(r as i64 as u64, bits, false)
            } else {
                r as u64
            }
        }
        _ => {
            let (x, round) = match spec.round {
                CvtRound::Integer(r) => (crate::float::integral(x, r), Round::Nearest),
                CvtRound::Format(r) => (x, r),
            };
            let x = if spec.sat { if x > 0.0 { x.min(1.0) } else { 0.0 } } else { x };
            match spec.to {
                NumTy::F64 => x.to_bits(),
                NumTy::F32 => {
                    let y = narrow(x, round);
                    let y = if spec.ftz && y.is_subnormal() { 0f32.copysign(y) } else { y };
                    u64::from(canonical(y))
                }
                NumTy::Tf32 => u64::from(TF32.encode(x, round, spec.satfinite)) << 13,
                NumTy::F16 | NumTy::F16x2 => F16.encode(x, round, spec.satfinite).into(),
                NumTy::Bf16 | NumTy::Bf16x2 if round == Round::Nearest && !spec.satfinite => {
                    // Exact where the source is `f32`: the only case in hot code.
                    if f64::from(x as f32) == x {
                        bf16_from_f32(x as f32).into()
                    } else {
                        BF16.encode(x, round, false).into()
                    }
                }
                NumTy::Bf16 | NumTy::Bf16x2 => BF16.encode(x, round, spec.satfinite).into(),
                NumTy::E4m3x2 => E4M3.encode(x, round, spec.satfinite).into(),
                NumTy::E5m2x2 => E5M2.encode(x, round, spec.satfinite).into(),
                NumTy::Int { .. } => 0,
            }
        }
    }
}

/// A saturating conversion between integers.
fn int_to_int(x: u64, from: (u8, bool), to: (u8, bool)) -> u64 {
    let value = if from.1 {
        i128::from(resize(x, from.0, true) as i64)
    } else {
        i128::from(resize(x, from.0, false))
    };
    let (low, high) =
        if to.1 { (-(1i128 << (to.0 - 1)), (1i128 << (to.0 - 1)) - 1) } else { (0, (1i128 << to.0) - 1) };
    resize(value.clamp(low, high) as u64, to.0, false)
}

/// One value converted. A packed target converts the low half of a packed source here.
pub(crate) fn convert(spec: &Cvt, a: u64) -> u64 {
    let flush = |x: f32| if spec.ftz && x.is_subnormal() { 0f32.copysign(x) } else { x };
    let x = match spec.from {
        NumTy::Int { bits, signed } => {
            if let NumTy::Int { bits: tb, signed: ts } = spec.to {
                return int_to_int(a, (bits, signed), (tb, ts));
            }
            return from_int(resize(a, bits, signed), signed, spec);
        }
        NumTy::F16 | NumTy::F16x2 => F16.decode(a as u32 & 0xffff),
        NumTy::Bf16 | NumTy::Bf16x2 => BF16.decode(a as u32 & 0xffff),
        NumTy::Tf32 | NumTy::F32 => f64::from(flush(f32::from_bits(a as u32))),
        NumTy::F64 => f64::from_bits(a),
        NumTy::E4m3x2 => E4M3.decode(a as u32 & 0xff),
        NumTy::E5m2x2 => E5M2.decode(a as u32 & 0xff),
    };
    from_float(x, spec)
}

/// Integers of up to 64 bits to floats: only `f64` and the round to nearest can lose bits before the rounding.
fn from_int(x: u64, signed: bool, spec: &Cvt) -> u64 {
    let near = matches!(spec.round, CvtRound::Format(Round::Nearest));
    match spec.to {
        NumTy::F32 if near => {
            let y = if signed { x as i64 as f32 } else { x as f32 };
            y.to_bits().into()
        }
        NumTy::F64 if near => (if signed { x as i64 as f64 } else { x as f64 }).to_bits(),
        _ => {
            // To odd, so that one rounding follows; 32-bit integers are exact.
            let (hi, lo) = if signed {
                (((x as i64) >> 32) as f64 * 4_294_967_296.0, f64::from(x as u32))
            } else {
                ((x >> 32) as f64 * 4_294_967_296.0, f64::from(x as u32))
            };
            from_float(crate::float::sum_odd(hi, lo), spec)
        }
    }
}
