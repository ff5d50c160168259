//! Edges between dense numbers: a compressed base that never changes, and small changes beside it.

use super::shards::ShardedMap;

/// Lists of numbers, one after the other: list `i` is `items[offsets[i] .. offsets[i + 1]]`.
#[derive(Debug, Default)]
pub(super) struct Csr<T> {
    /// (lists + 1,); empty when there are no lists.
    offsets: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Csr<T> {
    /// Sorts pairs (list, item) into lists; items keep the order in which they come.
    ///
    /// Counting sort: two passes, no comparison.
    pub(super) fn new(lists: usize, pairs: &[(u32, T)]) -> Self {
        let mut offsets = vec![0_u32; lists + 1];
        for (list, _) in pairs {
            offsets[*list as usize + 1] += 1;
        }
        for list in 0..lists {
            offsets[list + 1] += offsets[list];
        }
        let Some(&(_, filler)) = pairs.first() else { return Self { offsets, items: Vec::new() } };
        let mut next = offsets.clone();
        let mut items = vec![filler; pairs.len()];
        for (list, item) in pairs {
            let place = &mut next[*list as usize];
            items[*place as usize] = *item;
            *place += 1;
        }
        Self { offsets, items }
    }

    /// One list; empty when there is none of that number.
    pub(super) fn list(&self, list: u32) -> &[T] {
        let at = |index: usize| self.offsets.get(index).map(|&offset| offset as usize);
        match (at(list as usize), at(list as usize + 1)) {
            (Some(start), Some(end)) => &self.items[start..end],
            _ => &[],
        }
    }

    /// One list, to be changed in place.
    pub(super) fn list_mut(&mut self, list: u32) -> &mut [T] {
        let at = |index: usize| self.offsets.get(index).map(|&offset| offset as usize);
        match (at(list as usize), at(list as usize + 1)) {
            (Some(start), Some(end)) => &mut self.items[start..end],
            _ => &mut [],
        }
    }
}

/// What changed in one list: numbers that came and numbers that went, both ascending. Once there are many, they are
/// worked into a list of its own that stands in for the base.
#[derive(Clone, Debug, Default)]
struct Delta {
    whole: Option<Box<[u32]>>,
    added: Vec<u32>,
    removed: Vec<u32>,
}

/// Changes that a list collects before it is written anew, beside an eighth of its length.
const MIN_REWRITE: usize = 32;

/// Edges in one direction that can be added and removed while others read.
#[derive(Debug, Default)]
pub(super) struct Adjacency {
    /// Ascending lists.
    base: Csr<u32>,
    deltas: ShardedMap<u32, Delta>,
}

impl Adjacency {
    /// Edges (from, to) between numbers below `nodes`, each at most once.
    pub(super) fn new(nodes: usize, edges: &[(u32, u32)]) -> Self {
        let mut base = Csr::new(nodes, edges);
        for node in 0..nodes as u32 {
            let list = base.list_mut(node);
            if !list.is_sorted() {
                list.sort_unstable();
            }
        }
        Self { base, deltas: ShardedMap::default() }
    }

    /// Whether there is an edge.
    pub(super) fn has(&self, from: u32, to: u32) -> bool {
        let in_base = || self.base.list(from).binary_search(&to).is_ok();
        self.deltas.with(&from, |delta| match delta {
            None => in_base(),
            Some(delta) if delta.added.binary_search(&to).is_ok() => true,
            Some(delta) if delta.removed.binary_search(&to).is_ok() => false,
            Some(Delta { whole: Some(whole), .. }) => whole.binary_search(&to).is_ok(),
            Some(_) => in_base(),
        })
    }

    /// The numbers at the other ends, ascending.
    pub(super) fn list(&self, from: u32) -> Vec<u32> {
        self.deltas.with(&from, |delta| match delta {
            None => self.base.list(from).to_vec(),
            Some(delta) => merged(delta, self.base.list(from)),
        })
    }

