//! Authors who are not recommended.

use std::collections::BTreeSet;

use super::each;
use crate::component;
use crate::domain::{Candidate, Query, UserId};
use crate::engine::{Filter, Verdict};

/// Removes originals of listed authors from outside of the network; reposts of them pass.
pub struct CompetitorAuthors {
    /// The list.
    pub authors: BTreeSet<UserId>,
}

component!(CompetitorAuthors, "competitor_authors", "removes out-of-network originals of listed authors");

impl Filter<Query, Candidate> for CompetitorAuthors {
    fn enabled(&self, _query: &Query, _candidates: &[Candidate]) -> bool {
        !self.authors.is_empty()
    }

    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let listed = |candidate: &Candidate| {
            !candidate.is_in_network()
                && !candidate.is_repost()
                && self.authors.contains(&candidate.author_id)
        };
        each(candidates, "competitor_author", listed)
    }
}
