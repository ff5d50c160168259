//! Accounts that a viewer may want to follow, and why.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::AccountsConfig;
use crate::domain::stores::{Relation, Stores};
use crate::domain::{DecayTable, EngagementKind, IdMap, Query, UserId, WINDOWS};
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
    let mut found = IdMap::<UserId, Parts>::default();
    let reached = second_degree(&*stores.graph, query);
    let most = reached.values().map(|by| by.count + 4.0 * by.ties).fold(1.0, f32::max);
    for (user, by) in &reached {
        let part = config.two_hop * (by.count + 4.0 * by.ties) / most;
        let reason = AccountReason::FollowedBy { accounts: by.count as u32 };
        found.entry(*user).or_default().add(part, reason);
    }
    for user in stores.graph.sources(Relation::Follow, query.viewer).iter() {
        if let Some(by) = reached.get(&user) {
            let part = config.triangle * by.count / (by.count + 2.0);
            found.entry(user).or_default().add(part, AccountReason::FollowsYou);
        }
    }
    let viewer = stores.embeddings.user_communities(query.viewer).unwrap_or_default();
    let mut communities = viewer.entries().to_vec();
    communities.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (community, _) in communities.into_iter().take(MAX_COMMUNITIES) {
        for user in stores.retrieval.people(community, config.people_per_community) {
            let parts = found.entry(user).or_default();
            if !parts.has_similar {
                parts.has_similar = true;
                let cosine =
                    stores.embeddings.user_communities(user).map_or(0.0, |other| viewer.cosine(&other));
                parts.add(config.similar * cosine, AccountReason::Similar { cosine });
            }
        }
    }
    for (user, sum) in engaged_lately(stores, query) {
        let part = config.engaged * sum / (sum + 2.0);
        found.entry(user).or_default().add(part, AccountReason::Engaged);
    }
    let may_be_named = |user: UserId| user != query.viewer && !query.follows(user) && !query.avoids(user);
    let mut accounts: Vec<(f32, UserId)> = found
        .iter()
        .filter(|(user, _)| may_be_named(**user))
        .map(|(user, parts)| (parts.sorted().map(|(part, _)| part).sum(), *user))
        .collect();
    accounts.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    // Accounts are looked up only until there are enough that may be shown.
    accounts
        .into_iter()
        .filter(|(_, user)| {
            stores.users.get(*user).is_some_and(|user| !user.is_protected && !user.is_withdrawn)
        })
        .take(limit)
        .map(|(score, user)| {
            let reasons = found[&user].sorted().map(|(_, reason)| reason).collect();
            RecommendedAccount { user, score, reasons }
        })
        .collect()
}

/// What speaks for an account. Tens of thousands are met in a request and a hundred are named, so what they have lies in
/// the map itself.
#[derive(Clone, Copy, Default)]
struct Parts {
    parts: [Option<(f32, AccountReason)>; 4],
    has_similar: bool,
}

impl Parts {
    /// Adds one of the four reasons, each of which comes at most once.
    fn add(&mut self, part: f32, reason: AccountReason) {
        if let Some(place) = self.parts.iter_mut().find(|place| place.is_none()) {
            *place = Some((part, reason));
        }
    }

    /// The weightiest first; what is not there comes last.
    fn sorted(&self) -> impl Iterator<Item = (f32, AccountReason)> {
        let mut parts = self.parts;
        parts.sort_by(|a, b| match (a, b) {
            (Some(a), Some(b)) => b.0.total_cmp(&a.0),
            _ => b.is_some().cmp(&a.is_some()),
        });
        parts.into_iter().flatten()
    }
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
