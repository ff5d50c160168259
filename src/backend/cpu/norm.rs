//! Layer norm of one row. Sums are f64: a row may hold anything that its features held, 3e38 included, and epsilon
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
        let (mean, variance) = mean_and_variance(row);
        let scale = 1.0 / (variance + self.epsilon).sqrt();
        match &self.affine {
            None => row.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) * scale) as f32),
            Some((gamma, beta)) => {
                for ((v, gamma), beta) in row.iter_mut().zip(gamma).zip(beta) {
                    *v = I::mul_add(((f64::from(*v) - mean) * scale) as f32, *gamma, *beta);
                }
            }
        }
        Moments { mean, scale }
    }
}

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

/// Mean and variance of a row.
#[inline(always)]
pub(super) fn mean_and_variance(row: &[f32]) -> (f64, f64) {
    let count = row.len() as f64;
    let mean = sum(row, |v| v) / count;
    (mean, sum(row, |v| (v - mean) * (v - mean)) / count)
}

/// Sum over a row in sixteen lanes, whose order depends on the row's length alone.
#[inline(always)]
fn sum(row: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0f64; 16];
    let mut chunks = row.chunks_exact(16);
    for chunk in &mut chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(f64::from(value));
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += term(f64::from(value));
    }
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
    use super::super::isa::Portable;
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

    #[test]
    fn equal_features_have_no_normalised_form() {
        for value in [0.0, 1.1, -3e38] {
            let mut row = vec![value; 2176];
            assert!(!RowNorm { epsilon: 0.0, affine: None }.apply::<Portable>(&mut row).defined(), "{value}");
            assert!(row.iter().all(|v| v.is_nan()));
        }
    }
}
