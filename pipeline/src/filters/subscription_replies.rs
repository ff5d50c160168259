//! Replies in conversations for subscribers.

use super::each;
use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes replies that stand in a conversation for an author's subscribers.
pub struct SubscriptionReplies;

component!(SubscriptionReplies, "subscription_replies", "removes replies in conversations for subscribers");

impl Filter<Query, Candidate> for SubscriptionReplies {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let exclusive_reply = |candidate: &Candidate| {
            candidate.is_reply() && candidate.post.get().is_some_and(|post| post.exclusive_author.is_some())
        };
        each(candidates, "subscription_reply", exclusive_reply)
    }
}
