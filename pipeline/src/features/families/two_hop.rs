//! Who of the viewer's network stands behind the author and the post.

use std::sync::Arc;

use crate::component;
use crate::domain::stores::{Relation, SocialGraph};
use crate::domain::{Candidate, IdMap, Query, UserId};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Counts over paths of length two from the viewer to the author, and over the social proof.
pub struct TwoHopFeatures {
    /// The social graph.
    pub graph: Arc<dyn SocialGraph>,
}

component!(
    TwoHopFeatures,
    "two_hop",
    "accounts of the network that follow the author or engaged with the post"
);

const CONTINUOUS: [&str; 12] = [
    "followed_by",
    "followed_by_share",
    "followed_by_tie_sum",
    "followed_by_tie_max",
    "poster_followed_by",
    "likers",
    "likers_tie_sum",
    "likers_tie_max",
    "reposters",
    "repliers",
    "proof_total",
    "proof_tie_mean",
];
const BINARY: [&str; 16] = [
    "liked_by_one",
    "liked_by_two",
    "liked_by_five",
    "reposted_by_one",
    "reposted_by_two",
    "replied_by_one",
    "replied_by_two",
    "followed_by_one",
    "followed_by_three",
    "followed_by_ten",
    "has_topic_proof",
    "follow_each_other",
    "is_subscribed",
    "is_strong_tie",
    "is_known_tie",
    "has_proof",
];

/// Followed accounts whose own follows are counted: the strongest ties.
pub(crate) const MAX_STEPS: usize = 300;

/// How many of the viewer's strongest followed accounts follow an account, and the sum and maximum of their ties.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Reached {
    pub(crate) count: f32,
    pub(crate) ties: f32,
    pub(crate) most: f32,
}

impl Reached {
    fn add(&mut self, tie: f32) {
        *self = Self { count: self.count + 1.0, ties: self.ties + tie, most: self.most.max(tie) };
    }
}

/// Every account that the viewer's strongest followed accounts follow.
pub(crate) fn second_degree(graph: &dyn SocialGraph, query: &Query) -> IdMap<UserId, Reached> {
    let mut reached = IdMap::<UserId, Reached>::default();
    for (followed, tie) in strongest_followed(query, MAX_STEPS) {
        for user in graph.targets(Relation::Follow, followed).iter() {
            reached.entry(user).or_default().add(tie);
        }
    }
    reached
}

/// The same for some accounts alone.
fn second_degree_of(
    graph: &dyn SocialGraph,
    query: &Query,
    accounts: impl Iterator<Item = UserId>,
) -> IdMap<UserId, Reached> {
    let mut reached: IdMap<UserId, Reached> = accounts.map(|user| (user, Reached::default())).collect();
    for (followed, tie) in strongest_followed(query, MAX_STEPS) {
        for user in graph.targets(Relation::Follow, followed).iter() {
            if let Some(entry) = reached.get_mut(&user) {
                entry.add(tie);
            }
        }
    }
    reached
}

/// The viewer's followed accounts with the strength of the tie, strongest first, equal ones by id.
pub(crate) fn strongest_followed(query: &Query, limit: usize) -> Vec<(UserId, f32)> {
    let following = query.facts.following.get();
    let mut followed: Vec<(UserId, f32)> =
        following.iter().flat_map(|set| set.iter()).map(|user| (user, tie(query, user))).collect();
    followed.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    followed.truncate(limit);
    followed
}

/// The strength of the viewer's tie to an account; 0 without one.
fn tie(query: &Query, user: UserId) -> f32 {
    query.facts.real_graph.get().and_then(|ties| ties.by_user.get(&user).copied()).unwrap_or(0.0)
}

