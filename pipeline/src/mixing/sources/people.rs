//! Accounts to follow or to subscribe to.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::config::PeopleConfig;
use crate::domain::stores::UserStore;
use crate::domain::{Query, ServedExtras, User, UserId};
use crate::engine::{Failure, Scope, Source};
use crate::mixing::{Item, People, PeopleKind};

/// An account that may interest a viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The account.
    pub user: UserId,
    /// Accounts that the viewer follows and that follow it.
    pub via: Vec<UserId>,
}

/// Knows accounts that may interest a viewer.
pub trait Recommender: Send + Sync {
    /// Accounts that the viewer does not follow, best first, at most `limit`.
    fn recommend(&self, query: &Query, limit: usize) -> Vec<Suggestion>;
}

/// Gives one module of accounts: to follow, or, of creators that the viewer follows or might, to subscribe to. Left out
/// are accounts that were suggested lately, that viewer or account avoids, that are withdrawn or protected, and those that
/// the viewer already follows or subscribes to.
pub struct PeopleToMeet {
    /// Which.
    pub kind: PeopleKind,
    /// Who knows accounts.
    pub recommender: Arc<dyn Recommender>,
    /// Accounts.
    pub users: Arc<dyn UserStore>,
    /// Limits.
    pub config: PeopleConfig,
}

component!(PeopleToMeet, "people_to_meet", "a module of accounts to follow or to subscribe to");

/// How many times as many accounts are asked for as are shown, because some fall out.
const OVERSAMPLE: usize = 4;

#[async_trait]
impl Source<Query, Item> for PeopleToMeet {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let wanted = self.config.max_accounts;
        let excluded = self.excluded(query);
        let mut suggestions = self.recommender.recommend(query, OVERSAMPLE * wanted + excluded.len());
        if self.kind == PeopleKind::Subscribe {
            // Creators that the viewer follows come before those that they might.
            let followed = query.facts.following.get().into_iter().flat_map(|following| following.iter());
            let followed = followed.map(|user| Suggestion { user, via: Vec::new() });
            suggestions.splice(0..0, followed);
        }
        let fits = |suggestion: Suggestion| {
            let user = self.users.get(suggestion.user)?;
            let via = suggestion.via.into_iter().filter(|&user| !query.avoids(user)).collect();
            (!excluded.contains(&user.id) && self.is_suitable(query, &user)).then_some((user, via))
        };
        let people: Vec<_> = suggestions.into_iter().filter_map(fits).take(wanted).collect();
        let module = Item::People(Box::new(People { kind: self.kind, people }));
        Ok(if matches!(&module, Item::People(module) if module.people.is_empty()) {
            Vec::new()
        } else {
            vec![module]
        })
    }
}

impl PeopleToMeet {
    fn shown<'a>(&self, extras: &'a ServedExtras) -> &'a [UserId] {
        match self.kind {
            PeopleKind::Follow => &extras.to_follow,
            PeopleKind::Subscribe => &extras.to_subscribe,
        }
    }

    fn excluded(&self, query: &Query) -> HashSet<UserId> {
        let history = query.facts.history.get().map_or(&[][..], |history| history);
        let shown = history.iter().flat_map(|response| self.shown(&response.extras));
        shown.copied().take(self.config.max_excluded).collect()
    }

    fn is_suitable(&self, query: &Query, user: &User) -> bool {
        if user.id == query.viewer || user.is_withdrawn || query.avoids(user.id) {
            return false;
        }
        match self.kind {
            PeopleKind::Follow => !user.is_protected && !query.follows(user.id),
            PeopleKind::Subscribe => {
                let subscribed = query.facts.subscriptions.get();
                user.is_creator && !subscribed.is_some_and(|subscribed| subscribed.contains(user.id))
            }
        }
    }
}
