//! Layer norm of one row. Its moments are f64: a row may hold anything that its features held, 3e38 included, and epsilon
//! may be 0.

use crate::plan::Norm;

use super::isa::Isa;

/// A norm with its affine in f32.
#[derive(Clone, Debug, Default)]
pub(super) struct RowNorm {
    epsilon: f64,
    affine: Option<(Vec<f32>, Vec<f32>)>,
}

impl RowNorm {
    pub(super) fn new(norm: &Norm) -> Self {
        let narrow = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
        let affine = norm.affine.as_ref().map(|a| (narrow(&a.gamma), narrow(&a.beta)));
        Self { epsilon: norm.epsilon, affine }
    }

    /// Normalises a row in place, and says by what; where it has no normalised form (variance and epsilon are both
    /// 0), the scale is infinite and the row is NaN.
    #[inline(always)]
    pub(super) fn apply<I: Isa>(&self, row: &mut [f32]) -> Moments {
        let (mean, variance) = mean_and_variance::<I>(row);
        let scale = 1.0 / (variance + self.epsilon).sqrt();
        // The mean in two f32 leaves as many bits of each difference as f64 would, where nothing over- or underflows:
        // no value is further from the mean than the deviation times the root of the row's length.
        let high = mean as f32;
        if (FAINTEST..=1.0 / FAINTEST).contains(&scale) && mean.abs() <= LARGEST {
            let (low, scale) = ((mean - f64::from(high)) as f32, scale as f32);
            self.each::<I>(row, |v| (v - high - low) * scale);
        } else {
            self.each::<I>(row, |v| ((f64::from(v) - mean) * scale) as f32);
        }
        Moments { mean, scale }
    }

    #[inline(always)]
    fn each<I: Isa>(&self, row: &mut [f32], normed: impl Fn(f32) -> f32) {
        match &self.affine {
            None => row.iter_mut().for_each(|v| *v = normed(*v)),
            Some((gamma, beta)) => {
                for ((v, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
                    *v = I::mul_add(normed(*v), *gamma, *beta);
                }
            }
        }
    }
}

/// The smallest scale for f32 arithmetic: of a deviation of 2⁶⁴, with 2⁴⁸ values in a row before a difference overflows.
const FAINTEST: f64 = 1.0 / (1u128 << 64) as f64;
/// The largest mean for f32 arithmetic.
const LARGEST: f64 = (1u128 << 100) as f64;

/// What a row was normalised by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    /// Mean of the row.
    pub(super) mean: f64,
    /// One over the deviation.
    pub(super) scale: f64,
}

impl Moments {
    /// Whether the row has a normalised form.
    #[inline(always)]
    pub(super) fn defined(self) -> bool {
        self.scale != f64::INFINITY
    }
}

/// Mean and variance of a row, in one pass over its distances from its first value.
///
/// With `s` that value, the variance is the mean of `(v − s)²` less `(mean − s)²`. `s` being one of n values, the second is
/// at most n times the variance: what cancels costs log2 n of f64's 53 bits and no more, whatever the row holds. Equal
/// values have a variance of 0.
#[inline(always)]
pub(super) fn mean_and_variance<I: Isa>(row: &[f32]) -> (f64, f64) {
    let shift = row.first().map_or(0.0, |&first| f64::from(first));
    let (runs, rest) = row.as_chunks::<16>();
    let (mut sums, mut squares) = I::distances(runs, shift);
    for (lane, &value) in rest.iter().enumerate() {
        let distance = f64::from(value) - shift;
        sums[lane] += distance;
        squares[lane] += distance * distance;
    }
    let count = row.len() as f64;
    let (mean, square) = (total(sums) / count, total(squares) / count);
    let variance = square - mean * mean;
    // Not `max`: a NaN must stay one.
    (shift + mean, if variance < 0.0 { 0.0 } else { variance })
}

