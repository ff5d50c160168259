//! Posts that were fetched only for their replies.

use std::collections::HashSet;

use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes posts that a source added for others, unless one of its own finds replies to them.
pub struct SourcePosts;

component!(
    SourcePosts,
    "source_posts",
    "removes posts fetched for others, unless they are parents of a reply"
);

impl Filter<Query, Candidate> for SourcePosts {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let found = candidates.iter().filter(|candidate| !candidate.is_source_post);
        let parents = found.filter_map(|candidate| candidate.post.get()?.in_reply_to);
        let parents: HashSet<_> = parents.map(|parent| parent.id).collect();
        let judge = |candidate: &Candidate| {
            Verdict::remove_if(
                candidate.is_source_post && !parents.contains(&candidate.post_id),
                "source_post",
            )
        };
        candidates.iter().map(judge).collect()
    }
}
