//! One rounding from f64 to the narrow types: the libraries' own conversions go through f32, or lose what decides a tie.

use half::{bf16, f16};

/// The nearest bf16, ties to even.
pub(crate) fn bf16_of(value: f64) -> bf16 {
    bf16::from_f32(round_to_odd(value))
}

/// The nearest half, ties to even.
pub(crate) fn f16_of(value: f64) -> f16 {
    f16::from_f32_const(round_to_odd(value))
}

/// f64 to f32 by truncation, the last bit set where anything was cut off. Rounding the result once more, to a type
/// at least two bits narrower, gives what rounding the f64 at once would give.
fn round_to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    if f64::from(nearest) == value || !nearest.is_finite() && !value.is_finite() || value.is_nan() {
        return nearest;
    }
    let away = f64::from(nearest).abs() > value.abs();
    let bits = nearest.to_bits();
    f32::from_bits(if away { (bits - 1) | 1 } else { bits | 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f64_rounds_once() {
        // 1 + 2⁻⁸ is half way between two bf16; the tail of 2⁻⁴⁰ must push it up, which rounding through f32 loses.
        let tie = 1.0 + 2f64.powi(-8);
        assert_eq!(bf16_of(tie).to_f32(), 1.0);
        assert_eq!(bf16_of(tie + 2f64.powi(-40)).to_f32(), 1.0 + 2f32.powi(-7));
        assert_eq!(bf16_of(-tie - 2f64.powi(-40)).to_f32(), -1.0 - 2f32.powi(-7));
        assert_eq!(bf16_of(1e300), bf16::INFINITY);
        let tie = 1.0 + 2f64.powi(-11);
        assert_eq!(f16_of(tie).to_f32(), 1.0);
        assert_eq!(f16_of(tie + 2f64.powi(-40)).to_f32(), 1.0 + 2f32.powi(-10));
    }
}
