//! How far two runs of an unchanged program lie apart.

use std::collections::BTreeMap;

use maskrank_rows::{Row, statistics};

/// Chance that a comparison of two runs of the same program names any row at all.
const CHANCE: f64 = 0.05;
/// The range of five draws from a normal distribution is so many deviations, on average.
const RANGE: f64 = 2.326;
/// The median of a normal distribution's absolute values, in deviations.
const HALF: f64 = 0.674_5;
/// Rows of a kind from which on their own scatter says something.
const ENOUGH: usize = 5;

/// One id in both records.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) id: String,
    /// Rows of one kind scatter alike: whole calls, steps, starts, latencies under load.
    pub(super) kind: String,
    pub(super) a: f64,
    pub(super) b: f64,
    /// Relative deviation of the ratio, from what each run saw of its own noise.
    pub(super) deviation: f64,
}

impl Pair {
    fn log(&self) -> f64 {
        (self.b / self.a).ln()
    }
}

/// A row's median's relative deviation. Its parts are taken as one: a machine that wanders slowly gives medians of parts
/// that are off together, so nothing is gained by their number.
pub(super) fn deviation(row: &Row) -> f64 {
    // A record that kept no noise has at least its spread.
    let spread = (row.p90_us - row.p10_us) / 2.0 / row.median_us / (row.samples.max(1) as f64).sqrt();
    row.noise.map_or(spread, |range| range / RANGE)
}

/// Deviations beyond which an unchanged row lies in so few of `rows` cases that all of them together are within
/// [`CHANCE`]: the tail of a normal distribution beyond z holds less than exp(−z² / 2).
pub(super) fn factor(rows: usize) -> f64 {
    (2.0 * (rows.max(1) as f64 / CHANCE).ln()).sqrt()
}

/// What came of a comparison.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Median of all ratios b / a.
    pub(super) shift: f64,
    /// By kind, the relative deviation of the ratios around the shift.
    pub(super) scatter: BTreeMap<String, f64>,
    /// By kind, the rows' own deviation: the median.
    own: BTreeMap<String, f64>,
    /// Fastest first.
    pub(super) changed: Vec<Pair>,
    pub(super) same: usize,
    rows: usize,
}

impl Outcome {
    pub(super) fn of(pairs: Vec<Pair>) -> Self {
        let logs: Vec<f64> = pairs.iter().map(Pair::log).collect();
        let shift = statistics::quantile(&logs, 0.5);
        let distances = |kind: Option<&str>| -> Vec<f64> {
            let of_kind = pairs.iter().filter(|pair| kind.is_none_or(|kind| pair.kind == kind));
            of_kind.map(|pair| (pair.log() - shift).abs()).collect()
        };
        // The median distance, which half of the rows could move far without being seen in it.
        let deviation = |distances: &[f64]| statistics::quantile(distances, 0.5) / HALF;
        let all = distances(None);
        let overall = if all.len() >= ENOUGH { deviation(&all) } else { 0.0 };
        let mut outcome = Self { shift: shift.exp(), rows: pairs.len(), ..Self::default() };
        for pair in &pairs {
            outcome.scatter.entry(pair.kind.clone()).or_insert_with(|| {
                let own = distances(Some(&pair.kind));
                if own.len() >= ENOUGH { deviation(&own) } else { overall }
            });
            outcome.own.entry(pair.kind.clone()).or_insert_with(|| {
                let of_kind = pairs.iter().filter(|other| other.kind == pair.kind);
                statistics::quantile(&of_kind.map(|other| other.deviation).collect::<Vec<f64>>(), 0.5)
            });
        }
        for pair in pairs {
            // Accepted when inside, so that a ratio that is no number counts as changed.
            match (pair.log() - shift).abs() <= outcome.bound(&pair) {
                true => outcome.same += 1,
                false => outcome.changed.push(pair),
            }
        }
        outcome.changed.sort_by(|x, y| x.log().total_cmp(&y.log()));
        outcome
    }

    /// How far from the shift a row may lie, relative.
    pub(super) fn bound(&self, pair: &Pair) -> f64 {
        factor(self.rows) * self.scatter.get(&pair.kind).copied().unwrap_or(0.0).hypot(pair.deviation)
    }

