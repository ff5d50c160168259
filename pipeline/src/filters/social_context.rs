//! Posts from outside of the network that nothing ties to the viewer.

use super::each;
use crate::component;
use crate::domain::{Candidate, Query, SuggestKind};
use crate::engine::{Filter, Verdict};

/// What stands in for social proof at a place of the funnel.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProofRule {
    /// A reply.
    pub replies: bool,
    /// An author with any check mark.
    pub verified_authors: bool,
    /// A topic.
    pub topics: bool,
}

/// Keeps posts of the network, of lists, trends and media, and posts that an account of the network likes or whose
/// author one follows; and what its rule lets stand in for that.
pub struct SocialContext {
    /// What stands in for proof here.
    pub rule: ProofRule,
}

component!(
    SocialContext,
    "social_context",
    "removes posts from outside of the network without a like, a follower or a topic to show for them"
);

impl Filter<Query, Candidate> for SocialContext {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        each(candidates, "no_social_proof", |candidate| !self.is_backed(candidate))
    }
}

impl SocialContext {
    fn is_backed(&self, candidate: &Candidate) -> bool {
        let by_kind = matches!(
            candidate.suggest,
            SuggestKind::RankedList | SuggestKind::RecommendedTrend | SuggestKind::Media
        );
        let author = candidate.authors.get().and_then(|facts| facts.author.as_ref());
        candidate.is_in_network()
            || by_kind
            || (self.rule.replies && candidate.is_reply())
            || (self.rule.verified_authors && author.is_some_and(|author| author.verification.any()))
            || candidate.social_proof.get().is_some_and(|proof| {
                !proof.liked_by.is_empty()
                    || !proof.followed_by.is_empty()
                    || (self.rule.topics && proof.topic.is_some())
            })
    }
}
