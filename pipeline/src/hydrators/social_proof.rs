//! Who of the viewer's network stands behind a post from outside of it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::{EngagementGraph, Relation, SocialGraph};
use crate::domain::{
    Candidate, EngagementKind, Feature, IdSet, Query, SocialProof, SourceKind, SuggestKind, UserId,
};
use crate::engine::{Failure, Hydrator};

/// Finds accounts that the viewer follows, and neither blocks nor mutes nor is blocked by, that engaged with a post or
/// follow its author. Only for posts from outside of the network: those of the network need no proof.
pub struct SocialProofs {
    /// Engagements of the last 24 hours.
    pub engagements: Arc<dyn EngagementGraph>,
    /// The social graph.
    pub graph: Arc<dyn SocialGraph>,
    /// How many engagements of a post are looked at.
    pub max_engagements: usize,
    /// How many accounts are named of each kind.
    pub max_named: usize,
}

component!(SocialProofs, "social_proof", "accounts of the viewer's network behind a post from outside of it");

#[async_trait]
impl Hydrator<Query, Candidate> for SocialProofs {
    type Output = SocialProof;

    async fn hydrate(
        &self,
        query: &Query,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<SocialProof, Failure>>, Failure> {
        let following = query.facts.following.get_or(IdSet::default());
        let proof = |candidate: &Candidate| {
            let from_network =
                matches!(candidate.first_source(), SourceKind::InNetwork | SourceKind::Backfill);
            let is_near = candidate.author_id == query.viewer || following.contains(candidate.author_id);
            if from_network && is_near {
                SocialProof::default()
            } else {
                self.proof(query, &following, candidate)
            }
        };
        Ok(candidates.iter().map(|candidate| Ok(proof(candidate))).collect())
    }

    fn apply(&self, candidate: &mut Candidate, found: Result<SocialProof, &Failure>) {
        candidate.social_proof = found.map_or(Feature::Failed(Some(SocialProof::default())), Feature::Value);
    }
}

impl SocialProofs {
    fn proof(&self, query: &Query, following: &IdSet<UserId>, candidate: &Candidate) -> SocialProof {
        let author = candidate.original_author_id();
        let counts = |user: UserId| user != author && following.contains(user) && !query.avoids(user);
        // What is similar to the viewer's interests is shown for its topic.
        let is_similar = candidate.suggest == SuggestKind::SimilarContent;
        let topic = candidate.content().filter(|_| is_similar).and_then(|post| post.topic);
        let mut proof = SocialProof { topic, ..SocialProof::default() };
        for engagement in self.engagements.of_post(candidate.original_id(), self.max_engagements) {
            let named = match engagement.kind {
                EngagementKind::Favorite => &mut proof.liked_by,
                EngagementKind::Repost => &mut proof.reposted_by,
                EngagementKind::Reply => &mut proof.replied_by,
                _ => continue,
            };
            if named.len() < self.max_named && counts(engagement.user) && !named.contains(&engagement.user) {
                named.push(engagement.user);
            }
        }
        let followers = self.graph.sources(Relation::Follow, author);
        proof.followed_by =
            common(following, &followers).filter(|&user| counts(user)).take(self.max_named).collect();
        proof
    }
}

/// Ids in both sets, ascending; walks the smaller one.
fn common<'a>(a: &'a IdSet<UserId>, b: &'a IdSet<UserId>) -> impl Iterator<Item = UserId> + 'a {
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    small.iter().filter(|&user| large.contains(user))
}
