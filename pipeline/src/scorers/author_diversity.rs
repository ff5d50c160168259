//! Several posts of one author.

use std::collections::HashMap;

use crate::config::DiversityConfig;
use crate::domain::{UserId, best_first};

/// The factor of each candidate: `(1 − floor) · decay^k + floor`, where k is its place, from 0, among the candidates of
/// its author, best score first; equal scores in the given order. The author is who posted: the reposter for a repost.
///
/// `remembered` are the places that each author has taken before, in earlier responses: they count as if the author's
/// best posts were there already.
pub fn diversity_factors(
    config: &DiversityConfig,
    candidates: &[(UserId, f64)],
    remembered: &HashMap<UserId, f64>,
) -> Vec<f64> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| best_first(candidates[a].1, candidates[b].1));
    let mut places: HashMap<UserId, i32> = HashMap::new();
    let mut factors = vec![1.0; candidates.len()];
    for index in order {
        let place = places.entry(candidates[index].0).or_default();
        let before = remembered.get(&candidates[index].0).copied().unwrap_or(0.0);
        let loss = if before > 0.0 { config.decay.powf(before) } else { 1.0 };
        factors[index] = (1.0 - config.floor) * config.decay.powi(*place) * loss + config.floor;
        *place += 1;
    }
    factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authors_posts_lose_by_their_place() {
        let posts: Vec<_> = [5.0, 4.0, 3.0, 2.0, 1.0].map(|score| (UserId(1), score)).into();
        let factors = diversity_factors(&DiversityConfig::default(), &posts, &HashMap::new());
        assert_eq!(factors, [1.0, 0.625, 0.4375, 0.34375, 0.296875]);
    }

    #[test]
    fn places_follow_scores_not_positions_and_authors_do_not_mix() {
        let posts =
            [(UserId(1), 1.0), (UserId(2), 9.0), (UserId(1), f64::NAN), (UserId(1), 2.0), (UserId(1), 1.0)];
        let factors = diversity_factors(&DiversityConfig::default(), &posts, &HashMap::new());
        assert_eq!(factors, [0.625, 1.0, 0.34375, 1.0, 0.4375]);
    }

    #[test]
    fn what_was_served_before_counts_as_places() {
        let posts = [(UserId(1), 5.0), (UserId(2), 4.0), (UserId(1), 3.0)];
        let remembered = HashMap::from([(UserId(1), 1.0)]);
        let factors = diversity_factors(&DiversityConfig::default(), &posts, &remembered);
        assert_eq!(factors, [0.625, 1.0, 0.4375]);
        let faded = HashMap::from([(UserId(1), 0.5)]);
        let factors = diversity_factors(&DiversityConfig::default(), &posts, &faded);
        // Three roundings around 0.75 · sqrt(0.5) + 0.25.
        assert!((factors[0] - (0.75 * 0.5_f64.sqrt() + 0.25)).abs() <= 4.0 * f64::EPSILON, "{factors:?}");
    }
}
