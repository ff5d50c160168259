//! The order of scores.

use std::cmp::Ordering;

/// Best first. A total order in which scores that are not finite sink to the end, all alike, so that a stable sort keeps
/// their order.
pub fn best_first(a: f64, b: f64) -> Ordering {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => b.total_cmp(&a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_are_not_finite_sink_in_their_order() {
        let scores =
            [(0, f64::NAN), (1, 1.0), (2, f64::INFINITY), (3, -1.0), (4, f64::NEG_INFINITY), (5, 2.0)];
        let mut sorted = scores;
        sorted.sort_by(|a, b| best_first(a.1, b.1));
        assert_eq!(sorted.map(|(name, _)| name), [5, 1, 3, 0, 2, 4]);
    }
}
