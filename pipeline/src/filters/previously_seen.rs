//! Posts that the viewer has seen.

use super::each;
use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes a post when the viewer has seen it or what it passes on.
pub struct PreviouslySeen;

component!(PreviouslySeen, "previously_seen", "removes posts the viewer has seen, also behind a repost");

impl Filter<Query, Candidate> for PreviouslySeen {
    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        each(candidates, "seen", |candidate| query.has_seen(candidate))
    }
}
