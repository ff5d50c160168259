//! Which candidates the model scores.

use std::collections::BTreeMap;

use crate::component;
use crate::domain::{Candidate, Query, SourceKind, best_first};
use crate::engine::{Choice, Selector, scaled_limit};

/// Chooses so many of each source, times the quality factor: the best by light score, of the backfill the newest.
/// Candidates out of the cache have their score.
pub struct ScoringCandidates {
    /// How many of each source.
    pub max_scored: BTreeMap<SourceKind, usize>,
    /// How many altogether: beyond it each source keeps its share.
    pub max_candidates: Option<usize>,
}

component!(
    ScoringCandidates,
    "scoring_candidates",
    "chooses the best by light score of each source, the newest of the backfill, none of the cache"
);

impl Selector<Query, Candidate> for ScoringCandidates {
    fn select(&self, _query: &Query, pool: &[Candidate], choice: &mut Choice, quality: f64) {
        let mut by_source = Vec::with_capacity(self.max_scored.len());
        for (&source, &limit) in &self.max_scored {
            let of_source = choice.remaining.iter().copied().filter(|&index| pool[index].source == source);
            let mut of_source: Vec<usize> = of_source.collect();
            match source {
                SourceKind::Backfill => {
                    of_source.sort_by_key(|&index| std::cmp::Reverse(pool[index].post_id))
                }
                _ => of_source
                    .sort_by(|&a, &b| best_first(pool[a].light_score.into(), pool[b].light_score.into())),
            }
            of_source.truncate(scaled_limit(limit, quality));
            by_source.push(of_source);
        }
        if let Some(most) = self.max_candidates {
            let sizes: Vec<usize> = by_source.iter().map(Vec::len).collect();
            for (of_source, share) in by_source.iter_mut().zip(shares(&sizes, scaled_limit(most, quality))) {
                of_source.truncate(share);
            }
        }
        let mut chosen = vec![false; pool.len()];
        for index in by_source.into_iter().flatten() {
            chosen[index] = true;
            choice.result.push(index);
        }
        choice.remaining.retain(|&index| !chosen[index]);
    }
}

/// Divides `most` places in proportion to `sizes`, none more than its size: by largest remainder, at equal ones the
/// first.
fn shares(sizes: &[usize], most: usize) -> Vec<usize> {
    let all: usize = sizes.iter().sum();
    if all <= most {
        return sizes.to_vec();
    }
    let mut shares: Vec<usize> = sizes.iter().map(|size| size * most / all).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&place| std::cmp::Reverse(sizes[place] * most % all));
    let left = most - shares.iter().sum::<usize>();
    for &place in by_remainder.iter().take(left) {
        shares[place] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_divided_in_proportion_and_all_given() {
        for (sizes, most, expected) in [
            (vec![600, 300, 100], 500, vec![300, 150, 50]),
            (vec![1, 1, 1], 2, vec![1, 1, 0]),
            (vec![5, 0, 7], 100, vec![5, 0, 7]),
            (vec![3, 3, 3, 1], 5, vec![2, 2, 1, 0]),
            (vec![10, 20], 0, vec![0, 0]),
            (vec![], 5, vec![]),
        ] {
            assert_eq!(shares(&sizes, most), expected, "{sizes:?} into {most}");
        }
    }
}
