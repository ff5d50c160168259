//! Single and double precision.

use super::Out::{D, P, R};
use super::{Case, case, check, integers, singles};

fn f(x: u64) -> f32 {
    f32::from_bits(x as u32)
}
fn d(x: u64) -> f64 {
    f64::from(f(x))
}
/// Bits of a result; single-precision instructions return one NaN.
fn b(x: f32) -> u64 {
    if x.is_nan() { 0x7fff_ffff } else { u64::from(x.to_bits()) }
}
/// An exact value cut to the 24 bits of `f32`, and one step further from zero unless it was exact.
fn cut(x: f64) -> (f32, f32) {
    let bits = x.to_bits();
    let down = f64::from_bits(bits & !0x1fff_ffff);
    let up = if bits & 0x1fff_ffff == 0 { down } else { f64::from_bits((bits & !0x1fff_ffff) + 0x2000_0000) };
    (down as f32, up as f32)
}
fn toward_zero(x: f64) -> u64 {
    b(cut(x).0)
}
fn toward_plus(x: f64) -> u64 {
    b(if x > 0.0 { cut(x).1 } else { cut(x).0 })
}
fn toward_minus(x: f64) -> u64 {
    b(if x > 0.0 { cut(x).0 } else { cut(x).1 })
}
fn flush(x: f32) -> f32 {
    if x != 0.0 && x.abs() < f32::MIN_POSITIVE { 0.0 * x.signum() } else { x }
}

