//! The number formats that kernels store, as rounding functions on f64, written by hand.
//!
//! All of them round to nearest, ties to even, by way of f32: a kernel's accumulator is an f32, and what it stores is
//! the conversion of that f32. Infinities and NaN stay what they are.

/// The format in which a forward pass stores its inputs, weights and layer outputs.
///
/// The rounding happens where a kernel of that precision stores a value: the input row, the weights of linear layers
/// (but not of a tower's last layer), the output of every GEMM with its epilogue done (bias, ReLU, mask product, norm),
/// and the output of a block's input norm. Biases, norm weights and statistics stay as they are. Sums are kept in f64
/// throughout, which stands for an accumulator of "f32 or wider"; norms and the head read unrounded sums, and a logit
/// is never rounded. Nothing is folded, so a kernel that folds a norm into a weight before it rounds that weight
/// differs from this by errors of the same size, not by the same errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// No rounding: the truth.
    F64,
    /// IEEE single, 24 significant bits.
    F32,
    /// TensorFloat-32: the range of f32, 11 significant bits.
    Tf32,
    /// bfloat16: the range of f32, 8 significant bits.
    Bf16,
    /// IEEE half, 11 significant bits, largest value 65,504, with subnormals.
    F16,
    /// `of`, with everything but weights larger (`outward`) or smaller by [`SUM_ERROR`] of its size before it is rounded:
    /// see [`Precision::tipped`].
    Tipped {
        /// The format.
        of: &'static Self,
        /// Away from zero.
        outward: bool,
    },
}

/// How much of a sum's size a kernel's f32 additions may be off by: sixteen roundings to nearest.
pub const SUM_ERROR: f64 = 16.0 * (f32::EPSILON as f64) / 2.0;

impl Precision {
    /// The flavours whose near-ties fall to the other side.
    ///
    /// Rounding is not continuous: where a sum lies closer to the middle of two stored values than f32 additions are
    /// exact, a kernel may store either. The difference is a whole step of that one value, however exact the kernel is,
    /// and can dominate the error of a small model. So the error of a precision is that of a family of runs, and these
    /// are its two extremes: every near-tie up, every near-tie down. For `F64` and `F32`, whose steps are no larger
    /// than a sum's error, they are the flavour itself.
    pub fn tipped(self) -> [Self; 2] {
        let of: &'static Self = match self {
            Self::Tf32 => &Self::Tf32,
            Self::Bf16 => &Self::Bf16,
            Self::F16 => &Self::F16,
            other => return [other; 2],
        };
        [true, false].map(|outward| Self::Tipped { of, outward })
    }

    /// Rounds one weight: it is stored from its exact value.
    pub fn round_weight(self, value: f64) -> f64 {
        match self {
            Self::Tipped { of, .. } => of.round(value),
            other => other.round(value),
        }
    }

    /// Rounds one value.
    ///
    /// ```
    /// use maskrank_reference::Precision;
    /// assert_eq!(Precision::F64.round(1.001), 1.001);
    /// assert_eq!(Precision::Bf16.round(1.001), 1.0); // steps of 2⁻⁷ above 1
    /// assert_eq!(Precision::F16.round(1.001), 1.0009765625); // steps of 2⁻¹⁰ above 1
    /// ```
    pub fn round(self, value: f64) -> f64 {
        match self {
            Self::F64 => value,
            Self::F32 => to_f32(value),
            Self::Tf32 => to_tf32(value),
            Self::Bf16 => to_bf16(value),
            Self::F16 => to_f16(value),
            Self::Tipped { of, outward: true } => of.round(value * (1.0 + SUM_ERROR)),
            Self::Tipped { of, outward: false } => of.round(value * (1.0 - SUM_ERROR)),
        }
    }

    /// Rounds every value in place; `values` has any shape.
    pub fn round_all(self, values: &mut [f64]) {
        if self != Self::F64 {
            for value in values {
                *value = self.round(*value);
            }
        }
    }
}

/// Nearest f32.
pub fn to_f32(value: f64) -> f64 {
    f64::from(value as f32)
}

/// Nearest f32, then nearest value with a 10-bit stored mantissa (ties to even; where a kernel's
/// conversion sends ties away from zero, the two differ by one step on an exact tie).
///
/// ```
/// use maskrank_reference::rounding::to_tf32;
/// assert_eq!(to_tf32(1.0 + 2f64.powi(-11)), 1.0); // a tie goes to the even mantissa
/// assert_eq!(to_tf32(1.0 + 3.0 * 2f64.powi(-11)), 1.0 + 2f64.powi(-9));
/// ```
pub fn to_tf32(value: f64) -> f64 {
    keep_upper_bits(value as f32, 13)
}

/// Nearest f32, then nearest bfloat16.
///
/// ```
/// use maskrank_reference::rounding::to_bf16;
/// assert_eq!(to_bf16(1.0 + 2f64.powi(-8)), 1.0); // a tie goes to the even mantissa
/// assert_eq!(to_bf16(3.4e38), f64::INFINITY); // above the largest bfloat16 by more than half a step
/// ```
pub fn to_bf16(value: f64) -> f64 {
    keep_upper_bits(value as f32, 16)
}

/// Nearest f32, then nearest IEEE half.
///
/// ```
/// use maskrank_reference::rounding::to_f16;
/// assert_eq!(to_f16(65_519.0), 65_504.0);
/// assert_eq!(to_f16(65_520.0), f64::INFINITY); // half a step above the largest half
/// assert_eq!(to_f16(2f64.powi(-24) * 1.5), 2f64.powi(-23)); // subnormals come in steps of 2⁻²⁴
/// ```
pub fn to_f16(value: f64) -> f64 {
    const SMALLEST_NORMAL: f64 = 1.0 / 16_384.0; // 2⁻¹⁴
    const SUBNORMAL_STEPS: f64 = 16_777_216.0; // 2²⁴ steps in 1
    const LARGEST: f64 = 65_504.0;
    let single = value as f32;
    if f64::from(single).abs() < SMALLEST_NORMAL {
        return (f64::from(single) * SUBNORMAL_STEPS).round_ties_even() / SUBNORMAL_STEPS;
    }
    let rounded = keep_upper_bits(single, 13); // a normal half has tf32's mantissa
    if rounded.abs() > LARGEST { f64::INFINITY.copysign(rounded) } else { rounded }
}

/// Rounds an f32 so that its lowest `dropped` bits are zero: nearest, ties to even. A carry out of the mantissa goes
/// into the exponent, which is right: it is the next power of two, or infinity.
fn keep_upper_bits(value: f32, dropped: u32) -> f64 {
    if !value.is_finite() {
        return f64::from(value);
    }
    let bits = value.to_bits();
    let half_minus_one = (1 << (dropped - 1)) - 1;
    let is_odd = (bits >> dropped) & 1;
    let rounded = (bits + half_minus_one + is_odd) >> dropped << dropped;
    f64::from(f32::from_bits(rounded))
}
