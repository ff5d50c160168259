//! Decayed counts in as few bytes as they need.
//!
//! A key (a post, a viewer and an author, …) counts fourteen kinds under four half-lives, yet most keys have seen one
//! engagement, and most others two or three kinds. One event is kept as itself; several as the rows of the kinds that
//! occurred. Both give back the very same [`DecayedCounts`] as counting into it directly would have.

use crate::domain::{DecayedCounts, EngagementKind, KindCounts, Millis};

/// Counts of one key.
#[derive(Clone, Debug, Default)]
pub(super) enum CompactCounts {
    /// Nothing yet.
    #[default]
    Empty,
    /// A single event.
    One(EngagementKind, Millis),
    /// More than one.
    Many(Box<Rows>),
}

/// The kinds that occurred, with their sums at one moment.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    at: Millis,
    rows: Vec<(EngagementKind, KindCounts)>,
}

impl CompactCounts {
    /// Counts one event.
    pub(super) fn add(&mut self, kind: EngagementKind, at: Millis) {
        if let Self::Empty = self {
            *self = Self::One(kind, at);
            return;
        }
        let mut counts = self.expand();
        counts.add(kind, at);
        let (at, present) = counts.rows();
        let rows: Vec<_> = present.collect();
        match self {
            // Most additions are of a kind that is there: keep the memory.
            Self::Many(old) if old.rows.len() == rows.len() => {
                old.at = at;
                old.rows.copy_from_slice(&rows);
            }
            _ => *self = Self::Many(Box::new(Rows { at, rows })),
        }
    }

    /// Whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The counts in full.
    pub(super) fn expand(&self) -> DecayedCounts {
        match self {
            Self::Empty => DecayedCounts::default(),
            Self::One(kind, at) => {
                let mut counts = DecayedCounts::default();
                counts.add(*kind, *at);
                counts
            }
            Self::Many(rows) => DecayedCounts::from_rows(rows.at, rows.rows.iter().copied()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn compact_counts_equal_full_ones_bit_for_bit(
            events in prop::collection::vec((0..EngagementKind::ALL.len(), 0..100_000_000_i64), 0..40),
        ) {
            let mut compact = CompactCounts::default();
            let mut full = DecayedCounts::default();
            for (kind, at) in events {
                compact.add(EngagementKind::ALL[kind], Millis(at));
                full.add(EngagementKind::ALL[kind], Millis(at));
                prop_assert_eq!(compact.expand(), full.clone());
            }
        }
    }
}
