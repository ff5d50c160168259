//! Who follows, blocks, mutes and pays whom.

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::{IdSet, UserId};

/// A directed relation from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Sees the other's posts.
    Follow,
    /// Neither sees the other.
    Block,
    /// Does not see the other.
    Mute,
    /// Sees the other's posts but not their reposts.
    RepostsOff,
    /// Pays for the other's exclusive posts.
    Subscribe,
}

impl Relation {
    /// All relations.
    pub const ALL: [Self; 5] = [Self::Follow, Self::Block, Self::Mute, Self::RepostsOff, Self::Subscribe];
}

/// The social graph.
pub trait SocialGraph: Send + Sync {
    /// To whom `user` stands in `relation`.
    fn targets(&self, relation: Relation, user: UserId) -> IdSet<UserId>;

    /// Who stands in `relation` to `user`.
    fn sources(&self, relation: Relation, user: UserId) -> IdSet<UserId>;

    /// Whether `from` stands in `relation` to `to`.
    fn has(&self, relation: Relation, from: UserId, to: UserId) -> bool {
        self.targets(relation, from).contains(to)
    }

    /// Who of `among` stands in `relation` to each of `users`: ascending, at most `limit` for each.
    ///
    /// A request asks this of all its authors at once; a store that knows a shorter way than the whole of
    /// [`SocialGraph::sources`] takes it.
    fn sources_among(
        &self,
        relation: Relation,
        users: &[UserId],
        among: &IdSet<UserId>,
        limit: usize,
    ) -> Vec<Vec<UserId>> {
        let common = |user: &UserId| {
            let sources = self.sources(relation, *user);
            among.iter().filter(|source| sources.contains(*source)).take(limit).collect()
        };
        users.iter().map(common).collect()
    }

    /// Adds or ends a relation; doing so twice changes nothing. On disk when the call returns. A block also ends the
    /// follows between the two, in both directions.
    ///
    /// # Errors
    /// An account relates to itself or does not exist, or the disk fails.
    fn set(&self, relation: Relation, from: UserId, to: UserId, holds: bool) -> Result<(), StoreError>;
}
