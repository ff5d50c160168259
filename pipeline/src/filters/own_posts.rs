//! The viewer's own posts.

use super::each;
use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes what the viewer wrote, and others' reposts of it.
pub struct OwnPosts;

component!(OwnPosts, "own_posts", "removes the viewer's own posts and others' reposts of them");

impl Filter<Query, Candidate> for OwnPosts {
    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let own = |candidate: &Candidate| {
            candidate.author_id == query.viewer || candidate.original_author_id() == query.viewer
        };
        each(candidates, "own_post", own)
    }
}