    /// The same for a typical row of a kind.
    pub(super) fn visible(&self, kind: &str) -> f64 {
        let of = |map: &BTreeMap<String, f64>| map.get(kind).copied().unwrap_or(0.0);
        factor(self.rows) * of(&self.scatter).hypot(of(&self.own))
    }
}

#[cfg(test)]
mod tests {
    use maskrank_rows::Summary;

    use super::*;

    /// A generator of its own: the same numbers everywhere.
    struct Random(u64);

    impl Random {
        fn uniform(&mut self) -> f64 {
            // SplitMix64.
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut x = self.0;
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        /// Twelve uniform numbers' sum: a deviation of 1.
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
        }
    }

    /// One run of a program on a machine: calls jitter, now and then one is interrupted, the clock wanders from row to
    /// row, and a neighbour makes some rows slower altogether.
    fn run(random: &mut Random, truth: &[f64], wander: f64, whole: f64) -> Vec<Row> {
        let row = |(index, &us): (usize, &f64)| {
            let own = (wander * random.normal()).exp() * whole;
            let samples: Vec<f64> = (0..20)
                .map(|_| {
                    let interrupted = if random.uniform() < 0.05 { 1.5 } else { 1.0 };
                    us * 1e-6 * own * interrupted * (1.0 + 0.02 * random.normal().abs())
                })
                .collect();
            let row = Row { op: format!("op{index}"), kind: "score".into(), ..Row::default() };
            row.timed(&Summary::of(&samples, 0.0))
        };
        truth.iter().enumerate().map(row).collect()
    }

    fn compare(a: &[Row], b: &[Row]) -> Outcome {
        let pair = |(a, b): (&Row, &Row)| Pair {
            id: a.id(),
            kind: a.kind.clone(),
            a: a.median_us,
            b: b.median_us,
            deviation: deviation(a).hypot(deviation(b)),
        };
        Outcome::of(a.iter().zip(b).map(pair).collect())
    }

    #[test]
    fn two_runs_of_one_program_differ_by_less_than_the_noise() {
        let mut random = Random(1);
        let truth: Vec<f64> = (0..60).map(|i| 50.0 * 1.15f64.powi(i)).collect();
        const COMPARISONS: usize = 300;
        for (name, wander) in [("a quiet machine", 0.002), ("a noisy one", 0.1)] {
            let mut named = 0;
            for _ in 0..COMPARISONS {
                let a = run(&mut random, &truth, wander, 1.0);
                let b = run(&mut random, &truth, wander, 1.3);
                named += usize::from(!compare(&a, &b).changed.is_empty());
            }
            // One in twenty is promised: 15, and three deviations of that count more.
            assert!(named as f64 <= COMPARISONS as f64 * CHANCE + 12.0, "{name}: {named} of {COMPARISONS}");
        }
    }

    #[test]
    fn a_change_is_seen_on_a_quiet_machine_and_not_claimed_on_a_noisy_one() {
        let truth: Vec<f64> = (0..60).map(|i| 50.0 * 1.15f64.powi(i)).collect();
        let mut changed = truth.clone();
        changed[17] *= 0.85;
        for (wander, seen) in [(0.002, true), (0.1, false)] {
            let mut random = Random(2);
            let (a, b) = (run(&mut random, &truth, wander, 1.0), run(&mut random, &changed, wander, 1.0));
            let outcome = compare(&a, &b);
            let found: Vec<&str> = outcome.changed.iter().map(|pair| pair.id.as_str()).collect();
            assert_eq!(found == ["op17///"], seen, "{found:?}");
            // What it says of itself is true: a difference of 15 % is beyond what can be told, or is not.
            assert_eq!(outcome.visible("score") < 0.15, seen, "{}", outcome.visible("score"));
        }
    }

    #[test]
    fn a_time_that_is_no_number_counts_as_changed() {
        let pair =
            |id: &str, b: f64| Pair { id: id.into(), kind: "score".into(), a: 1.0, b, deviation: 0.01 };
        let outcome = Outcome::of(vec![pair("x", 1.0), pair("y", 1.0), pair("z", f64::NAN)]);
        assert_eq!(outcome.changed.len(), 1);
    }
}
