//! Posts that accounts which the viewer follows engaged with in the last 24 hours.
//!
//! Seeds are the followed accounts, weighted by their ties. A post's score is the sum of the weights of the different
//! seeds that engaged with it, each counted once for each kind of engagement. The best are looked at; what the viewer
//! wrote, follows the author of, engaged with or has seen goes, and so do posts that only their own author likes. The rest
//! is ordered by that score plus the light ranker's.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::LightRanker;
use crate::component;
use crate::config::{LightRankerConfig, SecondDegreeConfig};
use crate::domain::stores::{EngagementGraph, PostStore};
use crate::domain::{
    Candidate, IdHashSet, IdMap, Post, PostCounts, PostId, Query, SourceKind, SuggestKind, UserId, best_first,
};
use crate::engine::{Failure, Scope, Source, scaled_limit};
use crate::features::families::strongest_followed;

/// Finds posts by who of the network engaged with them.
pub struct SecondDegree {
    /// Engagements of the last 24 hours.
    pub engagements: Arc<dyn EngagementGraph>,
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Limits, windows and kinds.
    pub config: SecondDegreeConfig,
    /// The light ranker.
    pub light_ranker: LightRankerConfig,
}

component!(
    SecondDegree,
    "second_degree",
    "posts that followed accounts engaged with in the last 24 hours, by weighted count"
);

/// What speaks for a post.
#[derive(Default)]
struct Proof {
    score: f32,
    seeds: Vec<UserId>,
}

#[async_trait]
impl Source<Query, Candidate> for SecondDegree {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let limit = scaled_limit(self.config.max_results, scope.quality);
        let ranker = LightRanker::new(&self.light_ranker, query);
        let own = self.own_engagements(query);
        let mut candidates: Vec<Candidate> = self
            .best(query)
            .into_iter()
            .filter_map(|(id, proof)| {
                let (post, counts) = self.posts.get(id)?;
                self.refusal(query, &own, &post, &proof).is_none().then(|| {
                    let mut candidate = candidate(&post, counts);
                    candidate.light_score = proof.score + ranker.score(&post, counts);
                    candidate
                })
            })
            .collect();
        candidates.sort_by(|a, b| {
            best_first(a.light_score.into(), b.light_score.into()).then(b.post_id.cmp(&a.post_id))
        });
        candidates.truncate(limit);
        Ok(candidates)
    }

    fn why_not(&self, query: &Query, wanted: &Candidate) -> Option<String> {
        let (post, _) = self.posts.get(wanted.post_id)?;
        let proofs = self.proofs(query);
        let Some(proof) = proofs.get(&post.id) else {
            return Some(
                "no account that the viewer follows engaged with it in the last 24 hours".to_owned(),
            );
        };
        let better = proofs.iter().filter(|(id, other)| (other.score, **id) > (proof.score, post.id)).count();
        if better >= self.config.max_fetched {
            return Some(format!(
                "{better} posts have a higher weighted count, {} are fetched",
                self.config.max_fetched
            ));
        }
        let own = self.own_engagements(query);
        let cut = || format!("its score is not among the best {}", self.config.max_results);
        Some(self.refusal(query, &own, &post, proof).map_or_else(cut, ToOwned::to_owned))
    }
}

fn candidate(post: &Arc<Post>, counts: PostCounts) -> Candidate {
    Candidate::of(post, counts, SourceKind::SecondDegree, SuggestKind::Activity)
}

impl SecondDegree {
    /// Every post that seeds engaged with.
    fn proofs(&self, query: &Query) -> IdMap<PostId, Proof> {
        let oldest = PostId::at(query.now - Duration::from_millis(self.config.max_age_ms));
        let ties = query.facts.real_graph.get();
        let mut proofs = IdMap::<PostId, Proof>::default();
        let mut counted = IdHashSet::default();
        for (seed, _) in strongest_followed(query, self.config.max_seeds) {
            if query.avoids(seed) {
                continue;
            }
            let tie = ties.and_then(|ties| ties.by_user.get(&seed).copied());
            let weight = tie.map_or(self.config.weight_without_tie, |score| score * 1.97 + 1.0);
            counted.clear();
            for edge in self.engagements.of_user(seed, self.config.max_engagements) {
                let counts = self.config.kinds.contains(&edge.kind) && edge.post >= oldest;
                if counts && edge.at <= query.now && counted.insert((edge.post, edge.kind)) {
                    let proof = proofs.entry(edge.post).or_default();
                    proof.score += weight;
                    if proof.seeds.last() != Some(&seed) {
                        proof.seeds.push(seed);
                    }
                }
            }
        }
        proofs
    }

    /// The best posts by score, equal ones newest first.
    fn best(&self, query: &Query) -> Vec<(PostId, Proof)> {
        let mut best: Vec<(PostId, Proof)> = self.proofs(query).into_iter().collect();
        best.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(b.0.cmp(&a.0)));
        best.truncate(self.config.max_fetched);
        best
    }

    fn own_engagements(&self, query: &Query) -> IdHashSet<PostId> {
        let own = self.engagements.of_user(query.viewer, usize::MAX);
        own.into_iter().map(|edge| edge.post).collect()
    }

    /// Why a post is not taken.
    fn refusal(
        &self,
        query: &Query,
        own: &IdHashSet<PostId>,
        post: &Post,
        proof: &Proof,
    ) -> Option<&'static str> {
        let others = proof.seeds.iter().filter(|seed| **seed != post.author).count();
        let seen = query.facts.impressions.get().is_some_and(|seen| seen.contains(post.id));
        [
            (post.author == query.viewer, "the viewer wrote it"),
            (query.follows(post.author), "the viewer follows its author"),
            (query.avoids(post.author), "viewer and author avoid each other"),
            (own.contains(&post.id), "the viewer engaged with it already"),
            (seen, "the viewer has seen it"),
            (post.is_repost(), "it is a repost"),
            (post.created_at > query.now, "it is dated after now"),
            (others < self.config.min_proof, "too few accounts but its own author engaged with it"),
        ]
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why))
    }
}
