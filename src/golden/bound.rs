//! How far an output may be from the truth, and why.

use maskrank_reference::head::sigmoid;

/// Given its logit, a probability is right to this relative error, down to 1e-7.
pub const HEAD_RELATIVE: f64 = 1e-5;

/// Rounding of one f32 operation.
const EPSILON_F32: f64 = f32::EPSILON as f64 / 2.0;

/// What f32 sums may differ by. Over 480 random architectures a plain f32 run reached half of it.
#[must_use]
pub fn logit_bound_f32(logit: f64) -> f64 {
    3e-5 + 1e-5 * logit.abs()
}

/// Bounds for one case on one precision.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Added to [`logit_bound_f32`]: twice the largest error of the reference's same-precision flavour; 0 for f32.
    pub rounding: f64,
}

impl Bound {
    /// Largest error of a logit.
    #[must_use]
    pub fn logit(&self, logit: f64) -> f64 {
        self.rounding + logit_bound_f32(logit)
    }

    /// Largest error of a probability whose exact value is `sigmoid(logit)`: what the logit's error does to it, and
    /// the head's own.
    #[must_use]
    pub fn probability(&self, logit: f64, ln_ratio: f64) -> f64 {
        let (exact, delta) = (logit + ln_ratio, self.logit(logit));
        let p = sigmoid(exact);
        let reach = (sigmoid(exact + delta) - p).max(p - sigmoid(exact - delta));
        // Below 1e-7 an absolute error of that relative size is all that is asked for.
        reach + HEAD_RELATIVE * p.max(1e-7)
    }

    /// Largest error of a score: every probability's, weighted, and the f32 sum's.
    #[must_use]
    pub fn score(&self, logits: &[f64], ln_ratios: &[f64], weights: &[f64]) -> f64 {
        let terms = logits.iter().zip(ln_ratios).zip(weights);
        let (moved, size) = terms.fold((0.0, 0.0), |(moved, size), ((&logit, &ratio), &weight)| {
            let reach = self.probability(logit, ratio);
            (moved + weight.abs() * reach, size + weight.abs() * (sigmoid(logit + ratio) + reach))
        });
        // A sum of n products: each product and each addition rounds once, and so does each weight.
        moved + (weights.len() as f64 + 2.0) * EPSILON_F32 * size
    }
}
