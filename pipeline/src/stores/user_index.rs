//! Dense numbers for accounts: what every adjacency and array is indexed by.

use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::shards::{read, write};
use crate::domain::{IdMap, UserId};

/// Slots of accounts: those that were loaded, in ascending order of their ids and without a lock, and those that came
/// later. A slot is never taken back; ids that only occur in a reference get one too.
#[derive(Debug, Default)]
pub(super) struct UserIndex {
    /// (slots,), ascending.
    base: Vec<u64>,
    by_id: IdMap<u64, u32>,
    added: RwLock<Added>,
    /// How many were added: while there are none, nobody takes the lock.
    added_len: AtomicUsize,
}

#[derive(Debug, Default)]
struct Added {
    ids: Vec<u64>,
    by_id: IdMap<u64, u32>,
}

impl UserIndex {
    /// An index of `ids`, which need not be sorted nor unique.
    pub(super) fn new(mut ids: Vec<u64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        let mut by_id = IdMap::with_capacity_and_hasher(ids.len(), Default::default());
        by_id.extend(ids.iter().enumerate().map(|(slot, &id)| (id, slot as u32)));
        Self { base: ids, by_id, ..Self::default() }
    }

    /// The slot of an account.
    pub(super) fn slot(&self, user: UserId) -> Option<u32> {
        // Ids that count up from a first one need no look-up.
        let first = self.base.first().copied().unwrap_or_default();
        let guess = user.0.wrapping_sub(first) as usize;
        if self.base.get(guess) == Some(&user.0) {
            return Some(guess as u32);
        }
        self.by_id.get(&user.0).copied().or_else(|| self.added_slot(user))
    }

    fn added_slot(&self, user: UserId) -> Option<u32> {
        if self.added_len.load(Ordering::Acquire) == 0 {
            return None;
        }
        read(&self.added).by_id.get(&user.0).copied()
    }

    /// The slot of an account, given to it now if it has none.
    pub(super) fn slot_or_add(&self, user: UserId) -> u32 {
        if let Some(slot) = self.slot(user) {
            return slot;
        }
        let mut added = write(&self.added);
        let next = (self.base.len() + added.ids.len()) as u32;
        let slot = *added.by_id.entry(user.0).or_insert(next);
        if slot == next {
            added.ids.push(user.0);
            self.added_len.store(added.ids.len(), Ordering::Release);
        }
        slot
    }

    /// Hands `look` a function from slots to accounts.
    pub(super) fn with_ids<T>(&self, look: impl FnOnce(&dyn Fn(u32) -> UserId) -> T) -> T {
        let added = (self.added_len.load(Ordering::Acquire) > 0).then(|| read(&self.added));
        look(&|slot| {
            let slot = slot as usize;
            let later = || added.as_ref().and_then(|added| added.ids.get(slot - self.base.len()));
            UserId(self.base.get(slot).or_else(later).copied().unwrap_or_default())
        })
    }

    /// Whether slots below this one stand in the order of their ids: those that were loaded do.
    pub(super) fn is_in_order(&self, slot: u32) -> bool {
        (slot as usize) < self.base.len()
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.base.len() + self.added_len.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_there_and_back() {
        for ids in [vec![], vec![1, 2, 3], vec![900, 5, 70, 5]] {
            let index = UserIndex::new(ids.clone());
            for id in ids.into_iter().chain([42, 1 << 60, 42]) {
                let slot = index.slot_or_add(UserId(id));
                assert_eq!(index.slot(UserId(id)), Some(slot), "{id}");
                assert_eq!(index.with_ids(|id_of| id_of(slot)), UserId(id));
            }
            assert_eq!(index.slot(UserId(7)), None);
        }
    }
}
