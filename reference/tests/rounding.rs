//! The rounding functions against a decoding of every 16-bit pattern.
//!
//! The positive finite values of a format, in the order of their bits, are in ascending order. So nearest-even rounding
//! is pinned down by the midpoints of neighbours: a midpoint goes to the neighbour with the even pattern, anything to
//! its left to the left neighbour, anything to its right to the right one.

use maskrank_reference::Precision;
use maskrank_reference::rounding::{to_bf16, to_f16, to_f32, to_tf32};

/// A format with `fraction` stored bits under an exponent of `exponent` bits: the value of a positive pattern, with the
/// pattern of infinity giving the power of two that would follow the largest value.
fn decode(pattern: u32, exponent: i32, fraction: i32) -> f64 {
    let bias = (1 << (exponent - 1)) - 1;
    let field = (pattern >> fraction) as i32;
    let mantissa = f64::from(pattern & ((1 << fraction) - 1));
    let step = |field: i32| 2f64.powi(field - bias - fraction);
    if field == 0 { mantissa * step(1) } else { (mantissa + 2f64.powi(fraction)) * step(field) }
}

/// Checks `round` on both signs of every finite value of a format and of everything next to a midpoint.
fn check(round: fn(f64) -> f64, exponent: i32, fraction: i32) {
    let infinity = ((1u32 << exponent) - 1) << fraction;
    for pattern in 0..infinity {
        let low = decode(pattern, exponent, fraction);
        let high = decode(pattern + 1, exponent, fraction);
        let stored_high = if pattern + 1 == infinity { f64::INFINITY } else { high };
        let middle = (low + high) / 2.0;
        // its neighbours are taken in f32, by way of which everything is rounded; every midpoint is an f32
        assert_eq!(f64::from(middle as f32), middle, "midpoint above pattern {pattern:#x} is an f32");
        let even = if pattern % 2 == 0 { low } else { stored_high };
        for sign in [1.0, -1.0] {
            for (value, expected) in [
                (low, low),
                (f64::from((middle as f32).next_down()), low),
                (middle, even),
                (f64::from((middle as f32).next_up()), stored_high),
            ] {
                let found = round(sign * value);
                assert_eq!(found, sign * expected, "pattern {pattern:#x}: {value:e} of sign {sign}");
                assert_eq!(found.is_sign_negative(), sign < 0.0, "pattern {pattern:#x}: sign of {value:e}");
            }
        }
    }
}

#[test]
fn every_half() {
    check(to_f16, 5, 10);
}

#[test]
fn every_bfloat16() {
    check(to_bf16, 8, 7);
}

#[test]
fn every_tf32() {
    check(to_tf32, 8, 10);
}

#[test]
fn by_way_of_f32() {
    // just above the midpoint of two bfloat16 values, but its f32 is the midpoint: the kernel's two roundings show
    let value = 1.0 + 2f64.powi(-8) + 2f64.powi(-40);
    assert_eq!(to_f32(value), 1.0 + 2f64.powi(-8));
    assert_eq!(to_bf16(value), 1.0);
    assert_eq!(to_f32(1.0 + 2f64.powi(-24)), 1.0);
    assert_eq!(to_f32(1e39), f64::INFINITY);
    assert_eq!(to_f32(1e-46), 0.0);
}

#[test]
fn what_is_not_finite_stays() {
    for precision in [Precision::F64, Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16] {
        assert_eq!(precision.round(f64::INFINITY), f64::INFINITY);
        assert_eq!(precision.round(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(precision.round(f64::NAN).is_nan());
        assert!(precision.round(-0.0).is_sign_negative());
    }
}

/// A value that f32 cannot tell from a tie falls to both sides; any other, and every weight, to one.
#[test]
fn near_ties_fall_to_both_sides() {
    for (precision, step) in [
        (Precision::Tf32, 2f64.powi(-10)),
        (Precision::F16, 2f64.powi(-10)),
        (Precision::Bf16, 2f64.powi(-7)),
    ] {
        let [out, inward] = precision.tipped();
        let tie = 1.0 + 1.5 * step;
        for near in [tie, tie + 2f64.powi(-24), tie - 2f64.powi(-24)] {
            for sign in [1.0, -1.0] {
                assert_eq!(out.round(sign * near), sign * (1.0 + 2.0 * step), "{precision:?} {near}");
                assert_eq!(inward.round(sign * near), sign * (1.0 + step), "{precision:?} {near}");
                assert_eq!(out.round_weight(sign * near), precision.round(sign * near));
            }
        }
        for far in [1.0 + 1.4 * step, 1.0 + 1.6 * step, 0.0, f64::INFINITY] {
            assert_eq!([out.round(far), inward.round(far)], [precision.round(far); 2], "{precision:?} {far}");
        }
    }
    assert_eq!(Precision::F64.tipped(), [Precision::F64; 2]);
}