const ANY: &[Case] = &[
    case("add.f32 %r8, %r4, %r5;", R, |v| b(f(v[0]) + f(v[1]))),
    case("add.rn.f32 %r8, %r4, %r5;", R, |v| b(f(v[0]) + f(v[1]))),
    case("sub.f32 %r8, %r4, %r5;", R, |v| b(f(v[0]) - f(v[1]))),
    case("mul.f32 %r8, %r4, %r5;", R, |v| b(f(v[0]) * f(v[1]))),
    case("fma.rn.f32 %r8, %r4, %r5, %r6;", R, |v| b(f(v[0]).mul_add(f(v[1]), f(v[2])))),
    case("div.rn.f32 %r8, %r4, %r5;", R, |v| b(f(v[0]) / f(v[1]))),
    case("sqrt.rn.f32 %r8, %r4;", R, |v| b(f(v[0]).sqrt())),
    case("rcp.rn.f32 %r8, %r4;", R, |v| b(1.0 / f(v[0]))),
    case("neg.f32 %r8, %r4;", R, |v| v[0] ^ 0x8000_0000),
    case("abs.f32 %r8, %r4;", R, |v| v[0] & 0x7fff_ffff),
    case("copysign.f32 %r8, %r4, %r5;", R, |v| v[0] & 0x8000_0000 | v[1] & 0x7fff_ffff),
    case("add.ftz.f32 %r8, %r4, %r5;", R, |v| b(flush(flush(f(v[0])) + flush(f(v[1]))))),
    case("mul.ftz.f32 %r8, %r4, %r5;", R, |v| b(flush(flush(f(v[0])) * flush(f(v[1]))))),
    case("fma.rn.ftz.f32 %r8, %r4, %r5, %r6;", R, |v| {
        b(flush(flush(f(v[0])).mul_add(flush(f(v[1])), flush(f(v[2])))))
    }),
    case("add.sat.f32 %r8, %r4, %r5;", R, |v| {
        let s = f(v[0]) + f(v[1]);
        b(if s >= 1.0 {
            1.0
        } else if s > 0.0 {
            s
        } else {
            0.0
        })
    }),
    case("min.f32 %r8, %r4, %r5;", R, |v| {
        let (x, y) = (f(v[0]), f(v[1]));
        // -0 counts as smaller than +0; a number wins against NaN.
        b(if x.is_nan() {
            y
        } else if y.is_nan() || x < y || x == y && v[0] >> 31 & 1 == 1 {
            x
        } else {
            y
        })
    }),
    case("max.f32 %r8, %r4, %r5;", R, |v| {
        let (x, y) = (f(v[0]), f(v[1]));
        b(if x.is_nan() {
            y
        } else if y.is_nan() || x > y || x == y && v[0] >> 31 & 1 == 0 {
            x
        } else {
            y
        })
    }),
    case("max.NaN.f32 %r8, %r4, %r5;", R, |v| {
        let (x, y) = (f(v[0]), f(v[1]));
        b(if x.is_nan() || y.is_nan() {
            f32::NAN
        } else if x > y || x == y && v[0] >> 31 & 1 == 0 {
            x
        } else {
            y
        })
    }),
    case("setp.lt.f32 %p1, %r4, %r5;", P, |v| (f(v[0]) < f(v[1])).into()),
    case("setp.ltu.f32 %p1, %r4, %r5;", P, |v| {
        (f(v[0]) < f(v[1]) || (f(v[0]) + f(v[1])).is_nan() && (f(v[0]).is_nan() || f(v[1]).is_nan())).into()
    }),
    case("setp.ne.f32 %p1, %r4, %r5;", P, |v| (f(v[0]) < f(v[1]) || f(v[0]) > f(v[1])).into()),
    case("setp.neu.f32 %p1, %r4, %r5;", P, |v| (f(v[0]) != f(v[1])).into()),
    case("setp.nan.f32 %p1, %r4, %r5;", P, |v| (f(v[0]).is_nan() || f(v[1]).is_nan()).into()),
    case("setp.num.f32 %p1, %r4, %r5;", P, |v| (!f(v[0]).is_nan() && !f(v[1]).is_nan()).into()),
    case("setp.eq.ftz.f32 %p1, %r4, %r5;", P, |v| (flush(f(v[0])) == flush(f(v[1]))).into()),
    case("testp.finite.f32 %p1, %r4;", P, |v| ((v[0] >> 23 & 0xff) != 0xff).into()),
    case("testp.infinite.f32 %p1, %r4;", P, |v| (v[0] & 0x7fff_ffff == 0x7f80_0000).into()),
    case("testp.subnormal.f32 %p1, %r4;", P, |v| (v[0] >> 23 & 0xff == 0 && v[0] & 0x7f_ffff != 0).into()),
    case("testp.number.f32 %p1, %r4;", P, |v| (v[0] & 0x7fff_ffff <= 0x7f80_0000).into()),
    case("testp.notanumber.f32 %p1, %r4;", P, |v| (v[0] & 0x7fff_ffff > 0x7f80_0000).into()),
    case("testp.normal.f32 %p1, %r4;", P, |v| {
        (v[0] & 0x7fff_ffff == 0 || (1..0xff).contains(&(v[0] >> 23 & 0xff))).into()
    }),
    case("min.NaN.f32 %r8, %r4, %r5;", R, |v| {
        let (x, y) = (f(v[0]), f(v[1]));
        b(if x.is_nan() || y.is_nan() {
            f32::NAN
        } else if x < y || x == y && v[0] >> 31 & 1 == 1 {
            x
        } else {
            y
        })
    }),
    case("sub.ftz.sat.f32 %r8, %r4, %r5;", R, |v| {
        let s = flush(flush(f(v[0])) - flush(f(v[1])));
        b(if s >= 1.0 {
            1.0
        } else if s > 0.0 {
            s
        } else {
            0.0
        })
    }),
    case("set.lt.f32.f32 %r8, %r4, %r5;", R, |v| if f(v[0]) < f(v[1]) { 0x3f80_0000 } else { 0 }),
    case("slct.b32.f32 %r8, %r4, %r5, %r6;", R, |v| (if f(v[2]) >= 0.0 { v[0] } else { v[1] }) & 0xffff_ffff),
];

/// Directed roundings, on numbers whose sums and products are exact in `f64`.
const DIRECTED: &[Case] = &[
    case("add.rz.f32 %r8, %r4, %r5;", R, |v| toward_zero(d(v[0]) + d(v[1]))),
    case("add.rp.f32 %r8, %r4, %r5;", R, |v| toward_plus(d(v[0]) + d(v[1]))),
    case("add.rm.f32 %r8, %r4, %r5;", R, |v| {
        let s = d(v[0]) + d(v[1]);
        if s == 0.0 { 0x8000_0000 } else { toward_minus(s) }
    }),
    case("sub.rz.f32 %r8, %r4, %r5;", R, |v| toward_zero(d(v[0]) - d(v[1]))),
    case("mul.rz.f32 %r8, %r4, %r5;", R, |v| toward_zero(d(v[0]) * d(v[1]))),
    case("mul.rp.f32 %r8, %r4, %r5;", R, |v| toward_plus(d(v[0]) * d(v[1]))),
    case("mul.rm.f32 %r8, %r4, %r5;", R, |v| toward_minus(d(v[0]) * d(v[1]))),
    // Quotients and roots are not exact: the remainder says on which side of `f64`'s value the true one lies.
    case("div.rz.f32 %r8, %r4, %r5;", R, |v| {
        let (down, up) = cut((d(v[0]) / d(v[1])).abs());
        let under = |q: f32| f64::from(q) * d(v[1]).abs() <= d(v[0]).abs();
        let q = if under(up) { up } else { down };
        b(if (v[0] ^ v[1]) >> 31 & 1 == 1 { -q } else { q })
    }),
    case("and.b32 %r4, %r4, 0x7fffffff; sqrt.rp.f32 %r8, %r4;", R, |v| {
        let x = d(v[0]).abs();
        let q = x.sqrt() as f32;
        let over = |q: f32| f64::from(q) * f64::from(q) >= x;
        b(if !over(q) {
            q.next_up()
        } else if over(q.next_down()) {
            q.next_down()
        } else {
            q
        })
    }),
];

