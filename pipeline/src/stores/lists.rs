//! Lists of accounts, and who owns and reads them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Embedded;
use super::journal::Write;
use super::shards::ShardedMap;
use crate::domain::stores::{List, ListStore, StoreError};
use crate::domain::{ListId, UserId};

/// All lists in memory.
#[derive(Debug, Default)]
pub(super) struct Lists {
    by_id: ShardedMap<u64, Arc<List>>,
    by_owner: ShardedMap<u64, BTreeSet<u64>>,
    by_subscriber: ShardedMap<u64, BTreeSet<u64>>,
}

impl Lists {
    /// Whether there is such a list.
    pub(super) fn contains(&self, id: ListId) -> bool {
        self.by_id.contains(&id.0)
    }

    /// Adds or replaces a list.
    pub(super) fn put(&self, list: List) {
        let id = list.id.0;
        let list = Arc::new(list);
        if let Some(old) = self.by_id.insert(id, Arc::clone(&list)) {
            self.by_owner.update(old.owner.0, |lists| lists.remove(&id));
            for user in &old.subscribers {
                self.by_subscriber.update(user.0, |lists| lists.remove(&id));
            }
        }
        self.by_owner.update(list.owner.0, |lists| lists.insert(id));
        for user in &list.subscribers {
            self.by_subscriber.update(user.0, |lists| lists.insert(id));
        }
    }
}

impl ListStore for Embedded {
    fn get(&self, id: ListId) -> Option<List> {
        self.memory.lists.by_id.with(&id.0, |list| list.map(|list| List::clone(list)))
    }

    fn of_user(&self, user: UserId, limit: usize) -> Vec<ListId> {
        let lists = &self.memory.lists;
        let mut ids = lists.by_owner.get(&user.0).unwrap_or_default().into_iter().collect::<Vec<_>>();
        let subscribed = lists.by_subscriber.get(&user.0).unwrap_or_default();
        let owned = ids.len();
        ids.extend(subscribed.into_iter().filter(|id| !ids[..owned].contains(id)).collect::<Vec<_>>());
        ids.truncate(limit);
        ids.into_iter().map(ListId).collect()
    }

    fn put(&self, list: List) -> Result<(), StoreError> {
        self.journal.commit(Write::PutList(list)).map(drop)
    }
}
