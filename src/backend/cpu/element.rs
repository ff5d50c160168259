//! Types that activations and weights are stored in.
//!
//! Sums are f32 everywhere; an [`Element`] only says how a value lies in memory. Sixteen at a time, because that is
//! the narrowest line of an activation panel (16 f32 fill 64 bytes).

use half::{bf16, f16};

use super::isa::Isa;
use crate::weights::round::{bf16_of, f16_of};

/// Bytes of a panel's line and of a cache line.
pub(super) const LINE_BYTES: usize = 64;

/// A storage type.
pub(super) trait Element: bytemuck::Pod + Default + Send + Sync {
    /// Values that fill a line.
    const LINE: usize = LINE_BYTES / size_of::<Self>();

    /// Rounds once, to nearest even.
    fn from_f64(value: f64) -> Self;

    /// Exact.
    fn widen<I: Isa>(from: &[Self; 16]) -> [f32; 16];

    /// Rounds to nearest even; NaN stays NaN.
    fn narrow<I: Isa>(from: &[f32; 16]) -> [Self; 16];
}

impl Element for f32 {
    fn from_f64(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn widen<I: Isa>(from: &[Self; 16]) -> [f32; 16] {
        *from
    }

    #[inline(always)]
    fn narrow<I: Isa>(from: &[f32; 16]) -> [Self; 16] {
        *from
    }
}

impl Element for bf16 {
    fn from_f64(value: f64) -> Self {
        bf16_of(value)
    }

    #[inline(always)]
    fn widen<I: Isa>(from: &[Self; 16]) -> [f32; 16] {
        from.map(|value| f32::from_bits(u32::from(value.to_bits()) << 16))
    }

    #[inline(always)]
    fn narrow<I: Isa>(from: &[f32; 16]) -> [Self; 16] {
        I::narrow_bf16(from)
    }
}

impl Element for f16 {
    fn from_f64(value: f64) -> Self {
        f16_of(value)
    }

    #[inline(always)]
    fn widen<I: Isa>(from: &[Self; 16]) -> [f32; 16] {
        I::widen_f16(from)
    }

    #[inline(always)]
    fn narrow<I: Isa>(from: &[f32; 16]) -> [Self; 16] {
        I::narrow_f16(from)
    }
}

/// The bits of the nearest bf16, ties to even; branch-free, so that loops over it vectorise.
#[inline(always)]
pub(super) fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let quiet = (bits >> 16) | 0x0040;
    (if value.is_nan() { quiet } else { rounded }) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_bits_are_those_of_half() {
        for bits in (0..=u32::MAX).step_by(65_521) {
            let value = f32::from_bits(bits);
            let expected = bf16::from_f32(value);
            let found = bf16::from_bits(bf16_bits(value));
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{bits:#x}");
        }
    }
}