/// Approximations: the correctly rounded value is within every documented error.
const APPROXIMATE: &[Case] = &[
    case("ex2.approx.f32 %r8, %r4;", R, |v| b(d(v[0]).exp2() as f32)),
    case("ex2.approx.ftz.f32 %r8, %r4;", R, |v| b(flush(flush(f(v[0])).exp2()))),
    case("and.b32 %r4, %r4, 0x7fffffff; lg2.approx.f32 %r8, %r4;", R, |v| {
        b(d(v[0] & 0x7fff_ffff).log2() as f32)
    }),
    case("and.b32 %r4, %r4, 0x7fffffff; rsqrt.approx.f32 %r8, %r4;", R, |v| {
        b((1.0 / d(v[0]).abs().sqrt()) as f32)
    }),
    case("rcp.approx.ftz.f32 %r8, %r4;", R, |v| b(1.0 / f(v[0]))),
    case("and.b32 %r4, %r4, 0x7fffffff; sqrt.approx.f32 %r8, %r4;", R, |v| b(f(v[0]).abs().sqrt())),
    case("div.approx.f32 %r8, %r4, %r5;", R, |v| b(f(v[0]) / f(v[1]))),
    case("div.full.f32 %r8, %r4, %r5;", R, |v| b(f(v[0]) / f(v[1]))),
    case("tanh.approx.f32 %r8, %r4;", R, |v| b(d(v[0]).tanh() as f32)),
    case("sin.approx.f32 %r8, %r4;", R, |v| b(d(v[0]).sin() as f32)),
    case("cos.approx.f32 %r8, %r4;", R, |v| b(d(v[0]).cos() as f32)),
];

fn g(x: u64) -> f64 {
    f64::from_bits(x)
}

/// Double precision on numbers made from integers, so that no NaN appears.
const DOUBLE: &[Case] = &[
    case("cvt.rn.f64.s64 %d4, %d4; cvt.rn.f64.s64 %d5, %d5; add.f64 %d8, %d4, %d5;", D, |v| {
        (v[0] as i64 as f64 + v[1] as i64 as f64).to_bits()
    }),
    case("cvt.rn.f64.s64 %d4, %d4; cvt.rn.f64.s64 %d5, %d5; mul.rn.f64 %d8, %d4, %d5;", D, |v| {
        (v[0] as i64 as f64 * v[1] as i64 as f64).to_bits()
    }),
    case("cvt.rn.f64.s64 %d4, %d4; cvt.rn.f64.s64 %d5, %d5; fma.rn.f64 %d8, %d4, %d5, %d4;", D, |v| {
        (v[0] as i64 as f64).mul_add(v[1] as i64 as f64, v[0] as i64 as f64).to_bits()
    }),
    case(
        "or.b64 %d5, %d5, 1; cvt.rn.f64.s64 %d4, %d4; cvt.rn.f64.s64 %d5, %d5; div.rn.f64 %d8, %d4, %d5;",
        D,
        |v| (v[0] as i64 as f64 / (v[1] | 1) as i64 as f64).to_bits(),
    ),
    case("cvt.rn.f64.u64 %d4, %d4; sqrt.rn.f64 %d8, %d4;", D, |v| (v[0] as f64).sqrt().to_bits()),
    case("setp.lt.f64 %p1, %d4, %d5;", P, |v| (g(v[0]) < g(v[1])).into()),
    case("neg.f64 %d8, %d4;", D, |v| v[0] ^ 1 << 63),
];

#[test]
fn nearest_with_all_special_values() {
    check(ANY, &singles(true));
}

#[test]
fn directed_roundings() {
    check(DIRECTED, &singles(false));
}

#[test]
fn approximations() {
    check(APPROXIMATE, &singles(false));
}

#[test]
fn double_precision() {
    check(DOUBLE, &integers());
}
