//! Medians, spreads and noise.

/// What the samples of one row come to, in the samples' own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// 50th percentile.
    pub median: f64,
    /// 10th percentile.
    pub p10: f64,
    /// 90th percentile.
    pub p90: f64,
    /// How many.
    pub samples: usize,
    /// How far a median taken again may lie from this one, relative: the distance from the lowest to the highest
    /// median of up to [`PARTS`] consecutive parts of the samples, and at least the drift that was handed in.
    pub noise: f64,
}

/// Consecutive parts whose medians are compared.
pub const PARTS: usize = 5;

impl Summary {
    /// Of samples in the order in which they were taken; `drift` is the machine's own, relative, measured beside them.
    ///
    /// # Panics
    /// When there are no samples.
    #[must_use]
    pub fn of(samples: &[f64], drift: f64) -> Self {
        assert!(!samples.is_empty(), "a summary of no samples");
        let median = quantile(samples, 0.5);
        // Each part has at least two samples; a part of one would measure the spread, not the median's noise.
        let parts = PARTS.min(samples.len() / 2).max(1);
        let medians: Vec<f64> = (0..parts)
            .map(|part| {
                quantile(&samples[part * samples.len() / parts..(part + 1) * samples.len() / parts], 0.5)
            })
            .collect();
        let spread = quantile(&medians, 1.0) - quantile(&medians, 0.0);
        // Of two or three samples their own range is all that is known; of one, nothing.
        let range = quantile(samples, 1.0) - quantile(samples, 0.0);
        let noise = if parts > 1 { spread / median } else { range / median };
        let (p10, p90) = (quantile(samples, 0.1), quantile(samples, 0.9));
        Self { median, p10, p90, samples: samples.len(), noise: noise.max(drift) }
    }
}

/// The value below which a share of the samples lies, interpolated between neighbours; NaN sorts last.
///
/// # Panics
/// When there are no samples.
#[must_use]
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() - 1) as f64 * share.clamp(0.0, 1.0);
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

/// Kendall's tau-a of two orders, O(n²). Pairs with a NaN count as in disorder.
#[must_use]
pub fn kendall_tau(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    if n < 2 {
        return 1.0;
    }
    let mut balance = 0i64;
    for i in 0..n {
        for j in 0..i {
            let product = (a[i] - a[j]) * (b[i] - b[j]);
            balance += if product > 0.0 { 1 } else { -1 };
        }
    }
    balance as f64 / (n * (n - 1) / 2) as f64
}

/// How many of the best `k` of `a` are among the best `k` of `b`. NaN is never among the best.
#[must_use]
pub fn top_overlap(a: &[f64], b: &[f64], k: usize) -> usize {
    let best = |values: &[f64]| {
        let key = |i: usize| if values[i].is_nan() { f64::NEG_INFINITY } else { values[i] };
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&i, &j| key(j).total_cmp(&key(i)));
        order.truncate(k);
        order
    };
    let (a, b) = (best(a), best(b));
    a.iter().filter(|i| b.contains(i)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[4.0, 1.0, 3.0, 2.0], 0.5), 2.5);
        assert_eq!(quantile(&[7.0], 0.9), 7.0);
        assert_eq!(quantile(&[1.0, 2.0], 1.0), 2.0);
    }

    #[test]
    fn noise_sees_a_drift_that_the_spread_of_one_part_does_not() {
        let steady: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 5) * 0.001).collect();
        let drifting: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i) * 0.01).collect();
        assert!(Summary::of(&steady, 0.0).noise < 0.002);
        assert!(Summary::of(&drifting, 0.0).noise > 0.2);
        assert_eq!(Summary::of(&steady, 0.5).noise, 0.5);
        assert_eq!(Summary::of(&[1.0, 2.0, 3.0], 0.0).noise, 1.0);
    }

    #[test]
    fn tau_and_overlap_count_order_and_never_a_nan() {
        let a = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(kendall_tau(&a, &a), 1.0);
        assert_eq!(kendall_tau(&a, &[4.0, 3.0, 2.0, 1.0]), -1.0);
        assert!(kendall_tau(&a, &[1.0, f64::NAN, 3.0, 4.0]) <= 0.0);
        assert_eq!(top_overlap(&a, &a, 2), 2);
        assert_eq!(top_overlap(&a, &[9.0, f64::NAN, 3.0, 4.0], 2), 1);
    }
}
