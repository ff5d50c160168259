//! One post from several sources.

use std::collections::HashSet;

use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Choice, Selector};

/// Keeps the first candidate of each post. Sources stand in the funnel's order, so the earlier source wins, and a post
/// out of the cache wins over a fresh copy.
pub struct DropDuplicates;

component!(
    DropDuplicates,
    "drop_duplicates",
    "keeps the first candidate of each post: the earlier source wins"
);

impl Selector<Query, Candidate> for DropDuplicates {
    fn select(&self, _query: &Query, pool: &[Candidate], choice: &mut Choice, _quality: f64) {
        let mut met = HashSet::with_capacity(choice.remaining.len());
        choice.retain_remaining(|index| met.insert(pool[index].post_id));
    }
}
