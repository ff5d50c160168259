//! What featurization writes once a request, and each candidate's terms, against f64.

use super::close;

/// Error of a mean of `n` features below 20 in f32.
fn mean_error(n: usize) -> f64 {
    (n + 40) as f64 * 2f64.powi(-24) * 10.0
}

fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

/// A request's row against f64; `z` before the norm.
pub(super) fn check_row(
    what: &str,
    once: [usize; 2],
    (z, order, gamma, epsilon): (&[f64], &[i32], Option<&[f64]>, Option<f64>),
    found: &[f64],
    roundoff: f64,
) {
    let [normed, plain] = once;
    let value = |column: usize| z[order[column] as usize];
    let rest = found.len() - plain - normed;
    if normed > 0 {
        assert!(epsilon.is_some(), "{what}: normed columns are under a norm");
        let own: Vec<f64> = (0..normed).map(value).collect();
        let (mean, variance) = moments(&own);
        let deviation = variance.sqrt();
        for column in 0..normed {
            let y = (own[column] - mean) / deviation;
            let gamma = gamma.map_or(1.0, |gamma| gamma[order[column] as usize]);
            // With what rounding cut off, a number is off by a rounding of a rounding.
            let sum = found[column] + if rest > 0 { found[normed + column] } else { 0.0 };
            let bound = (mean_error(normed) / deviation * (1.0 + y.abs()) + 2f64.powi(-20)) * gamma.abs()
                + (roundoff * roundoff + 2f64.powi(-22)) * (y * gamma).abs()
                + 2f64.powi(-24);
            close(&format!("{what}: column {column} of its request"), &[sum], &[y * gamma], |_| bound);
        }
    }
    for column in 0..plain {
        let expected = value(normed + column);
        let bound = roundoff * expected.abs() + 2f64.powi(-18);
        let name = format!("{what}: plain column {column} of its request");
        close(&name, &[found[normed + rest + column]], &[expected], |_| bound);
    }
}

/// What a candidate takes of the normed and the center sums, against f64.
pub(super) fn check_terms(
    what: &str,
    once: [usize; 2],
    (z, order, epsilon): (&[f64], &[i32], f64),
    found: [f64; 2],
) {
    let own: Vec<f64> = order[..once[0]].iter().map(|&j| z[j as usize]).collect();
    let ((mean, variance), (own_mean, own_variance)) = (moments(z), moments(&own));
    let (r, deviation) = (1.0 / (variance + epsilon).sqrt(), own_variance.sqrt());
    let expected = [r * deviation, r * (own_mean - mean)];
    let error = mean_error(z.len());
    let relative = 2.0 * error * r + 2f64.powi(-20);
    let bounds =
        [expected[0] * (relative + 2.0 * error / deviation), expected[1].abs() * relative + 2.0 * r * error];
    close(&format!("{what}: terms"), &found, &expected, |index| bounds[index]);
}
