//! Automatic replies of support accounts.

use std::time::Duration;

use super::each;
use crate::component;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes replies of support accounts that came faster than a person writes.
pub struct SupportReplies {
    /// Posts, for the time of what is replied to.
    pub posts: std::sync::Arc<dyn PostStore>,
    /// How soon a reply counts as automatic.
    pub within: Duration,
}

component!(SupportReplies, "support_replies", "removes automatic replies of support accounts");

impl Filter<Query, Candidate> for SupportReplies {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        each(candidates, "support_reply", |candidate| self.is_automatic(candidate).unwrap_or(false))
    }
}

impl SupportReplies {
    /// Whether it is an automatic reply; none when author, reply or parent is not known.
    fn is_automatic(&self, candidate: &Candidate) -> Option<bool> {
        let author = candidate.authors.get()?.author.as_ref()?;
        let reply = candidate.post.get()?;
        let parent = reply.in_reply_to.filter(|_| author.is_support)?;
        let asked_at = self.posts.get(parent.id).map_or(parent.id.made_at(), |(post, _)| post.created_at);
        Some(reply.created_at.since(asked_at) < self.within)
    }
}
