//! Small floating-point formats, stated by the widths of their fields.

use super::round::{Round, integral};

/// A format with a sign, `exponent` and `mantissa` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    exponent: u32,
    mantissa: u32,
    /// Whether the largest exponent holds infinities. `e4m3` has none: only one NaN pattern.
    infinities: bool,
}

/// IEEE binary16.
pub(crate) const F16: Format = Format { exponent: 5, mantissa: 10, infinities: true };
/// The upper half of binary32.
pub(crate) const BF16: Format = Format { exponent: 8, mantissa: 7, infinities: true };
/// Binary32 with ten mantissa bits; its encoding here is those 19 bits.
pub(crate) const TF32: Format = Format { exponent: 8, mantissa: 10, infinities: true };
/// Eight bits, four of exponent.
pub(crate) const E4M3: Format = Format { exponent: 4, mantissa: 3, infinities: false };
/// Eight bits, five of exponent.
pub(crate) const E5M2: Format = Format { exponent: 5, mantissa: 2, infinities: true };

impl Format {
    fn bias(self) -> i32 {
        (1 << (self.exponent - 1)) - 1
    }

    /// Largest finite value.
    pub(crate) fn max(self) -> f64 {
        let (top, frac) = if self.infinities {
            ((1 << self.exponent) - 2, (1u32 << self.mantissa) - 1)
        } else {
            ((1 << self.exponent) - 1, (1u32 << self.mantissa) - 2)
        };
        self.value(top, frac)
    }

    fn value(self, exponent: u32, fraction: u32) -> f64 {
        let m = self.mantissa as i32;
        if exponent == 0 {
            f64::from(fraction) * 2f64.powi(1 - self.bias() - m)
        } else {
            f64::from(fraction + (1 << m)) * 2f64.powi(exponent as i32 - self.bias() - m)
        }
    }

    /// Value of an encoding.
    pub(crate) fn decode(self, bits: u32) -> f64 {
        let fraction = bits & ((1 << self.mantissa) - 1);
        let exponent = (bits >> self.mantissa) & ((1 << self.exponent) - 1);
        let sign = if bits >> (self.mantissa + self.exponent) & 1 == 1 { -1.0 } else { 1.0 };
        let last = (1 << self.exponent) - 1;
        if exponent == last && self.infinities {
            return if fraction == 0 { sign * f64::INFINITY } else { f64::NAN };
        }
        if exponent == last && fraction == (1 << self.mantissa) - 1 {
            return f64::NAN;
        }
        sign * self.value(exponent, fraction)
    }

    /// Canonical NaN.
    pub(crate) fn nan(self) -> u32 {
        (1 << (self.exponent + self.mantissa)) - 1
    }

    /// Encoding of `x`, rounded once. With `finite`, values too large become the largest finite one.
    pub(crate) fn encode(self, x: f64, round: Round, finite: bool) -> u32 {
        if x.is_nan() {
            return self.nan();
        }
        let sign = u32::from(x.is_sign_negative()) << (self.exponent + self.mantissa);
        if x == 0.0 {
            return sign;
        }
        let infinity = if self.infinities { ((1 << self.exponent) - 1) << self.mantissa } else { self.nan() };
        let largest = infinity - 1;
        if x.is_infinite() {
            return sign | if finite { largest } else { infinity };
        }
        // Exponent of the leading bit, not below that of the smallest normal number.
        let lead = (((x.to_bits() >> 52) & 0x7ff) as i32 - 1023).max(1 - self.bias());
        let quantum = 2f64.powi(lead - self.mantissa as i32);
        let steps = integral(x / quantum, round).abs();
        let magnitude = steps * quantum;
        if magnitude > self.max() {
            let inward = match round {
                Round::Zero => true,
                Round::Down => sign == 0,
                Round::Up => sign != 0,
                Round::Nearest | Round::NearestAway => false,
            };
            return sign | if finite || inward { largest } else { infinity };
        }
        // `steps` counts from zero in units of the last place, so adding it to the exponent field carries by itself.
        let exponent = (lead + self.bias()) as u32;
        sign | (((exponent - 1) << self.mantissa) + steps as u32)
    }
}

/// Value of an `f16` in the low half of `bits`.
#[inline]
pub(crate) fn f16_to_f32(bits: u32) -> f32 {
    // Move the fields up; the product with 2^112 repairs the bias and normalises subnormals.
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    let special = (bits & 0x7c00) == 0x7c00;
    let magnitude = if special { 0x7f80_0000 | ((bits & 0x3ff) << 13) } else { magnitude.to_bits() };
    f32::from_bits(magnitude | (bits & 0x8000) << 16)
}

/// `x` to nearest `bf16`, ties to even.
#[inline]
pub(crate) fn bf16_from_f32(x: f32) -> u32 {
    if x.is_nan() {
        return BF16.nan();
    }
    let bits = x.to_bits();
    bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_a_round_trip() {
        for bits in 0..=0xffffu32 {
            for format in [F16, BF16] {
                let x = format.decode(bits);
                let back = format.encode(x, Round::Nearest, false);
                assert!(
                    if x.is_nan() { back == format.nan() } else { back == bits },
                    "{format:?} {bits:#06x} {back:#06x}"
                );
            }
            let (mine, theirs) = (f16_to_f32(bits), half::f16::from_bits(bits as u16).to_f32());
            assert!(
                mine.to_bits() == theirs.to_bits() || mine.is_nan() && theirs.is_nan(),
                "f16 {bits:#06x}"
            );
        }
    }

    #[test]
    fn encoding_agrees_with_the_half_crate() {
        let mut state = 0x2545_f491u32;
        for _ in 0..200_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = f32::from_bits(state);
            if x.is_nan() {
                continue;
            }
            let wide = f64::from(x);
            assert_eq!(
                F16.encode(wide, Round::Nearest, false),
                u32::from(half::f16::from_f32(x).to_bits()),
                "{x:e}"
            );
            let bf16 = u32::from(half::bf16::from_f32(x).to_bits());
            assert_eq!(BF16.encode(wide, Round::Nearest, false), bf16, "{x:e}");
            assert_eq!(bf16_from_f32(x), bf16, "{x:e}");
        }
    }

    #[test]
    fn limits_and_directions() {
        assert_eq!(F16.max(), 65504.0);
        assert_eq!((E4M3.max(), E5M2.max()), (448.0, 57344.0));
        assert_eq!(F16.encode(1e9, Round::Zero, false), 0x7bff);
        assert_eq!(F16.encode(1e9, Round::Nearest, false), 0x7c00);
        assert_eq!(F16.encode(1e9, Round::Nearest, true), 0x7bff);
        assert_eq!(E4M3.encode(500.0, Round::Nearest, true), 0x7e);
        // A tie: 1 + 2^-11 lies between 1 and 1 + 2^-10.
        let tie = 1.0 + 2f64.powi(-11);
        assert_eq!(TF32.encode(tie, Round::NearestAway, false), 127 << 10 | 1);
        assert_eq!(TF32.encode(tie, Round::Nearest, false), 127 << 10);
        assert_eq!(TF32.encode(tie, Round::Zero, false), 127 << 10);
    }
}
