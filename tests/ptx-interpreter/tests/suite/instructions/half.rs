//! `f16` and `bf16` arithmetic: exact in `f64`, rounded once by the `half` crate.

use half::{bf16, f16};

use super::Out::{H, P, R};
use super::{Case, case, check, integers};

fn x16(v: u64) -> f64 {
    f16::from_bits(v as u16).to_f64()
}
fn b16(v: u64) -> f64 {
    bf16::from_bits(v as u16).to_f64()
}
fn to16(x: f64) -> u64 {
    if x.is_nan() { 0x7fff } else { u64::from(f16::from_f64(x).to_bits()) }
}
fn to_b16(x: f64) -> u64 {
    if x.is_nan() { 0x7fff } else { u64::from(bf16::from_f64(x).to_bits()) }
}

const CASES: &[Case] = &[
    case("add.f16 %h8, %h4, %h5;", H, |v| to16(x16(v[0]) + x16(v[1]))),
    case("sub.f16 %h8, %h4, %h5;", H, |v| to16(x16(v[0]) - x16(v[1]))),
    case("mul.rn.f16 %h8, %h4, %h5;", H, |v| to16(x16(v[0]) * x16(v[1]))),
    case("mul.bf16 %h8, %h4, %h5;", H, |v| to_b16(b16(v[0]) * b16(v[1]))),
    case("neg.f16 %h8, %h4;", H, |v| v[0] & 0xffff ^ 0x8000),
    case("abs.bf16 %h8, %h4;", H, |v| v[0] & 0x7fff),
    case("setp.lt.f16 %p1, %h4, %h5;", P, |v| (x16(v[0]) < x16(v[1])).into()),
    case("setp.geu.bf16 %p1, %h4, %h5;", P, |v| {
        (b16(v[0]) >= b16(v[1]) || b16(v[0]).is_nan() || b16(v[1]).is_nan()).into()
    }),
    case("mul.f16x2 %r8, %r4, %r5;", R, |v| {
        to16(x16(v[0]) * x16(v[1])) | to16(x16(v[0] >> 16) * x16(v[1] >> 16)) << 16
    }),
    case("fma.rn.relu.f16 %h8, %h4, %h5, %h6;", H, |v| {
        // Only factors and terms whose sum is exact in f64 have a simple statement.
        let (p, c) = (x16(v[0]) * x16(v[1]), x16(v[2]));
        let s = p + c;
        if s.is_nan() {
            0x7fff
        } else if s > 0.0 {
            to16(s)
        } else {
            0
        }
    }),
    case("tanh.approx.f16 %h8, %h4;", H, |v| to16(x16(v[0]).tanh())),
    case("min.NaN.f16 %h8, %h4, %h5;", H, |v| {
        let (x, y) = (x16(v[0]), x16(v[1]));
        let least = if x < y || x == y && x.is_sign_negative() { x } else { y };
        if x.is_nan() || y.is_nan() { 0x7fff } else { to16(least) }
    }),
    case("add.sat.f16 %h8, %h4, %h5;", H, |v| {
        let s = x16(v[0]) + x16(v[1]);
        to16(if s >= 1.0 {
            1.0
        } else if s > 0.0 {
            s
        } else {
            0.0
        })
    }),
    case("ex2.approx.f16 %h8, %h4;", H, |v| to16(x16(v[0]).exp2())),
];

#[test]
fn arithmetic() {
    check(CASES, &integers());
}

#[test]
fn fma_of_bf16_rounds_once() {
    // (1 + 2^-7)^2 is 1 + 2^-6 + 2^-14. Less 1 + 2^-6, that is 2^-14; a product rounded by itself would leave 0.
    let m = super::kernel("fma.rn.bf16 %h8, %h4, %h5, %h6;", H);
    let bits = |x: f64| u64::from(bf16::from_f64(x).to_bits());
    let factor = bits(1.0 + 2f64.powi(-7));
    let got = super::run(&m, &[[factor, factor, bits(-1.0 - 2f64.powi(-6)), 0]]).unwrap();
    assert_eq!(got[0], bits(2f64.powi(-14)));
}
