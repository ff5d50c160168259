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
}

component!(
    ScoringCandidates,
    "scoring_candidates",
    "chooses the best by light score of each source, the newest of the backfill, none of the cache"
);

impl Selector<Query, Candidate> for ScoringCandidates {
    fn select(&self, _query: &Query, pool: &[Candidate], choice: &mut Choice, quality: f64) {
        let mut chosen = vec![false; pool.len()];
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
            for &index in &of_source {
                chosen[index] = true;
            }
            choice.result.extend(of_source);
        }
        choice.remaining.retain(|&index| !chosen[index]);
    }
}
