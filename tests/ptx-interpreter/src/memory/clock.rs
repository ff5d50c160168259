//! Happens-before, by vector clocks.
//!
//! A warp's time advances at each of its synchronising operations. A clock holds, for every warp, the last time of
//! that warp whose accesses are ordered before what comes next: one entry for each warp of the own block, and a
//! sparse map for other blocks, which fills only through atomics in global memory.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Warps of the largest block.
pub(crate) const WARPS: usize = 32;

/// Times of the warps of one block.
pub(crate) type Times = [u32; WARPS];

fn join_times(a: &mut Times, b: &Times) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = (*x).max(*y);
    }
}

/// What a warp knows to have happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) local: Times,
    remote: Arc<BTreeMap<u32, Times>>,
}

impl Clock {
    pub(crate) fn join(&mut self, other: &Self) {
        join_times(&mut self.local, &other.local);
        if Arc::ptr_eq(&self.remote, &other.remote) || other.remote.is_empty() {
            return;
        }
        if self.remote.is_empty() {
            self.remote = other.remote.clone();
            return;
        }
        let mine = Arc::make_mut(&mut self.remote);
        for (block, times) in other.remote.iter() {
            join_times(mine.entry(*block).or_default(), times);
        }
    }

    /// Whether an access of another block is ordered before.
    pub(crate) fn covers_remote(&self, block: u32, warp: usize, time: u32) -> bool {
        self.remote.get(&block).is_some_and(|t| t[warp] >= time)
    }
}

/// What was published at one synchronising word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sync {
    /// For every block, by block.
    gpu: BTreeMap<u32, Times>,
    /// For threads of the same block only.
    cta: BTreeMap<u32, Times>,
}

impl Sync {
    /// A release by a warp of `block` that knows `clock`; `everywhere` if its scope is wider than the block.
    pub(crate) fn publish(&mut self, block: u32, clock: &Clock, everywhere: bool) {
        if !everywhere {
            join_times(self.cta.entry(block).or_default(), &clock.local);
            return;
        }
        join_times(self.gpu.entry(block).or_default(), &clock.local);
        for (other, times) in clock.remote.iter() {
            join_times(self.gpu.entry(*other).or_default(), times);
        }
    }

    /// An acquire by a warp of `block`.
    pub(crate) fn acquire(&self, block: u32, clock: &mut Clock) {
        for (other, times) in &self.gpu {
            if *other == block {
                join_times(&mut clock.local, times);
            } else {
                join_times(Arc::make_mut(&mut clock.remote).entry(*other).or_default(), times);
            }
        }
        if let Some(times) = self.cta.get(&block) {
            join_times(&mut clock.local, times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_seen_after_the_acquire_and_not_before() {
        let mut writer = Clock::default();
        writer.local[3] = 7;
        let mut word = Sync::default();
        word.publish(0, &writer, true);
        let mut reader = Clock::default();
        assert!(!reader.covers_remote(0, 3, 7));
        word.acquire(1, &mut reader);
        assert!(reader.covers_remote(0, 3, 7));
        assert!(!reader.covers_remote(0, 3, 8), "what came after the release is not ordered");
        assert!(!reader.covers_remote(0, 2, 1));
    }

    #[test]
    fn a_release_at_block_scope_does_not_reach_other_blocks() {
        let mut writer = Clock::default();
        writer.local[0] = 5;
        let mut word = Sync::default();
        word.publish(0, &writer, false);
        let (mut same, mut other) = (Clock::default(), Clock::default());
        word.acquire(0, &mut same);
        word.acquire(1, &mut other);
        assert_eq!(same.local[0], 5);
        assert!(!other.covers_remote(0, 0, 1));
    }
}
