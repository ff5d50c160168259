//! A set of ids that is shared, small and read often.

use std::sync::Arc;

/// Ids in ascending order behind one pointer: cloning is free, a look-up is a binary search.
///
/// Followings, blocks and mutes are such sets: at most some thousand ids, read for every candidate, replaced as a whole
/// by their store when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdSet<I>(Arc<[I]>);

impl<I: Copy + Ord> IdSet<I> {
    /// Whether `id` is in the set.
    pub fn contains(&self, id: I) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ids in ascending order.
    pub fn as_slice(&self) -> &[I] {
        &self.0
    }

    /// The ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = I> + '_ {
        self.0.iter().copied()
    }
}

impl<I> Default for IdSet<I> {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl<I: Ord> FromIterator<I> for IdSet<I> {
    fn from_iter<T: IntoIterator<Item = I>>(ids: T) -> Self {
        let mut ids: Vec<I> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids.into())
    }
}
