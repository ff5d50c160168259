//! The viewer follows somebody.

use crate::component;
use crate::domain::Query;
use crate::engine::Gate;

/// Open when the viewer follows at least one account.
pub struct FollowsSomebody;

component!(FollowsSomebody, "follows_somebody", "open when the viewer follows at least one account");

impl<C> Gate<Query, C> for FollowsSomebody {
    fn is_open(&self, query: &Query, _earlier: &[C]) -> bool {
        query.facts.following.get().is_some_and(|following| !following.is_empty())
    }
}
