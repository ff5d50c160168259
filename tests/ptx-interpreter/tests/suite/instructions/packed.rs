//! Pairs of halves, as the epilogues use them.

use half::bf16;

use super::Out::R;
use super::{Case, case, check, integers};

fn lanes(v: u64) -> [f64; 2] {
    [0, 16].map(|s| bf16::from_bits((v >> s) as u16).to_f64())
}

fn pack(x: [f64; 2]) -> u64 {
    let bits = |x: f64| if x.is_nan() { 0x7fff } else { u64::from(bf16::from_f64(x).to_bits()) };
    bits(x[0]) | bits(x[1]) << 16
}

const CASES: &[Case] = &[
    case("mul.bf16x2 %r8, %r4, %r5;", R, |v| {
        let (a, b) = (lanes(v[0]), lanes(v[1]));
        pack([a[0] * b[0], a[1] * b[1]])
    }),
    case("max.bf16x2 %r8, %r4, %r5;", R, |v| {
        let pick = |x: f64, y: f64| {
            if x.is_nan() {
                y
            } else if y.is_nan() || x > y || x == y && x.is_sign_positive() {
                x
            } else {
                y
            }
        };
        let (a, b) = (lanes(v[0]), lanes(v[1]));
        pack([pick(a[0], b[0]), pick(a[1], b[1])])
    }),
    case("neg.bf16x2 %r8, %r4; neg.bf16x2 %r8, %r8;", R, |v| v[0] & 0xffff_ffff),
];

#[test]
fn arithmetic() {
    check(CASES, &integers());
}
