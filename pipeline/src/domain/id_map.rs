//! Hash maps of ids, which requests fill and read by the ten thousand.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};

/// Odd multiplier that spreads the bits of an id (2^64 over the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes ids with two multiplications, under a seed drawn once per map: ids that were chosen to collide in one
/// process do not in another.
#[derive(Clone, Copy, Debug)]
pub struct IdHash {
    seed: u64,
}

impl Default for IdHash {
    fn default() -> Self {
        let mut random = std::hash::RandomState::new().build_hasher();
        random.write_u64(0);
        Self { seed: random.finish() }
    }
}

/// The hasher of [`IdHash`].
#[derive(Debug)]
pub struct IdHasher {
    state: u64,
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { state: self.seed }
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.state ^ value) * u128::from(SPREAD);
        let folded = (product as u64) ^ (product >> 64) as u64;
        self.state = folded.wrapping_mul(SPREAD) ^ self.state.rotate_left(23);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        // Maps take their bucket from the low bits and their tag from the high ones: mix both ways.
        self.state ^ (self.state >> 32)
    }
}

/// A hash map of ids.
pub type IdMap<K, V> = HashMap<K, V, IdHash>;

/// A hash set of ids, for what changes while it is read; see [`crate::domain::IdSet`] for what does not.
pub type IdHashSet<K> = HashSet<K, IdHash>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_ids_and_snowflakes_spread_over_shards_and_buckets() {
        for stride in [1_u64, 1 << 22, 1 << 40] {
            let hash = IdHash::default();
            let mut low = vec![0_u32; 256];
            for step in 0..65_536_u64 {
                low[(hash.hash_one(step * stride) & 255) as usize] += 1;
            }
            // 256 expected in each; 4 standard deviations of a fair draw are 64.
            let worst = low.iter().map(|&count| count.abs_diff(256)).max().unwrap_or(u32::MAX);
            assert!(worst <= 96, "stride {stride}: worst bucket is off by {worst}");
        }
    }
}
