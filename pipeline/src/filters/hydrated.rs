//! Posts that are no longer there.

use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes candidates whose post, or the post they pass on, is not stored any more.
pub struct Hydrated;

component!(Hydrated, "hydrated", "removes posts, and reposts of posts, that are not stored any more");

impl Filter<Query, Candidate> for Hydrated {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let judge = |candidate: &Candidate| {
            if candidate.post.get().is_none() {
                return Verdict::Remove("post_gone");
            }
            Verdict::remove_if(candidate.content().is_none(), "original_gone")
        };
        candidates.iter().map(judge).collect()
    }
}
