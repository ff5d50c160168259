//! Storage types of activations and weights on the device, and the one rounding from f64.

use half::{bf16, f16};

use crate::Precision;

/// Bytes of one element.
pub(crate) fn bytes(precision: Precision) -> usize {
    match precision {
        Precision::F32 | Precision::Tf32 => 4,
        Precision::Bf16 | Precision::F16 => 2,
    }
}

/// Writes `values`, each rounded once, little-endian.
///
/// # Panics
/// When `into` has another length than the elements.
pub(crate) fn store(precision: Precision, values: &[f64], into: &mut [u8]) {
    assert_eq!(into.len(), values.len() * bytes(precision), "bytes of {} elements", values.len());
    match precision {
        Precision::F32 => put(values, into, |v| (v as f32).to_le_bytes()),
        Precision::Tf32 => put(values, into, |v| tf32(v).to_le_bytes()),
        Precision::Bf16 => put(values, into, |v| bf16::from_f32(to_odd(v)).to_le_bytes()),
        Precision::F16 => put(values, into, |v| f16::from_f32(to_odd(v)).to_le_bytes()),
    }
}

/// What a kernel reads of a stored number.
pub(crate) fn rounded(precision: Precision, value: f64) -> f64 {
    match precision {
        Precision::F32 => f64::from(value as f32),
        Precision::Tf32 => f64::from(tf32(value)),
        Precision::Bf16 => bf16::from_f32(to_odd(value)).to_f64(),
        Precision::F16 => f16::from_f32(to_odd(value)).to_f64(),
    }
}

fn put<const N: usize>(values: &[f64], into: &mut [u8], encode: impl Fn(f64) -> [u8; N]) {
    for (value, bytes) in values.iter().zip(into.chunks_exact_mut(N)) {
        bytes.copy_from_slice(&encode(*value));
    }
}

/// The f32 that tells a following rounding to fewer bits which side of a tie `v` was on: truncated, and its last bit
/// set where something was cut off ("round to odd"). Infinities stay; a value beyond f32 becomes its largest.
fn to_odd(v: f64) -> f32 {
    let nearest = v as f32;
    if f64::from(nearest) == v || v.is_nan() {
        return nearest;
    }
    let toward_zero =
        if f64::from(nearest).abs() > v.abs() { f32::from_bits(nearest.to_bits() - 1) } else { nearest };
    f32::from_bits(toward_zero.to_bits() | 1)
}

/// To 10 fraction bits, ties to even; infinities stay.
fn tf32(v: f64) -> f32 {
    let odd = to_odd(v);
    let bits = odd.to_bits();
    if odd.is_nan() { odd } else { f32::from_bits((bits + 0xfff + (bits >> 13 & 1)) & !0x1fff) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_once() {
        // Just above a tie of bf16 (1 + 2^-8) by less than f32 can see: rounding twice would go to even, down.
        let above = 1.0 + 2f64.powi(-8) + 2f64.powi(-40);
        let mut out = [0; 2];
        store(Precision::Bf16, &[above], &mut out);
        assert_eq!(bf16::from_le_bytes(out).to_f64(), 1.0 + 2f64.powi(-7));
        let tie = 1.0 + 2f64.powi(-8);
        store(Precision::Bf16, &[tie], &mut out);
        assert_eq!(bf16::from_le_bytes(out).to_f64(), 1.0);
    }

    #[test]
    fn tf32_keeps_ten_bits_and_ties_go_to_even() {
        assert_eq!(f64::from(tf32(1.0 + 2f64.powi(-11))), 1.0);
        assert_eq!(f64::from(tf32(-1.0 - 3.0 * 2f64.powi(-11))), -1.0 - 2f64.powi(-9));
        assert_eq!(f64::from(tf32(1.0 + 2f64.powi(-11) + 2f64.powi(-40))), 1.0 + 2f64.powi(-10));
        assert_eq!(f64::from(tf32(1.0 + 2f64.powi(-11) - 2f64.powi(-40))), 1.0);
        assert_eq!(tf32(f64::INFINITY), f32::INFINITY);
    }

    #[test]
    fn wide_types_are_stored_as_they_are() {
        let mut out = [0; 8];
        store(Precision::F32, &[0.1, -2.5], &mut out);
        assert_eq!(out, [0.1f32.to_le_bytes(), (-2.5f32).to_le_bytes()].as_flattened());
    }
}
