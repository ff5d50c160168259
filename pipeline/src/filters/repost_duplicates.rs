//! Several reposts of one post.

use std::collections::HashSet;

use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Keeps every post that is no repost; keeps a repost only when neither it nor what it passes on stands there already.
/// Of several reposts the first wins, and a post wins over its reposts wherever it stands.
pub struct RepostDuplicates;

component!(
    RepostDuplicates,
    "repost_duplicates",
    "removes reposts of a post that is there already; the first repost wins"
);

impl Filter<Query, Candidate> for RepostDuplicates {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let natives = candidates.iter().filter(|candidate| !candidate.is_repost());
        let mut shown: HashSet<_> = natives.map(|candidate| candidate.post_id).collect();
        let judge = |candidate: &Candidate| {
            if !candidate.is_repost() {
                return Verdict::Keep;
            }
            let (own, original) = (shown.insert(candidate.post_id), shown.insert(candidate.original_id()));
            Verdict::remove_if(!(own && original), "already_there")
        };
        candidates.iter().map(judge).collect()
    }
}
