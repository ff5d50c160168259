//! Posts that were served a moment ago.

use super::each;
use crate::component;
use crate::domain::{Candidate, PageKind, Query};
use crate::engine::{Filter, Verdict};

/// On an older page only: removes a post when it or what it passes on was lately served to this viewer and platform.
pub struct PreviouslyServed;

component!(PreviouslyServed, "previously_served", "on older pages, removes posts served a moment ago");

impl Filter<Query, Candidate> for PreviouslyServed {
    fn enabled(&self, query: &Query, _candidates: &[Candidate]) -> bool {
        query.request.page() == PageKind::Older
    }

    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let served = query.facts.served.get();
        let is_served = |id| served.is_some_and(|served| served.contains(id));
        each(candidates, "served", |candidate| {
            is_served(candidate.post_id) || is_served(candidate.original_id())
        })
    }
}
