//! `sign(c) · log1p(|c|)`, non-finite values to 0: branch-free, so that loops over it vectorise.
//!
//! With `1 + x = 2^e · (1 + f)`, `f` in (−0.30, 0.42): `log1p(x) = e · ln 2 + log(1 + f)`, and
//! `log(1 + f) = f − (f²/2 − s · (f²/2 + r))` with `s = f / (2 + f)` and `r = s² · (2/3 + 2/5 s² + 2/7 s⁴ + …)`, the
//! series of `2 · atanh(s)` with its leading term taken out, so that only the small rest carries rounding errors.
//! What `1 + x` cuts off is added back as `c / (1 + x)`. With `e = 0`, `f` is `x` itself: tiny values stay exact.

use super::isa::Isa;

/// ln 2 as the sum of two f32; the first has 12 trailing zero bits, so that its product with an exponent is exact.
const LN_2_HIGH: f32 = f32::from_bits(0x3f31_7000); // 0.693115234375
const LN_2_LOW: f32 = 3.194_618_5e-5;

/// The transformed feature; relative error below 1.5e-7.
#[inline(always)]
pub(super) fn signed_log1p<I: Isa>(c: f32) -> f32 {
    let x = c.abs();
    let finite = x < f32::INFINITY; // false for NaN
    let x = if finite { x } else { 0.0 };

    let u = 1.0 + x;
    // Exponent of the power of two that leaves 1 + f in [√½, √2).
    let bits = u.to_bits();
    let e = (bits.wrapping_sub(0x3f35_04f3) as i32) >> 23;
    let m = f32::from_bits(bits.wrapping_sub((e as u32) << 23));
    let near = e == 0;
    // x below 1: u − 1 is exact and shows what was kept of x; else u − x is exact and shows what was kept of 1.
    let cut = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let correction = if near { 0.0 } else { cut / u };
    let f = if near { x } else { m - 1.0 };

    let s = f / (2.0 + f);
    let z = s * s;
    let mut series = 2.0 / 13.0;
    for coefficient in [2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0] {
        series = I::mul_add(series, z, coefficient);
    }
    let half = 0.5 * f * f;
    let rest = I::mul_add(s, I::mul_add(z, series, half), correction - half);
    let e = e as f32;
    let log = I::mul_add(e, LN_2_HIGH, f + I::mul_add(e, LN_2_LOW, rest));
    log.copysign(c)
}

#[cfg(test)]
mod tests {
    use super::super::isa::{Portable, Work};
    use super::*;

    fn check<I: Isa>(c: f32) {
        let expected = f64::from(c.abs()).ln_1p().copysign(c.into());
        let found = signed_log1p::<I>(c);
        let err = (f64::from(found) - expected).abs();
        assert!(err <= 1.5e-7 * expected.abs() + 1e-45, "log1p({c:e}): expected {expected:e}, got {found:e}");
    }

    #[test]
    fn every_magnitude() {
        for bits in (0..f32::INFINITY.to_bits()).step_by(3_571) {
            check::<Portable>(f32::from_bits(bits));
            check::<Portable>(-f32::from_bits(bits));
        }
        // Dense around the places where the exponent changes.
        for centre in [0.0f32, 2f32.sqrt() - 1.0, 1.0, 2.0 * 2f32.sqrt() - 1.0, 16_777_216.0] {
            for step in -2000i32..2000 {
                check::<Portable>(f32::from_bits(
                    centre.to_bits().saturating_add_signed(step).min(0x7f7f_ffff),
                ));
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_magnitude_with_fma() {
        let Some(isa) = super::super::isa::Avx2::detect() else { return check::<Portable>(1.0) };
        struct Sweep<I>(std::marker::PhantomData<I>);
        impl<I: Isa> Work for Sweep<I> {
            type Output = ();

            #[inline(always)]
            fn run(self) {
                for bits in (0..f32::INFINITY.to_bits()).step_by(3_571) {
                    check::<I>(f32::from_bits(bits));
                }
            }
        }
        fn sweep<I: Isa>(isa: I) {
            isa.run(Sweep::<I>(std::marker::PhantomData));
        }
        sweep(isa);
    }

    #[test]
    fn what_is_not_finite_is_zero() {
        for c in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0] {
            assert_eq!(signed_log1p::<Portable>(c), 0.0, "{c}");
        }
    }
}