/// Sum of sixteen lanes.
#[inline(always)]
fn total(mut lanes: [f64; 16]) -> f64 {
    let mut width = 8;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::super::isa::{Portable, Work};
    use super::*;

    fn plain(row: &[f32], epsilon: f64) -> Vec<f64> {
        let row: Vec<f64> = row.iter().map(|&v| v.into()).collect();
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / row.len() as f64;
        row.iter().map(|v| (v - mean) / (variance + epsilon).sqrt()).collect()
    }

    #[test]
    fn rows_of_every_length_and_size() {
        for len in [1, 2, 15, 16, 17, 31, 33, 257, 1024] {
            for scale in [1e-20, 1.0, 1e25, 3e38] {
                let row: Vec<f32> = (0..len).map(|i| ((i * 37 % 101) as f32 / 101.0 - 0.3) * scale).collect();
                let expected = plain(&row, 1e-5);
                let mut found = row.clone();
                assert!(RowNorm { epsilon: 1e-5, affine: None }.apply::<Portable>(&mut found).defined());
                for (e, f) in expected.iter().zip(&found) {
                    let err = (e - f64::from(*f)).abs();
                    assert!(
                        err <= 2e-7 * e.abs() + 1e-7,
                        "length {len} scale {scale}: expected {e}, got {f}"
                    );
                }
            }
        }
    }

    struct Apply<'a, I>(&'a mut [f32], std::marker::PhantomData<I>);

    impl<I: Isa> Work for Apply<'_, I> {
        type Output = Moments;

        #[inline(always)]
        fn run(self) -> Moments {
            RowNorm { epsilon: 0.0, affine: None }.apply::<I>(self.0)
        }
    }

    /// Rows whose mean, or whose first value, is far from the rest: what a sum of squares alone would cancel away.
    fn far_from_zero<I: Isa>(isa: I) {
        for len in [2, 16, 33, 2176] {
            for (first, offset) in [(0.0, 1e6), (1e30, 0.0), (-1e12, 7.0), (3e38, -3e38), (1e-30, 1e-30)] {
                let mut row: Vec<f32> = (0..len).map(|i| offset + (i * 37 % 101) as f32 / 8.0).collect();
                row[0] += first;
                let expected = plain(&row, 0.0);
                let mut found = row.clone();
                let moments = isa.run(Apply::<I>(&mut found, std::marker::PhantomData));
                for (e, f) in expected.iter().zip(&found) {
                    // Two differences, the scale and the product are f32; the mean keeps 48 bits, and the variance
                    // 53 less those of the row's length.
                    let bound = (4.0 * 2f64.powi(-24) + len as f64 * 2f64.powi(-50)) * e.abs()
                        + 2f64.powi(-47) * moments.mean.abs() * moments.scale
                        + 1e-30;
                    let err = (e - f64::from(*f)).abs();
                    assert!(err <= bound, "{len} of {offset:e}, {first:e} first: expected {e}, got {f}");
                }
            }
        }
    }

    #[test]
    fn nothing_cancels_far_from_zero() {
        far_from_zero(Portable);
        #[cfg(target_arch = "x86_64")]
        {
            use super::super::isa::{Avx2, Avx512, Avx512Bf16};
            // What a processor lacks is reported as ignored by `tests/cpu_kernels.rs`.
            Avx2::detect().into_iter().for_each(far_from_zero);
            Avx512::detect().into_iter().for_each(far_from_zero);
            Avx512Bf16::detect().into_iter().for_each(far_from_zero);
        }
    }

    #[test]
    fn what_is_not_finite_stays_not_finite() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 5, 32] {
                let mut row: Vec<f32> = (0..33).map(|i| i as f32).collect();
                row[at] = value;
                RowNorm { epsilon: 1e-5, affine: None }.apply::<Portable>(&mut row);
                assert!(row.iter().all(|v| v.is_nan()), "{value} at {at}: {row:?}");
            }
        }
    }

    #[test]
    fn equal_features_have_no_normalised_form() {
        for value in [0.0, 1.1, -3e38] {
            let mut row = vec![value; 2176];
            assert!(!RowNorm { epsilon: 0.0, affine: None }.apply::<Portable>(&mut row).defined(), "{value}");
            assert!(row.iter().all(|v| v.is_nan()));
        }
    }
}
