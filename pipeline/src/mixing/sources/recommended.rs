//! Accounts as the recommended-authors source knows them.

use super::people::{Recommender, Suggestion};
use crate::config::AccountsConfig;
use crate::domain::stores::{Relation, Stores};
use crate::domain::{IdSet, Query, UserId};
use crate::sources::recommend_accounts;

/// Most followers of an account that are named as a reason.
const MAX_VIA: usize = 20;

/// The accounts that speak most for themselves: followed by followed accounts, similar, engaged with.
pub struct RecommendedPeople {
    /// Everything that speaks for an account.
    pub stores: Stores,
    /// Weights.
    pub config: AccountsConfig,
}

impl Recommender for RecommendedPeople {
    fn recommend(&self, query: &Query, limit: usize) -> Vec<Suggestion> {
        let Some(following) = query.facts.following.get() else { return Vec::new() };
        let accounts = recommend_accounts(&self.stores, &self.config, query, limit);
        let suggestion = |user| Suggestion { user, via: self.via(following, user) };
        accounts.into_iter().map(|account| suggestion(account.user)).collect()
    }
}

impl RecommendedPeople {
    /// Accounts that the viewer follows and that follow `user`: the shorter list is walked.
    fn via(&self, following: &IdSet<UserId>, user: UserId) -> Vec<UserId> {
        let followers = self.stores.graph.sources(Relation::Follow, user);
        let (few, many) =
            if followers.len() < following.len() { (&followers, following) } else { (following, &followers) };
        few.iter().filter(|&id| many.contains(id)).take(MAX_VIA).collect()
    }
}
