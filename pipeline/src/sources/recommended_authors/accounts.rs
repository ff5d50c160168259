//! Accounts that a viewer may want to follow, and why.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::AccountsConfig;
use crate::domain::stores::{Relation, Stores};
use crate::domain::{DecayTable, EngagementKind, Query, UserId, WINDOWS};
use crate::features::families::second_degree;

/// What speaks for an account.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
#[non_exhaustive]
pub enum AccountReason {
    /// Accounts that the viewer follows follow it.
    FollowedBy {
        /// How many.
        accounts: u32,
    },
    /// It follows the viewer, and accounts that the viewer follows follow it.
    FollowsYou,
    /// It belongs to the viewer's communities.
    Similar {
        /// Cosine of the communities.
        cosine: f32,
    },
    /// The viewer engaged with its posts lately.
    Engaged,
}

/// An account to follow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecommendedAccount {
    /// The account.
    pub user: UserId,
    /// The weighted sum of what speaks for it.
    pub score: f32,
    /// What speaks for it, the weightiest first.
    pub reasons: Vec<AccountReason>,
}

/// Communities of the viewer's whose people are looked at.
const MAX_COMMUNITIES: usize = 4;
/// The window of engagements that counts as lately: 72 hours' half-life.
const LATELY: usize = 2;

/// The accounts that speak most for themselves, best first, equal ones by id: neither followed nor avoided, neither
/// protected nor withdrawn, nor the viewer. The query must know whom the viewer follows.
pub fn recommend_accounts(
    stores: &Stores,
    config: &AccountsConfig,
    query: &Query,
    limit: usize,
) -> Vec<RecommendedAccount> {
    let mut found = BTreeMap::<UserId, Vec<(f32, AccountReason)>>::new();
    let reached = second_degree(&*stores.graph, query);
    let most = reached.values().map(|(count, ties, _)| count + 4.0 * ties).fold(1.0, f32::max);
    for (user, (count, ties, _)) in &reached {
        let part = config.two_hop * (count + 4.0 * ties) / most;
        found.entry(*user).or_default().push((part, AccountReason::FollowedBy { accounts: *count as u32 }));
    }
    for user in stores.graph.sources(Relation::Follow, query.viewer).iter() {
        if let Some((count, ..)) = reached.get(&user) {
            let part = config.triangle * count / (count + 2.0);
            found.entry(user).or_default().push((part, AccountReason::FollowsYou));
        }
    }
    let viewer = stores.embeddings.user_communities(query.viewer).unwrap_or_default();
    let mut communities = viewer.entries().to_vec();
    communities.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (community, _) in communities.into_iter().take(MAX_COMMUNITIES) {
        for user in stores.retrieval.people(community, config.people_per_community) {
            let reasons = found.entry(user).or_default();
            if !reasons.iter().any(|(_, reason)| matches!(reason, AccountReason::Similar { .. })) {
                let cosine =
                    stores.embeddings.user_communities(user).map_or(0.0, |other| viewer.cosine(&other));
                reasons.push((config.similar * cosine, AccountReason::Similar { cosine }));
            }
        }
    }
    for (user, sum) in engaged_lately(stores, query) {
        let part = config.engaged * sum / (sum + 2.0);
        found.entry(user).or_default().push((part, AccountReason::Engaged));
    }
    let mut accounts: Vec<RecommendedAccount> = found
        .into_iter()
        .filter(|(user, _)| *user != query.viewer && !query.follows(*user) && !query.avoids(*user))
        .map(|(user, mut reasons)| {
            reasons.sort_by(|a, b| b.0.total_cmp(&a.0));
            let score = reasons.iter().map(|(part, _)| part).sum();
            RecommendedAccount {
                user,
                score,
                reasons: reasons.into_iter().map(|(_, reason)| reason).collect(),
            }
        })
        .collect();
    accounts.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.user.cmp(&b.user)));
    // Accounts are looked up only until there are enough that may be shown.
    accounts
        .into_iter()
        .filter(|account| {
            stores.users.get(account.user).is_some_and(|user| !user.is_protected && !user.is_withdrawn)
        })
        .take(limit)
        .collect()
}

/// How much the viewer engaged kindly with each author lately.
fn engaged_lately(stores: &Stores, query: &Query) -> BTreeMap<UserId, f32> {
    let decay = DecayTable::new(query.now);
    let mut sums = BTreeMap::<UserId, f32>::new();
    stores.aggregates.visit_given(query.viewer, &mut |given| {
        let values: [f32; WINDOWS] = given.count.values(&decay);
        let is_kind = !matches!(given.kind, EngagementKind::NegativeFeedback | EngagementKind::Report);
        *sums.entry(given.author).or_default() +=
            if is_kind { values[LATELY] } else { -8.0 * values[LATELY] };
    });
    sums.retain(|_, sum| *sum > 0.0);
    sums
}
