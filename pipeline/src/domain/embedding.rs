//! Embeddings: dense ones that the model reads, sparse ones that name communities.

use std::sync::Arc;

/// A dense embedding of a user, as the model reads it.
pub type DenseEmbedding = Arc<[f32]>;

/// How strongly something belongs to each of a few communities.
///
/// Community numbers ascend and are unique; strengths are finite and positive. A store checks that on import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseEmbedding {
    /// (community, strength), ascending by community.
    entries: Arc<[(u32, f32)]>,
    /// Euclidean length, kept because every cosine needs it.
    norm: f32,
}

impl SparseEmbedding {
    /// Sorts, merges equal communities by sum and drops strengths that are not finite and positive.
    pub fn new(mut entries: Vec<(u32, f32)>) -> Self {
        entries.retain(|(_, strength)| strength.is_finite() && *strength > 0.0);
        entries.sort_unstable_by_key(|(community, _)| *community);
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        let norm = entries.iter().map(|(_, strength)| strength * strength).sum::<f32>().sqrt();
        Self { entries: entries.into(), norm }
    }

    /// An embedding of entries that usually are in order and clean already, as a store keeps them: then they are copied
    /// once; else as [`SparseEmbedding::new`].
    pub fn of(entries: &[(u32, f32)]) -> Self {
        let is_clean = entries.iter().all(|(_, strength)| strength.is_finite() && *strength > 0.0)
            && entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !is_clean {
            return Self::new(entries.to_vec());
        }
        let norm = entries.iter().map(|(_, strength)| strength * strength).sum::<f32>().sqrt();
        Self { entries: entries.into(), norm }
    }

    /// (community, strength), ascending by community.
    pub fn entries(&self) -> &[(u32, f32)] {
        &self.entries
    }

    /// Euclidean length.
    pub fn norm(&self) -> f32 {
        self.norm
    }

    /// Inner product.
    pub fn dot(&self, other: &Self) -> f32 {
        let (mut left, mut right) = (self.entries.iter().peekable(), other.entries.iter().peekable());
        let mut sum = 0.0;
        while let (Some((a, x)), Some((b, y))) = (left.peek(), right.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => _ = left.next(),
                std::cmp::Ordering::Greater => _ = right.next(),
                std::cmp::Ordering::Equal => {
                    sum += x * y;
                    left.next();
                    right.next();
                }
            }
        }
        sum
    }

    /// Cosine similarity; 0 when either side is empty.
    pub fn cosine(&self, other: &Self) -> f32 {
        let length = self.norm * other.norm;
        if length > 0.0 { self.dot(other) / length } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_is_one_for_itself_and_zero_for_strangers() {
        let a = SparseEmbedding::new(vec![(7, 3.0), (2, 4.0)]);
        let b = SparseEmbedding::new(vec![(3, 1.0)]);
        assert_eq!(a.norm(), 5.0);
        assert!((a.cosine(&a) - 1.0).abs() <= 1e-6);
        assert_eq!(a.cosine(&b), 0.0);
        assert_eq!(a.cosine(&SparseEmbedding::default()), 0.0);
        assert_eq!(a.dot(&SparseEmbedding::new(vec![(7, 2.0), (9, 1.0)])), 6.0);
    }

    #[test]
    fn entries_are_sorted_merged_and_cleaned() {
        let dirty = SparseEmbedding::new(vec![(5, 1.0), (1, f32::NAN), (5, 2.0), (0, -1.0), (3, 1.0)]);
        assert_eq!(dirty.entries(), &[(3, 1.0), (5, 3.0)]);
        for entries in [
            &[(5, 1.0), (1, f32::NAN), (5, 2.0)][..],
            &[(1, 1.0), (4, 0.5)],
            &[(4, 1.0), (1, 0.5)],
            &[(4, 1.0), (4, 0.5)],
            &[(1, 0.0)],
            &[],
        ] {
            assert_eq!(SparseEmbedding::of(entries), SparseEmbedding::new(entries.to_vec()), "{entries:?}");
        }
    }
}