    /// The first `limit` of the numbers at the other ends that are also in `among`, which is ascending.
    pub(super) fn common(&self, from: u32, among: &[u32], limit: usize) -> Vec<u32> {
        self.deltas.with(&from, |delta| match delta {
            None => in_both(self.base.list(from), among, limit),
            Some(delta) => in_both(&merged(delta, self.base.list(from)), among, limit),
        })
    }

    /// Adds or removes an edge; whether that changed anything.
    pub(super) fn set(&self, from: u32, to: u32, holds: bool) -> bool {
        if self.has(from, to) == holds {
            return false;
        }
        self.deltas.update(from, |delta| {
            let (here, there) = if holds {
                (&mut delta.added, &mut delta.removed)
            } else {
                (&mut delta.removed, &mut delta.added)
            };
            match there.binary_search(&to) {
                Ok(place) => _ = there.remove(place),
                Err(_) => {
                    let place = here.partition_point(|&other| other < to);
                    here.insert(place, to);
                }
            }
            let base = self.base.list(from);
            let length = delta.whole.as_ref().map_or(base.len(), |whole| whole.len());
            if delta.added.len() + delta.removed.len() > MIN_REWRITE.max(length / 8) {
                let whole = merged(delta, base).into_boxed_slice();
                *delta = Delta { whole: Some(whole), ..Delta::default() };
            }
        });
        true
    }
}

/// The first `limit` numbers of two ascending lists. Walks the shorter one and leaps through the longer one: lists of an
/// account that everybody follows are a thousand times as long as those of whom a viewer follows.
fn in_both(a: &[u32], b: &[u32], limit: usize) -> Vec<u32> {
    let (short, mut long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut both = Vec::new();
    for &item in short {
        if both.len() == limit || long.is_empty() {
            break;
        }
        let mut step = 1;
        while long.get(step).is_some_and(|&other| other < item) {
            step *= 2;
        }
        // What is wanted lies before `step`, and not before its half.
        let start = step / 2;
        let end = long.len().min(step + 1);
        long = &long[start + long[start..end].partition_point(|&other| other < item)..];
        if long.first() == Some(&item) {
            both.push(item);
        }
    }
    both
}

/// The list with its changes, ascending.
fn merged(delta: &Delta, base: &[u32]) -> Vec<u32> {
    let whole = delta.whole.as_deref().unwrap_or(base);
    let mut added = delta.added.iter().copied().peekable();
    let mut list = Vec::with_capacity(whole.len() + delta.added.len());
    for &item in whole {
        while let Some(new) = added.next_if(|&new| new < item) {
            list.push(new);
        }
        if delta.removed.binary_search(&item).is_err() {
            list.push(item);
        }
    }
    list.extend(added);
    list
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_adjacency_is_a_set_of_pairs(
            base in prop::collection::btree_set((0..6_u32, 0..200_u32), 0..300),
            changes in prop::collection::vec((0..8_u32, 0..200_u32, any::<bool>()), 0..400),
            among in prop::collection::btree_set(0..220_u32, 0..150),
        ) {
            let wanted: Vec<u32> = among.iter().copied().collect();
            let edges: Vec<_> = base.iter().rev().copied().collect();
            let adjacency = Adjacency::new(6, &edges);
            let mut twin = base;
            for (from, to, holds) in changes {
                let changed = if holds { twin.insert((from, to)) } else { twin.remove(&(from, to)) };
                prop_assert_eq!(adjacency.set(from, to, holds), changed);
                prop_assert_eq!(adjacency.has(from, to), holds);
            }
            for from in 0..8 {
                let expected: BTreeSet<u32> = twin.range((from, 0)..=(from, u32::MAX)).map(|edge| edge.1).collect();
                prop_assert_eq!(adjacency.list(from), expected.iter().copied().collect::<Vec<_>>());
                for limit in [0, 1, 3, usize::MAX] {
                    let first = expected.intersection(&among).take(limit).copied().collect::<Vec<_>>();
                    prop_assert_eq!(adjacency.common(from, &wanted, limit), first, "from {} limit {}", from, limit);
                }
            }
        }
    }
}
