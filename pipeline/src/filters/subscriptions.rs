//! Posts for subscribers.

use super::each;
use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes posts for an author's subscribers, whether posted, passed on or quoted, unless the viewer is one.
pub struct Subscriptions;

component!(
    Subscriptions,
    "subscriptions",
    "removes posts for subscribers, also reposted or quoted, from anybody else's timeline"
);

impl Filter<Query, Candidate> for Subscriptions {
    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let subscriptions = query.facts.subscriptions.get();
        let closed = |candidate: &Candidate| {
            let posts =
                [candidate.post.get(), candidate.content(), candidate.quoted.get().and_then(Option::as_ref)];
            posts
                .into_iter()
                .flatten()
                .filter_map(|post| post.exclusive_author)
                .any(|author| subscriptions.is_none_or(|subscriptions| !subscriptions.contains(author)))
        };
        each(candidates, "not_subscribed", closed)
    }
}
