//! Maps and arrays that many threads read while one writes.
//!
//! Both are cut into shards, each behind its own lock, so that a writer stops only the readers of one shard for the
//! moment of one change. A thread that panics inside a lock leaves a value behind that is whole (changes are single
//! assignments of finished values), so a poisoned lock is taken as it is.

use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::domain::{IdHash, IdMap};

/// Number of shards; a power of two.
const SHARDS: usize = 64;

/// Takes a lock for reading.
pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a lock for writing.
pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// A hash map in shards.
#[derive(Debug)]
pub(super) struct ShardedMap<K, V> {
    hash: IdHash,
    shards: Box<[RwLock<IdMap<K, V>>]>,
}

impl<K, V> Default for ShardedMap<K, V> {
    fn default() -> Self {
        Self { hash: IdHash::default(), shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl<K: std::hash::Hash + Eq, V> ShardedMap<K, V> {
    fn shard(&self, key: &K) -> &RwLock<IdMap<K, V>> {
        // The map inside hashes under another seed, so its buckets are not thinned by the choice of the shard.
        &self.shards[(self.hash.hash_one(key) >> 40) as usize % SHARDS]
    }

    /// What `look` makes of the value of `key`.
    pub(super) fn with<T>(&self, key: &K, look: impl FnOnce(Option<&V>) -> T) -> T {
        look(read(self.shard(key)).get(key))
    }

    /// A copy of the value of `key`.
    pub(super) fn get(&self, key: &K) -> Option<V>
    where
        V: Clone,
    {
        self.with(key, |value| value.cloned())
    }

    /// Whether there is a value for `key`.
    pub(super) fn contains(&self, key: &K) -> bool {
        self.with(key, |value| value.is_some())
    }

    /// Sets a value and returns the one before.
    pub(super) fn insert(&self, key: K, value: V) -> Option<V> {
        write(self.shard(&key)).insert(key, value)
    }

    /// Takes a value out.
    pub(super) fn remove(&self, key: &K) -> Option<V> {
        write(self.shard(key)).remove(key)
    }

    /// Changes the value of `key`, which starts as the default.
    pub(super) fn update<T>(&self, key: K, change: impl FnOnce(&mut V) -> T) -> T
    where
        V: Default,
    {
        change(write(self.shard(&key)).entry(key).or_default())
    }

    /// Shows every shard's map to `change`, one after the other.
    pub(super) fn for_each_shard(&self, mut change: impl FnMut(&mut IdMap<K, V>)) {
        self.shards.iter().for_each(|shard| change(&mut write(shard)));
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }
}

/// An array by slot in shards; it grows as slots are written to.
#[derive(Debug)]
pub(super) struct ShardedSlots<T> {
    shards: Box<[RwLock<Vec<T>>]>,
}

impl<T> Default for ShardedSlots<T> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl<T: Default> ShardedSlots<T> {
    /// What `look` makes of the value of `slot`; none when nothing was ever written there.
    pub(super) fn with<R>(&self, slot: u32, look: impl FnOnce(Option<&T>) -> R) -> R {
        let slot = slot as usize;
        look(read(&self.shards[slot % SHARDS]).get(slot / SHARDS))
    }

    /// Changes the value of `slot`, which starts as the default.
    pub(super) fn update<R>(&self, slot: u32, change: impl FnOnce(&mut T) -> R) -> R {
        let slot = slot as usize;
        let mut shard = write(&self.shards[slot % SHARDS]);
        if shard.len() <= slot / SHARDS {
            shard.resize_with(slot / SHARDS + 1, T::default);
        }
        change(&mut shard[slot / SHARDS])
    }

    /// Shows every value to `change`, with its slot.
    pub(super) fn for_each(&self, mut change: impl FnMut(u32, &mut T)) {
        for (index, shard) in self.shards.iter().enumerate() {
            for (row, value) in write(shard).iter_mut().enumerate() {
                change((row * SHARDS + index) as u32, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_start_empty_and_keep_what_is_written() {
        let slots = ShardedSlots::<Vec<u32>>::default();
        assert!(slots.with(1_000, |value| value.is_none()));
        slots.update(1_000, |value| value.push(7));
        assert_eq!(slots.with(1_000, |value| value.cloned()), Some(vec![7]));
        let mut seen = Vec::new();
        slots.for_each(|slot, value| seen.extend(value.iter().map(|&entry| (slot, entry))));
        assert_eq!(seen, [(1_000, 7)]);
    }
}
