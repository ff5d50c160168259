//! Conversions and moves.

use half::{bf16, f16};

use super::Out::{D, H, P, R};
use super::{Case, case, check, integers, singles};

fn f(x: u64) -> f32 {
    f32::from_bits(x as u32)
}
fn b(x: f32) -> u64 {
    if x.is_nan() { 0x7fff_ffff } else { u64::from(x.to_bits()) }
}
/// Clamped like the hardware: NaN gives zero.
fn to_int(x: f64, low: f64, high: f64) -> u64 {
    if x.is_nan() { 0 } else { x.clamp(low, high) as i64 as u64 }
}
const I32: (f64, f64) = (-2147483648.0, 2147483647.0);

const INTEGERS: &[Case] = &[
    case("cvt.u64.u32 %d8, %r4;", D, |v| v[0] & 0xffff_ffff),
    case("cvt.s64.s32 %d8, %r4;", D, |v| i64::from(v[0] as i32) as u64),
    case("cvt.u32.u64 %r8, %d4;", R, |v| v[0] & 0xffff_ffff),
    case("cvt.u16.u32 %h8, %r4;", H, |v| v[0] & 0xffff),
    case("cvt.u32.u16 %r8, %h4;", R, |v| v[0] & 0xffff),
    case("cvt.s32.s16 %r8, %h4;", R, |v| i64::from(v[0] as i16) as u64 & 0xffff_ffff),
    case("cvt.s32.s8 %r8, %r4;", R, |v| i64::from(v[0] as i8) as u64 & 0xffff_ffff),
    case("cvt.u32.u8 %r8, %r4;", R, |v| v[0] & 0xff),
    case("cvt.sat.u8.s32 %r8, %r4;", R, |v| i64::from(v[0] as i32).clamp(0, 255) as u64),
    case("cvt.sat.s16.s32 %h8, %r4;", H, |v| i64::from(v[0] as i32).clamp(-32768, 32767) as u64 & 0xffff),
    case("cvt.rn.f32.s32 %r8, %r4;", R, |v| b(v[0] as i32 as f32)),
    case("cvt.rn.f32.u32 %r8, %r4;", R, |v| b(v[0] as u32 as f32)),
    case("cvt.rn.f32.u64 %r8, %d4;", R, |v| b(v[0] as f32)),
    case("cvt.rz.f32.u32 %r8, %r4;", R, |v| {
        // The top 24 bits of the number.
        let x = v[0] as u32;
        let cut = if x == 0 { 0 } else { x & (u32::MAX << 8_u32.saturating_sub(x.leading_zeros())) };
        b(cut as f32)
    }),
    case("cvt.rn.f64.s32 %d8, %r4;", D, |v| f64::from(v[0] as i32).to_bits()),
    case("mov.b64 %d8, {%r4, %r5};", D, |v| v[0] & 0xffff_ffff | v[1] << 32),
    case("mov.b64 {%r8, %r9}, %d4; mov.u32 %r8, %r9;", R, |v| v[0] >> 32),
    case("mov.b32 %r8, {%h4, %h5};", R, |v| v[0] & 0xffff | (v[1] & 0xffff) << 16),
    case("mov.b32 {%h9, %h8}, %r4;", H, |v| v[0] >> 16 & 0xffff),
    case("mov.b64 %d8, {%h4, %h5, %h6, %h7};", D, |v| (0..4).map(|i| (v[i] & 0xffff) << (16 * i)).sum()),
    case("mov.pred %p1, 1;", P, |_| 1),
    case("mov.u32 %r8, %tid.x; sub.s32 %r8, %r8, %r8; add.s32 %r8, %r8, WARP_SZ;", R, |_| 32),
];

