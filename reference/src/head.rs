//! The head: from a tower's logit to the score. Nothing here is ever rounded.

/// `scale · logit + bias`.
///
/// ```
/// assert_eq!(maskrank_reference::head::affine_map(2.0, 3.0, -1.0), 5.0);
/// ```
pub fn affine_map(logit: f64, scale: f64, bias: f64) -> f64 {
    scale * logit + bias
}

/// `p = 1 / (1 + e^(−logit))`, written for negative logits as `e^logit / (1 + e^logit)`, so that neither power can
/// overflow and a small probability keeps its relative accuracy.
///
/// ```
/// use maskrank_reference::head::sigmoid;
/// assert_eq!(sigmoid(0.0), 0.5);
/// assert!((sigmoid(3.0_f64.ln()) - 0.75).abs() <= 1e-15);
/// assert!((sigmoid(-700.0) / (-700.0_f64).exp() - 1.0).abs() <= 1e-15);
/// assert_eq!(sigmoid(f64::NEG_INFINITY), 0.0);
/// ```
pub fn sigmoid(logit: f64) -> f64 {
    if logit < 0.0 {
        let power = logit.exp();
        power / (1.0 + power)
    } else {
        1.0 / (1.0 + (-logit).exp())
    }
}

/// Undoes the down-sampling of the training data: `q = p · r / (1 − p + r · p)`, where `p = sigmoid(logit)` and
/// `r = neg_downsampling_rate / pos_downsampling_rate`. `1 − p` is taken as `sigmoid(−logit)`, which is the same number
/// without the cancellation near `p = 1`.
///
/// ```
/// use maskrank_reference::head::calibrate;
/// assert_eq!(calibrate(0.0, 1.0), 0.5);
/// // one negative in four was kept, so the odds of 1 become ¼: a fifth
/// assert_eq!(calibrate(0.0, 0.25), 0.2);
/// ```
pub fn calibrate(logit: f64, ratio: f64) -> f64 {
    let probability = sigmoid(logit);
    probability * ratio / (sigmoid(-logit) + ratio * probability)
}

/// `score = Σ weight_i · probability_i` for every row.
///
/// Shapes: `probabilities` (rows, tasks), `weights` (tasks), result (rows).
///
/// ```
/// use maskrank_reference::head::score;
/// let probabilities = [0.5, 0.25, 0.0, /**/ 1.0, 0.5, 0.125];
/// assert_eq!(score(&probabilities, &[1.0, 4.0, -8.0]), [1.5, 2.0]);
/// ```
///
/// # Panics
/// When the lengths do not fit each other, or there are no tasks.
pub fn score(probabilities: &[f64], weights: &[f64]) -> Vec<f64> {
    let tasks = weights.len();
    assert!(tasks > 0, "score: no tasks");
    assert!(probabilities.len().is_multiple_of(tasks), "score: probabilities are not (rows, tasks {tasks})");
    let weighted = |row: &[f64]| row.iter().zip(weights).map(|(p, w)| w * p).sum();
    probabilities.chunks_exact(tasks).map(weighted).collect()
}
