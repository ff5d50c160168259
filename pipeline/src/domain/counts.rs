//! Engagement counts: plain totals and exponentially decayed ones.
//!
//! A decayed count halves every half-life: `count(t) = Σ 2^-((t − tᵢ) / half-life)` over its events. What is kept is the
//! sum as of the start of the day of the newest event, `Σ 2^((tᵢ − day) / half-life)`: an event then adds a weight that
//! does not depend on the row, rows of one day share their factors when they are read, and time passing touches nothing.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Millis;

/// Half-lives of the decayed counts, in milliseconds: 30 minutes, 24 hours, 72 hours, 50 days.
pub const HALF_LIVES_MS: [i64; 4] = [30 * 60_000, 24 * 3_600_000, 72 * 3_600_000, 50 * 24 * 3_600_000];

/// What is read of a count: one value for each half-life, then the total.
pub const WINDOWS: usize = HALF_LIVES_MS.len() + 1;

/// Names of the windows, in the order of the values.
pub const WINDOW_NAMES: [&str; WINDOWS] =
    ["half_life_30m", "half_life_24h", "half_life_72h", "half_life_50d", "total"];

const DAY_MS: i64 = 86_400_000;

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

/// The day of a moment, counted from 1970; moments outside of the years 1970 to 2149 count as its first or last day.
fn day_of(at: Millis) -> u16 {
    at.0.div_euclid(DAY_MS).clamp(0, i64::from(u16::MAX)) as u16
}

/// `2^-(passed / half-life)` for each half-life.
fn halvings(passed_ms: i64) -> [f32; HALF_LIVES_MS.len()] {
    HALF_LIVES_MS.map(|half_life| (-(passed_ms as f64) / half_life as f64).exp2() as f32)
}

/// Whole days for which factors are kept; longer spans are computed when they are met.
const TABLE_DAYS: u16 = 64;

/// `2^-(passed / half-life)` for each half-life, of spans of 0, 1, 2, … days.
static WHOLE_DAYS: LazyLock<[[f32; HALF_LIVES_MS.len()]; TABLE_DAYS as usize]> =
    LazyLock::new(|| std::array::from_fn(|days| halvings(days as i64 * DAY_MS)));

/// The same for a span of whole days.
fn day_halvings(days: u16) -> [f32; HALF_LIVES_MS.len()] {
    let known = WHOLE_DAYS.get(usize::from(days)).copied();
    known.unwrap_or_else(|| halvings(i64::from(days) * DAY_MS))
}

/// What one event adds to a count.
#[derive(Clone, Copy, Debug)]
pub struct EventWeight {
    day: u16,
    weights: [f32; HALF_LIVES_MS.len()],
}

impl EventWeight {
    /// The weight of an event at a moment.
    pub fn at(at: Millis) -> Self {
        let day = day_of(at);
        let start = i64::from(day) * DAY_MS;
        Self { day, weights: halvings(start - at.0.clamp(start, start + DAY_MS - 1)) }
    }
}

/// Weights of events that come many at a moment: those of the last moment are kept.
#[derive(Debug, Default)]
pub struct EventWeights(Option<(Millis, EventWeight)>);

impl EventWeights {
    /// [`EventWeight::at`].
    pub fn at(&mut self, at: Millis) -> EventWeight {
        match self.0 {
            Some((known, weight)) if known == at => weight,
            _ => self.0.insert((at, EventWeight::at(at))).1,
        }
    }
}

/// One count: decayed by every half-life, and in total.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decayed {
    total: u32,
    day: u16,
    /// (half-lives,), relative to the start of `day`.
    sums: [f32; HALF_LIVES_MS.len()],
}

impl Decayed {
    /// Length of a count as bytes.
    pub const BYTES: usize = 4 + 2 + 4 * HALF_LIVES_MS.len();

    /// Counts an event. Events may come in any order of time.
    pub fn add(&mut self, event: &EventWeight) {
        if self.total == 0 {
            self.day = event.day;
        }
        let (mut keep, mut take) = ([1.0; HALF_LIVES_MS.len()], [1.0; HALF_LIVES_MS.len()]);
        if event.day > self.day {
            keep = day_halvings(event.day - self.day);
            self.day = event.day;
        } else if event.day < self.day {
            take = day_halvings(self.day - event.day);
        }
        for (window, sum) in self.sums.iter_mut().enumerate() {
            *sum = *sum * keep[window] + event.weights[window] * take[window];
        }
        self.total = self.total.saturating_add(1);
    }

