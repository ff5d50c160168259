//! Engagement counts: plain totals and exponentially decayed ones.

use serde::{Deserialize, Serialize};

use super::{EngagementKind, Millis};

/// Half-lives of the decayed counts, in milliseconds: 30 minutes, 24 hours, 72 hours, 50 days.
pub const HALF_LIVES_MS: [i64; 4] = [30 * 60_000, 24 * 3_600_000, 72 * 3_600_000, 50 * 24 * 3_600_000];

/// Undecayed totals of a post that readers see under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostCounts {
    /// Likes.
    pub favorites: u32,
    /// Replies.
    pub replies: u32,
    /// Reposts without a comment.
    pub reposts: u32,
    /// Reposts with a comment.
    pub quotes: u32,
}

/// Counts of one key (a post, an author, a viewer, a pair), by engagement kind and half-life, plus undecayed totals.
///
/// A count halves every half-life: `count(t) = Σ 2^-((t − tᵢ) / half-life)` over its events. Only the sum at one
/// moment is stored; reading at a later moment multiplies, so nothing has to be touched as time passes.
#[derive(Clone, Debug, PartialEq)]
pub struct DecayedCounts {
    /// The moment for which `decayed` holds.
    at: Millis,
    /// (kinds, half-lives), as of `at`.
    decayed: [[f32; HALF_LIVES_MS.len()]; EngagementKind::ALL.len()],
    /// (kinds,), never decayed.
    totals: [u32; EngagementKind::ALL.len()],
}

/// What was counted of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KindCounts {
    /// (half-lives,), as of the counts' moment.
    pub decayed: [f32; HALF_LIVES_MS.len()],
    /// Never decayed.
    pub total: u32,
}

impl Default for DecayedCounts {
    fn default() -> Self {
        Self { at: Millis(i64::MIN), decayed: Default::default(), totals: Default::default() }
    }
}

impl DecayedCounts {
    /// Counts one event. Events may come in any order of time: a late one is added as already decayed.
    pub fn add(&mut self, kind: EngagementKind, at: Millis) {
        if at > self.at {
            let factors = decay_factors(self.at, at);
            for row in &mut self.decayed {
                for (value, factor) in row.iter_mut().zip(factors) {
                    *value *= factor;
                }
            }
            self.at = at;
        }
        let late = decay_factors(at, self.at);
        for (value, factor) in self.decayed[kind.index()].iter_mut().zip(late) {
            *value += factor;
        }
        self.totals[kind.index()] = self.totals[kind.index()].saturating_add(1);
    }

    /// The decayed counts of one kind at `now`, one for each of [`HALF_LIVES_MS`].
    pub fn decayed(&self, kind: EngagementKind, now: Millis) -> [f32; HALF_LIVES_MS.len()] {
        self.decayed_by(kind, &self.factors(now))
    }

    /// The factors that bring the stored sums to `now`: computed once for all kinds of a key.
    pub fn factors(&self, now: Millis) -> [f32; HALF_LIVES_MS.len()] {
        decay_factors(self.at, now)
    }

    /// The decayed counts of one kind under factors from [`DecayedCounts::factors`].
    pub fn decayed_by(
        &self,
        kind: EngagementKind,
        factors: &[f32; HALF_LIVES_MS.len()],
    ) -> [f32; HALF_LIVES_MS.len()] {
        let row = self.decayed[kind.index()];
        std::array::from_fn(|half_life| row[half_life] * factors[half_life])
    }

    /// Counts from the moment they hold for and the kinds that occurred; what a store that packs counts unpacks.
    pub fn from_rows(at: Millis, rows: impl IntoIterator<Item = (EngagementKind, KindCounts)>) -> Self {
        let mut counts = Self { at, ..Self::default() };
        for (kind, row) in rows {
            counts.decayed[kind.index()] = row.decayed;
            counts.totals[kind.index()] = row.total;
        }
        counts
    }

    /// The moment for which the stored sums hold, and the kinds that occurred, in the order of
    /// [`EngagementKind::ALL`].
    pub fn rows(&self) -> (Millis, impl Iterator<Item = (EngagementKind, KindCounts)> + '_) {
        let present = EngagementKind::ALL.into_iter().filter(|kind| self.totals[kind.index()] > 0);
        let rows = present.map(|kind| {
            (kind, KindCounts { decayed: self.decayed[kind.index()], total: self.totals[kind.index()] })
        });
        (self.at, rows)
    }

    /// How many events of one kind there ever were.
    pub fn total(&self, kind: EngagementKind) -> u32 {
        self.totals[kind.index()]
    }
}

/// `2^-(Δt / half-life)` for each half-life; 1 when time did not pass or went back.
pub(crate) fn decay_factors(from: Millis, to: Millis) -> [f32; HALF_LIVES_MS.len()] {
    let passed = to.0.saturating_sub(from.0).max(0) as f64;
    if passed == 0.0 {
        return [1.0; HALF_LIVES_MS.len()];
    }
    HALF_LIVES_MS.map(|half_life| (-passed / half_life as f64).exp2() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_halves_every_half_life() {
        let mut counts = DecayedCounts::default();
        let start = Millis(1_700_000_000_000);
        counts.add(EngagementKind::Favorite, start);
        counts.add(EngagementKind::Favorite, start);
        for (index, half_life) in HALF_LIVES_MS.into_iter().enumerate() {
            for (halvings, expected) in [(0, 2.0), (1, 1.0), (3, 0.25)] {
                let now = Millis(start.0 + halvings * half_life);
                let got = counts.decayed(EngagementKind::Favorite, now)[index];
                assert!((got - expected).abs() <= 1e-6, "half-life {index}, {halvings} halvings: {got}");
            }
        }
        assert_eq!(counts.total(EngagementKind::Favorite), 2);
        assert_eq!(counts.decayed(EngagementKind::Reply, start), [0.0; 4]);
    }

    #[test]
    fn order_of_arrival_does_not_matter() {
        let start = 1_700_000_000_000;
        let times = [start, start + 600_000, start + 7_200_000, start + 90_000_000];
        let mut forwards = DecayedCounts::default();
        let mut backwards = DecayedCounts::default();
        times.iter().for_each(|&at| forwards.add(EngagementKind::Reply, Millis(at)));
        times.iter().rev().for_each(|&at| backwards.add(EngagementKind::Reply, Millis(at)));
        let now = Millis(start + 100_000_000);
        let pairs = forwards
            .decayed(EngagementKind::Reply, now)
            .into_iter()
            .zip(backwards.decayed(EngagementKind::Reply, now));
        for (a, b) in pairs {
            // Four terms, each rounded a few times.
            assert!((a - b).abs() <= 16.0 * f32::EPSILON * a.abs().max(1e-30), "{a} and {b}");
        }
    }
}