impl FeatureFamily for TwoHopFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("two_hop", &CONTINUOUS)
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        super::named("two_hop", &BINARY)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let people = candidates.iter().flat_map(|one| [one.author_id, one.original_author_id()]);
        let reached = second_degree_of(&*self.graph, query, people);
        let following = query.facts.following.get().map_or(0, |set| set.len()) as f32;
        let followers = self.graph.sources(Relation::Follow, query.viewer);
        for (index, candidate) in candidates.iter().enumerate() {
            let author = candidate.original_author_id();
            let Reached { count, ties: sum, most: max } = reached.get(&author).copied().unwrap_or_default();
            let poster = reached.get(&candidate.author_id).map_or(0.0, |entry| entry.count);
            let proof = candidate.social_proof.get();
            let likers = proof.map_or(&[][..], |proof| &proof.liked_by);
            let reposters = proof.map_or(&[][..], |proof| &proof.reposted_by);
            let repliers = proof.map_or(&[][..], |proof| &proof.replied_by);
            let ties = |users: &[UserId]| users.iter().map(|user| tie(query, *user)).collect::<Vec<f32>>();
            let liked = ties(likers);
            let all: Vec<f32> = [likers, reposters, repliers].into_iter().flat_map(ties).collect();
            let mut row = rows.row(index);
            row.put_from(
                0,
                [
                    count,
                    count / following.max(1.0),
                    sum,
                    max,
                    poster,
                    likers.len() as f32,
                    liked.iter().sum(),
                    liked.iter().copied().fold(0.0, f32::max),
                    reposters.len() as f32,
                    repliers.len() as f32,
                    all.len() as f32,
                    all.iter().sum::<f32>() / (all.len() as f32).max(1.0),
                ],
            );
            let subscribed = query.facts.subscriptions.get().is_some_and(|authors| authors.contains(author));
            row.flag_from(
                0,
                [
                    !likers.is_empty(),
                    likers.len() >= 2,
                    likers.len() >= 5,
                    !reposters.is_empty(),
                    reposters.len() >= 2,
                    !repliers.is_empty(),
                    repliers.len() >= 2,
                    count >= 1.0,
                    count >= 3.0,
                    count >= 10.0,
                    proof.is_some_and(|proof| proof.topic.is_some()),
                    query.follows(author) && followers.contains(author),
                    subscribed,
                    tie(query, author) > 0.5,
                    tie(query, author) > 0.0,
                    !all.is_empty(),
                ],
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Millis, RealGraphScores, RequestFacts};
    use crate::testing::MemoryStores;

    #[test]
    fn paths_to_some_accounts_are_those_of_all_and_those_that_a_plain_count_finds() {
        let stores = MemoryStores::with_users(1..30);
        (2..9).for_each(|followed| stores.relate(Relation::Follow, 1, followed));
        for (from, to) in (2..12).flat_map(|from| (2..30).map(move |to| (from, to))) {
            if from != to && (from * to) % 3 != 1 {
                stores.relate(Relation::Follow, from, to);
            }
        }
        let mut query = Query::new(UserId(1), Millis(0), RequestFacts::default());
        query.facts.following = stores.targets(Relation::Follow, UserId(1)).into();
        let ties = RealGraphScores { by_user: [(UserId(3), 0.25), (UserId(7), 0.5)].into_iter().collect() };
        query.facts.real_graph = Arc::new(ties).into();
        let all = second_degree(&*stores, &query);
        let some = second_degree_of(&*stores, &query, (5..35).map(UserId));
        assert_eq!(some.len(), 30);
        for user in (5..35).map(UserId) {
            let via: Vec<UserId> =
                (2..9).map(UserId).filter(|one| stores.has(Relation::Follow, *one, user)).collect();
            // Halves and quarters add up without a rounding.
            let ties = via.iter().map(|one| tie(&query, *one));
            let plain =
                Reached { count: via.len() as f32, ties: ties.clone().sum(), most: ties.fold(0.0, f32::max) };
            assert_eq!(some[&user], plain, "user {user}");
            assert_eq!(all.get(&user).copied().unwrap_or_default(), plain, "user {user}");
        }
    }
}
