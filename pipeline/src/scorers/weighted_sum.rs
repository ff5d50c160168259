//! From ten probabilities to one score.
//!
//! `S = Σ wᵢ·pᵢ`. With `P` the sum of the positive weights, `N` the absolute sum of the negative ones, `T = P + N`:
//!
//! ```text
//! score = S + ε              when S ≥ 0
//!         (S + N) / T · ε    when S < 0
//!         max(S, 0)          when T = 0
//! ```
//!
//! Negative sums are squeezed into (0, ε) with their order kept: the factors that a score is multiplied with later
//! can then never turn "worse" into "better", and a negative sum always ranks below a positive one.

use crate::config::ScoringConfig;
use crate::domain::Task;

/// Weights, prepared.
#[derive(Clone, Debug)]
pub struct WeightedSum {
    weights: [f64; Task::COUNT],
    negative: f64,
    total: f64,
    epsilon: f64,
}

impl WeightedSum {
    /// Prepares the configured weights.
    pub fn new(config: &ScoringConfig) -> Self {
        let weights = Task::ALL.map(|task| config.weights.of(task));
        let sum_of = |wanted: fn(&f64) -> bool| weights.iter().copied().filter(wanted).sum::<f64>();
        let positive = sum_of(|weight| *weight > 0.0);
        let negative = -sum_of(|weight| *weight < 0.0);
        Self { weights, negative, total: positive + negative, epsilon: config.epsilon }
    }

    /// The score of one candidate. A probability that is not finite gives a score that is not: it sinks.
    pub fn score(&self, probabilities: &[f32; Task::COUNT]) -> f64 {
        let sum: f64 = self.weights.iter().zip(probabilities).map(|(weight, p)| weight * f64::from(*p)).sum();
        if self.total == 0.0 {
            // `max` would turn a sum that is not a number into the best score of all.
            return if sum < 0.0 { 0.0 } else { sum };
        }
        if sum < 0.0 { (sum + self.negative) / self.total * self.epsilon } else { sum + self.epsilon }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pairs: &[(Task, f32)]) -> [f32; Task::COUNT] {
        let mut probabilities = [0.0; Task::COUNT];
        pairs.iter().for_each(|(task, p)| probabilities[task.index()] = *p);
        probabilities
    }

    #[test]
    fn april_2023_weights_add_up() {
        let sum = WeightedSum::new(&ScoringConfig::default());
        // Ten decimal weights, the largest 369: each rounds by at most half an ulp of 369.
        assert!((sum.total - 566.005).abs() <= 10.0 * 369.0 * f64::EPSILON, "{}", sum.total);
        assert_eq!(sum.negative, 443.0);
    }

    #[test]
    fn check_values_of_the_squeeze() {
        let sum = WeightedSum::new(&ScoringConfig::default());
        for (name, pairs, expected) in [
            ("nothing", &[][..], 0.001),
            (
                "a like and a report",
                &[(Task::Favorite, 0.1), (Task::Report, 0.01)],
                (443.0 - 3.64) / 566.005 * 0.001,
            ),
            ("the worst", &[(Task::Report, 1.0), (Task::NegativeFeedback, 1.0)], 0.0),
            ("a like", &[(Task::Favorite, 1.0)], 0.501),
        ] {
            let got = sum.score(&at(pairs));
            // Probabilities are f32: half an ulp each, times the weight, before the squeeze.
            assert!((got - expected).abs() <= 1e-7, "{name}: expected {expected}, got {got}");
        }
        let squeezed = sum.score(&at(&[(Task::Favorite, 0.1), (Task::Report, 0.01)]));
        assert!((squeezed - 0.00077625).abs() <= 1e-8, "{squeezed}");
    }

    #[test]
    fn negative_sums_keep_their_order_below_every_positive_one() {
        let sum = WeightedSum::new(&ScoringConfig::default());
        let reports = [1.0, 0.9, 0.5, 0.1, 0.001];
        let scores: Vec<f64> = reports.iter().map(|&p| sum.score(&at(&[(Task::Report, p)]))).collect();
        assert!(scores.windows(2).all(|pair| pair[0] < pair[1]), "{scores:?}");
        assert!(scores.iter().all(|score| (0.0..0.001).contains(score)), "{scores:?}");
    }

    #[test]
    fn no_weights_and_no_numbers() {
        let mut config = ScoringConfig::default();
        for weight in [
            &mut config.weights.favorite,
            &mut config.weights.repost,
            &mut config.weights.reply,
            &mut config.weights.good_profile_click,
            &mut config.weights.video_half,
            &mut config.weights.reply_engaged_by_author,
            &mut config.weights.good_click,
            &mut config.weights.good_click_dwell,
            &mut config.weights.negative_feedback,
            &mut config.weights.report,
        ] {
            *weight = 0.0;
        }
        assert_eq!(WeightedSum::new(&config).score(&at(&[(Task::Favorite, 1.0)])), 0.0);
        for sum in [WeightedSum::new(&config), WeightedSum::new(&ScoringConfig::default())] {
            assert!(!sum.score(&at(&[(Task::Reply, f32::NAN)])).is_finite());
        }
    }
}
