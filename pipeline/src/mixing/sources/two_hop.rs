//! Accounts that those follow whom the viewer follows.

use std::collections::HashMap;
use std::sync::Arc;

use super::people::{Recommender, Suggestion};
use crate::domain::stores::{Relation, SocialGraph};
use crate::domain::{Query, UserId, best_first};

/// Accounts by how many of the viewer's closest followed accounts follow them.
pub struct TwoHop {
    /// The social graph.
    pub graph: Arc<dyn SocialGraph>,
    /// How many followed accounts are asked, strongest ties first.
    pub max_asked: usize,
    /// How many accounts each of them is asked for.
    pub max_each: usize,
}

impl Recommender for TwoHop {
    fn recommend(&self, query: &Query, limit: usize) -> Vec<Suggestion> {
        let Some(following) = query.facts.following.get() else { return Vec::new() };
        let mut asked: Vec<UserId> = following.iter().collect();
        let ties = query.facts.real_graph.get();
        let tie = |user: &UserId| ties.and_then(|ties| ties.by_user.get(user).copied()).unwrap_or(0.0);
        asked.sort_by(|a, b| best_first(tie(a).into(), tie(b).into()));
        asked.truncate(self.max_asked);
        let mut via: HashMap<UserId, Vec<UserId>> = HashMap::new();
        for &friend in &asked {
            for target in self.graph.targets(Relation::Follow, friend).iter().take(self.max_each) {
                if target != query.viewer && !following.contains(target) {
                    via.entry(target).or_default().push(friend);
                }
            }
        }
        let mut found: Vec<Suggestion> =
            via.into_iter().map(|(user, via)| Suggestion { user, via }).collect();
        found.sort_by(|a, b| b.via.len().cmp(&a.via.len()).then(a.user.cmp(&b.user)));
        found.truncate(limit);
        found
    }
}
