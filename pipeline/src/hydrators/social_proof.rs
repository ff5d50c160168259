//! Who of the viewer's network stands behind a post from outside of it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::{EngagementGraph, Relation, SocialGraph};
use crate::domain::{
    Candidate, EngagementKind, Feature, IdSet, PostId, Query, SocialProof, SourceKind, SuggestKind, TopicId,
    UserId,
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
        // Asked once for the whole request: the store looks through its lists without copying them.
        let network = Network::of(query);
        let unproven: Vec<usize> =
            (0..candidates.len()).filter(|place| needs_proof(query, &candidates[*place])).collect();
        let posts: Vec<PostId> = unproven.iter().map(|place| candidates[*place].original_id()).collect();
        let authors: Vec<UserId> =
            unproven.iter().map(|place| candidates[*place].original_author_id()).collect();
        let mut proofs: Vec<SocialProof> = unproven
            .iter()
            .map(|place| SocialProof { topic: topic(&candidates[*place]), ..SocialProof::default() })
            .collect();
        self.engagements.visit_posts(&posts, self.max_engagements, &mut |place, user, kind| {
            if !network.has(user) || user == authors[place] {
                return;
            }
            let proof = &mut proofs[place];
            let named = match kind {
                EngagementKind::Favorite => &mut proof.liked_by,
                EngagementKind::Repost => &mut proof.reposted_by,
                EngagementKind::Reply => &mut proof.replied_by,
                _ => return,
            };
            if named.len() < self.max_named && !named.contains(&user) {
                named.push(user);
            }
        });
        let mut different = authors.clone();
        different.sort_unstable();
        different.dedup();
        // One more, in case that the author is among them.
        let limit = self.max_named.saturating_add(1);
        let followers = self.graph.sources_among(Relation::Follow, &different, &network.users, limit);
        for (proof, author) in proofs.iter_mut().zip(authors) {
            let followers = different.binary_search(&author).ok().and_then(|place| followers.get(place));
            let others = followers.into_iter().flatten().copied().filter(|user| *user != author);
            proof.followed_by = others.take(self.max_named).collect();
        }
        let mut found = vec![SocialProof::default(); candidates.len()];
        for (place, proof) in unproven.into_iter().zip(proofs) {
            found[place] = proof;
        }
        Ok(found.into_iter().map(Ok).collect())
    }

    fn apply(&self, candidate: &mut Candidate, found: Result<SocialProof, &Failure>) {
        candidate.social_proof = found.map_or(Feature::Failed(Some(SocialProof::default())), Feature::Value);
    }
}

/// Posts of the network need no proof.
fn needs_proof(query: &Query, candidate: &Candidate) -> bool {
    let from_network = matches!(candidate.first_source(), SourceKind::InNetwork | SourceKind::Backfill);
    let is_near = candidate.author_id == query.viewer || query.follows(candidate.author_id);
    !(from_network && is_near)
}

/// What is similar to the viewer's interests is shown for its topic.
fn topic(candidate: &Candidate) -> Option<TopicId> {
    let is_similar = candidate.suggest == SuggestKind::SimilarContent;
    candidate.content().filter(|_| is_similar).and_then(|post| post.topic)
}

/// Whom the viewer follows and does not avoid.
struct Network {
    users: IdSet<UserId>,
    /// A bit for each low part of an id that occurs: most accounts that are asked about are strangers, and most
    /// strangers are known by a clear bit.
    low_parts: Box<[u64; LOW_PARTS / 64]>,
}

/// Values of the low part of an id: many times as many as an account usually follows.
const LOW_PARTS: usize = 1 << 14;

impl Network {
    fn of(query: &Query) -> Self {
        let following = query.facts.following.get();
        let followed = following.into_iter().flat_map(IdSet::iter);
        let users: IdSet<UserId> = followed.filter(|user| !query.avoids(*user)).collect();
        let mut low_parts = Box::new([0; LOW_PARTS / 64]);
        for user in users.iter() {
            let (word, bit) = low_part(user);
            low_parts[word] |= bit;
        }
        Self { users, low_parts }
    }

    fn has(&self, user: UserId) -> bool {
        let (word, bit) = low_part(user);
        self.low_parts[word] & bit != 0 && self.users.contains(user)
    }
}

/// Word and bit of an id's low part.
fn low_part(user: UserId) -> (usize, u64) {
    let part = user.0 as usize % LOW_PARTS;
    (part / 64, 1 << (part % 64))
}
