//! Decayed counts in as few bytes as they need.
//!
//! A key (a post, a viewer and an author, …) counts fourteen kinds under four half-lives, yet most keys have seen one
//! engagement, and most others two or three kinds. One event is kept as itself; several as the rows of the kinds that
//! occurred. Both give back the very same [`DecayedCounts`] as counting into it directly would have.

use crate::domain::{DecayedCounts, EngagementKind, KindCounts, Millis, decay_factors};

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

impl Rows {
    /// [`DecayedCounts::add`] over the kinds that are there.
    fn add(&mut self, kind: EngagementKind, at: Millis) {
        if at > self.at {
            let factors = decay_factors(self.at, at);
            for (_, row) in &mut self.rows {
                row.decayed.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
            }
            self.at = at;
        }
        let late = decay_factors(at, self.at);
        let place = self.rows.partition_point(|(other, _)| *other < kind);
        if self.rows.get(place).is_none_or(|(other, _)| *other != kind) {
            // One more than before: most keys never see another kind.
            self.rows.reserve_exact(1);
            self.rows.insert(place, (kind, KindCounts::default()));
        }
        let row = &mut self.rows[place].1;
        row.decayed.iter_mut().zip(late).for_each(|(value, factor)| *value += factor);
        row.total = row.total.saturating_add(1);
    }
}

impl CompactCounts {
    /// Counts one event.
    pub(super) fn add(&mut self, kind: EngagementKind, at: Millis) {
        match self {
            Self::Empty => *self = Self::One(kind, at),
            Self::One(first_kind, first_at) => {
                let mut rows = Rows { at: Millis(i64::MIN), rows: Vec::new() };
                rows.add(*first_kind, *first_at);
                rows.add(kind, at);
                *self = Self::Many(Box::new(rows));
            }
            Self::Many(rows) => rows.add(kind, at),
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
