//! Links that are not recommended.

use std::collections::BTreeSet;

use super::each;
use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes posts from outside of the network with a link that is, character for character, on the list.
pub struct CompetitorUrls {
    /// The list.
    pub urls: BTreeSet<String>,
}

component!(CompetitorUrls, "competitor_urls", "removes out-of-network posts with a listed link");

impl Filter<Query, Candidate> for CompetitorUrls {
    fn enabled(&self, _query: &Query, _candidates: &[Candidate]) -> bool {
        !self.urls.is_empty()
    }

    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let listed = |candidate: &Candidate| {
            let urls = candidate.content().map_or(&[][..], |content| &content.urls);
            !candidate.is_in_network() && urls.iter().any(|url| self.urls.contains(url))
        };
        each(candidates, "competitor_url", listed)
    }
}
