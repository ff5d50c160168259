//! Posts that are too old.

use std::time::Duration;

use super::each;
use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes posts whose id says that they are older than `max_age`.
pub struct Age {
    /// How old a post may be.
    pub max_age: Duration,
}

component!(Age, "age", "removes posts older than the limit, by the time in their id");

impl Filter<Query, Candidate> for Age {
    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        each(candidates, "too_old", |candidate| query.now.since(candidate.post_id.made_at()) > self.max_age)
    }
}
