//! Posts through accounts that the viewer asked to see fewer of.

use std::collections::HashSet;
use std::time::Duration;

use super::each;
use crate::component;
use crate::domain::{Candidate, FeedbackKind, PostId, Query, UserId};
use crate::engine::{Filter, Verdict};

/// Removes posts that reach the viewer only through accounts that they lately asked to see fewer of, each kind of
/// feedback for its own way: written by, liked by, followed by, reposted by; and posts that they said are of no interest.
pub struct FeedbackFatigue {
    /// How old feedback may be to remove anything; later it only costs score.
    pub max_age: Duration,
}

component!(
    FeedbackFatigue,
    "feedback_fatigue",
    "removes posts through accounts the viewer lately asked to see fewer of"
);

impl Filter<Query, Candidate> for FeedbackFatigue {
    fn enabled(&self, query: &Query, _candidates: &[Candidate]) -> bool {
        query.facts.feedback.get().is_some_and(|feedback| !feedback.is_empty())
    }

    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let written = self.accounts(query, FeedbackKind::Post);
        let liked = self.accounts(query, FeedbackKind::Favorite);
        let followed = self.accounts(query, FeedbackKind::Follow);
        let reposted = self.accounts(query, FeedbackKind::Repost);
        let history = query.facts.feedback.get().map_or(&[][..], |feedback| feedback);
        let of_no_interest = history.iter().filter(|entry| entry.kind == FeedbackKind::NotRelevant);
        let hidden: HashSet<PostId> = of_no_interest.filter_map(|entry| entry.post).collect();
        let tired_of = |candidate: &Candidate| {
            let proof = candidate.social_proof.get();
            let (likers, followers) =
                proof.map_or((&[][..], &[][..]), |proof| (&proof.liked_by, &proof.followed_by));
            hidden.contains(&candidate.original_id())
                || written.contains(&candidate.original_author_id())
                || (!likers.is_empty() && likers.iter().all(|user| liked.contains(user)))
                || (!followers.is_empty()
                    && followers.iter().all(|user| followed.contains(user))
                    && likers.is_empty())
                || (candidate.is_repost() && reposted.contains(&candidate.author_id))
        };
        each(candidates, "see_fewer", tired_of)
    }
}

impl FeedbackFatigue {
    fn accounts(&self, query: &Query, kind: FeedbackKind) -> HashSet<UserId> {
        let history = query.facts.feedback.get().map_or(&[][..], |feedback| feedback);
        let counts =
            |entry: &&crate::domain::Feedback| entry.kind == kind && query.now.since(entry.at) < self.max_age;
        history.iter().filter(counts).map(|entry| entry.about).collect()
    }
}