    /// The count as bytes, exactly; [`Decayed::from_bytes`] reads them.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.total.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.day.to_le_bytes());
        for (into, sum) in bytes[6..].chunks_exact_mut(4).zip(self.sums) {
            into.copy_from_slice(&sum.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Decayed::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let [t0, t1, t2, t3, d0, d1, sums @ ..] = *bytes;
        let mut words = sums.chunks_exact(4).map(|word| word.try_into().map_or(0.0, f32::from_le_bytes));
        Self {
            total: u32::from_le_bytes([t0, t1, t2, t3]),
            day: u16::from_le_bytes([d0, d1]),
            sums: std::array::from_fn(|_| words.next().unwrap_or_default()),
        }
    }

    /// Whether events can have added up to it: its sums are finite and not negative.
    pub fn is_sound(&self) -> bool {
        self.sums.iter().all(|sum| sum.is_finite() && *sum >= 0.0)
    }

    /// Whether its newest event's day was over at a moment.
    pub fn is_before(&self, at: Millis) -> bool {
        self.day < day_of(at)
    }

    /// Orders counts by the day of their newest event, then by how many events there were.
    pub fn cmp_by_day(&self, other: &Self) -> std::cmp::Ordering {
        self.day.cmp(&other.day).then(self.total.cmp(&other.total))
    }

    /// How many events there ever were.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// The decayed counts at the table's moment, then the total.
    pub fn values(&self, decay: &DecayTable) -> [f32; WINDOWS] {
        let factors = decay.of_day(self.day);
        std::array::from_fn(|window| match self.sums.get(window) {
            Some(sum) => sum * factors[window],
            None => self.total as f32,
        })
    }
}

/// The factors that bring sums of any day to one moment.
#[derive(Clone, Debug)]
pub struct DecayTable {
    now: Millis,
    today: u16,
    /// (days,): of today, of yesterday, and so on.
    factors: Vec<[f32; HALF_LIVES_MS.len()]>,
}

impl DecayTable {
    /// Factors for a moment.
    pub fn new(now: Millis) -> Self {
        let today = day_of(now);
        let days = (0..TABLE_DAYS.min(today + 1)).map(|age| i64::from(today - age) * DAY_MS);
        Self { now, today, factors: days.map(|start| halvings(now.0 - start)).collect() }
    }

    fn of_day(&self, day: u16) -> [f32; HALF_LIVES_MS.len()] {
        match self.today.checked_sub(day) {
            Some(age) => {
                let known = self.factors.get(usize::from(age)).copied();
                known.unwrap_or_else(|| halvings(self.now.0 - i64::from(day) * DAY_MS))
            }
            // The clock was set back. Such a day counts as if it were just over: finite, and no event as more than one.
            None => halvings(DAY_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(events: &[i64], now: i64) -> [f32; WINDOWS] {
        let mut count = Decayed::default();
        events.iter().for_each(|&at| count.add(&EventWeight::at(Millis(at))));
        count.values(&DecayTable::new(Millis(now)))
    }

    #[test]
    fn a_count_halves_every_half_life() {
        let start = 1_700_000_000_000;
        for (index, half_life) in HALF_LIVES_MS.into_iter().enumerate() {
            for (halvings, expected) in [(0, 2.0), (1, 1.0), (3, 0.25)] {
                let got = values(&[start, start], start + halvings * half_life)[index];
                // Exponents of up to 48 · 150 halvings in f64, then three roundings to f32.
                let bound = 4.0 * f32::EPSILON * expected;
                assert!((got - expected).abs() <= bound, "half-life {index}, {halvings} halvings: {got}");
            }
        }
        assert_eq!(values(&[start; 3], start)[WINDOWS - 1], 3.0);
        assert_eq!(values(&[], start), [0.0; WINDOWS]);
    }

    #[test]
    fn moments_that_no_calendar_has_count_as_the_first_or_the_last_day() {
        let last = (i64::from(u16::MAX) + 1) * DAY_MS - 1;
        for (at, as_if) in [(i64::MIN, 0), (-1, 0), (last + 1, last), (i64::MAX, last)] {
            let of = |at| {
                let mut count = Decayed::default();
                count.add(&EventWeight::at(Millis(at)));
                count
            };
            assert_eq!(of(at), of(as_if), "at {at}");
            assert!(of(at).is_sound());
        }
    }

    #[test]
    fn counts_stay_numbers_when_the_clock_goes_back() {
        let start = 1_700_000_000_000;
        for back in [1, 3_600_000, DAY_MS, 4 * DAY_MS, 400 * DAY_MS, start, i64::MAX] {
            let got = values(&[start, start - DAY_MS, start], start.saturating_sub(back));
            // Within the newest event's day nothing is known but the day: 48 halvings at most.
            let most = if back < DAY_MS { 3.0 * 48.0_f32.exp2() } else { 3.0 };
            assert!(got.iter().all(|value| (0.0..=most).contains(value)), "{back} ms back: {got:?}");
        }
    }

    #[test]
    fn neither_order_of_arrival_nor_midnight_matters() {
        let start = 1_700_000_000_000;
        let times = [start, start + 600_000, start + 7_200_000, start + 90_000_000, start + 300_000_000];
        let mut backwards = times;
        backwards.reverse();
        let now = start + 300_500_000;
        let truth = HALF_LIVES_MS.map(|half_life| {
            times.iter().map(|at| (-(now - at) as f64 / half_life as f64).exp2()).sum::<f64>()
        });
        for order in [times, backwards] {
            for (got, expected) in values(&order, now).into_iter().zip(truth) {
                // Five terms, each rounded a few times.
                let error = (f64::from(got) - expected).abs();
                assert!(error <= 16.0 * f64::from(f32::EPSILON) * expected, "{got}, expected {expected}");
            }
        }
    }
}