const FLOATS: &[Case] = &[
    case("cvt.rzi.s32.f32 %r8, %r4;", R, |v| to_int(f64::from(f(v[0])).trunc(), I32.0, I32.1) & 0xffff_ffff),
    case("cvt.rni.s32.f32 %r8, %r4;", R, |v| {
        to_int(f64::from(f(v[0])).round_ties_even(), I32.0, I32.1) & 0xffff_ffff
    }),
    case("cvt.rmi.s32.f32 %r8, %r4;", R, |v| to_int(f64::from(f(v[0])).floor(), I32.0, I32.1) & 0xffff_ffff),
    case("cvt.rpi.u32.f32 %r8, %r4;", R, |v| to_int(f64::from(f(v[0])).ceil(), 0.0, 4294967295.0)),
    case("cvt.rzi.s64.f32 %d8, %r4;", D, |v| f(v[0]) as i64 as u64),
    case("cvt.rni.f32.f32 %r8, %r4;", R, |v| b(f(v[0]).round_ties_even())),
    case("cvt.rmi.f32.f32 %r8, %r4;", R, |v| b(f(v[0]).floor())),
    case("cvt.sat.f32.f32 %r8, %r4;", R, |v| {
        b(if f(v[0]) >= 1.0 {
            1.0
        } else if f(v[0]) > 0.0 {
            f(v[0])
        } else {
            0.0
        })
    }),
    case("cvt.f64.f32 %d8, %r4; setp.nan.f32 %p2, %r4, %r4; @%p2 mov.u64 %d8, 0;", D, |v| {
        if f(v[0]).is_nan() { 0 } else { f64::from(f(v[0])).to_bits() }
    }),
    case("cvt.f64.f32 %d9, %r4; cvt.rn.f32.f64 %r8, %d9;", R, |v| b(f(v[0]))),
    case("cvt.rn.f16.f32 %h8, %r4;", H, |v| {
        if f(v[0]).is_nan() { 0x7fff } else { u64::from(f16::from_f32(f(v[0])).to_bits()) }
    }),
    case("cvt.rn.bf16.f32 %h8, %r4;", H, |v| {
        if f(v[0]).is_nan() { 0x7fff } else { u64::from(bf16::from_f32(f(v[0])).to_bits()) }
    }),
    // Toward zero, a bf16 is the upper half of its f32.
    case("cvt.rz.bf16.f32 %h8, %r4;", H, |v| if f(v[0]).is_nan() { 0x7fff } else { v[0] >> 16 & 0xffff }),
    case("cvt.rn.relu.bf16.f32 %h8, %r4;", H, |v| {
        let x = f(v[0]);
        if x.is_nan() {
            0x7fff
        } else if x > 0.0 {
            u64::from(bf16::from_f32(x).to_bits())
        } else {
            0
        }
    }),
    case("cvt.rn.bf16x2.f32 %r8, %r4, %r5;", R, |v| {
        let half = |x: u64| if f(x).is_nan() { 0x7fff } else { u64::from(bf16::from_f32(f(x)).to_bits()) };
        half(v[0]) << 16 | half(v[1])
    }),
    case("cvt.rn.f16x2.f32 %r8, %r4, %r5;", R, |v| {
        let half = |x: u64| if f(x).is_nan() { 0x7fff } else { u64::from(f16::from_f32(f(x)).to_bits()) };
        half(v[0]) << 16 | half(v[1])
    }),
    // Round to nearest, ties away, at bit 13: add half of it to the magnitude and cut.
    case("cvt.rna.tf32.f32 %r8, %r4;", R, |v| {
        if f(v[0]).is_nan() {
            0x7fff_e000
        } else if f(v[0]).is_infinite() {
            v[0]
        } else {
            (v[0] + 0x1000) & 0xffff_e000
        }
    }),
];

/// Value of an `e4m3`: a sign, four bits of exponent, three of fraction; all ones is NaN.
fn e4m3(x: u64) -> f64 {
    let (e, m) = ((x >> 3 & 0xf) as i32, (x & 7) as f64);
    if x & 0x7f == 0x7f {
        return f64::NAN;
    }
    let size = if e == 0 { m / 8.0 * 2f64.powi(-6) } else { (1.0 + m / 8.0) * 2f64.powi(e - 7) };
    if x & 0x80 == 0 { size } else { -size }
}

/// The `e4m3` nearest to a number, by trying them all; of two, the one with an even fraction; beyond all, the largest.
fn nearest_e4m3(x: f32) -> u64 {
    if x.is_nan() {
        return 0x7f;
    }
    let sign = u64::from(x.is_sign_negative()) << 7;
    let size = f64::from(x.abs());
    let distance = |c: u64| (e4m3(c) - size).abs();
    // Every candidate is as far from an infinity: the largest is meant.
    let best = if size > 448.0 {
        0x7e
    } else {
        (0..0x7f)
            .min_by(|a, b| distance(*a).total_cmp(&distance(*b)).then((a & 1).cmp(&(b & 1))))
            .unwrap_or(0)
    };
    sign | best
}

const BYTES: &[Case] = &[
    case("cvt.rn.satfinite.e4m3x2.f32 %h8, %r4, %r5;", H, |v| {
        nearest_e4m3(f(v[0])) << 8 | nearest_e4m3(f(v[1]))
    }),
    case("cvt.rn.f16x2.e4m3x2 %r8, %h4;", R, |v| {
        let half = |x: u64| {
            let y = e4m3(x & 0xff);
            if y.is_nan() { 0x7fff } else { u64::from(f16::from_f64(y).to_bits()) }
        };
        half(v[0]) | half(v[0] >> 8) << 16
    }),
];

const HALVES: &[Case] = &[
    case("cvt.f32.f16 %r8, %h4;", R, |v| b(f16::from_bits(v[0] as u16).to_f32())),
    case("cvt.f32.bf16 %r8, %h4;", R, |v| b(bf16::from_bits(v[0] as u16).to_f32())),
    case("cvt.rni.s32.f16 %r8, %h4;", R, |v| {
        to_int(f16::from_bits(v[0] as u16).to_f64().round_ties_even(), I32.0, I32.1) & 0xffff_ffff
    }),
    case("cvt.rn.f16.u16 %h8, %h4;", H, |v| u64::from(f16::from_f64(f64::from(v[0] as u16)).to_bits())),
];

#[test]
fn integers_and_moves() {
    check(INTEGERS, &integers());
}

#[test]
fn from_single_precision() {
    check(FLOATS, &singles(true));
}

#[test]
fn to_and_from_bytes() {
    check(BYTES, &singles(true));
}

#[test]
fn from_half_precision() {
    check(HALVES, &integers());
}
