//! Best first.

use crate::component;
use crate::domain::{Candidate, Query, best_first};
use crate::engine::{Choice, Selector};

/// Orders the remaining candidates by score, best first; equal ones keep their order, scores that are not finite sink.
pub struct SortByScore;

component!(SortByScore, "sort_by_score", "orders what remains by score, best first");

impl Selector<Query, Candidate> for SortByScore {
    fn select(&self, _query: &Query, pool: &[Candidate], choice: &mut Choice, _quality: f64) {
        choice.remaining.sort_by(|&a, &b| best_first(pool[a].score, pool[b].score));
    }
}
