//! When requests arrive.

use std::time::Duration;

use super::Step;
use crate::random::Random;

/// Mean number of requests of a burst.
const BURST: f64 = 8.0;

/// How requests arrive, at the same mean rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arrivals {
    /// Independently of each other: gaps are exponential.
    Poisson,
    /// In bursts: gaps between bursts are exponential, their sizes geometric with mean 8.
    Bursty,
}

impl Arrivals {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Poisson => "Poisson",
            Self::Bursty => "bursty",
        }
    }

    /// All moments of a step, counted from its start.
    pub(crate) fn plan(self, step: Step, random: &mut Random) -> Vec<Duration> {
        let bursts = match self {
            Self::Poisson => step.rate,
            Self::Bursty => step.rate / BURST,
        };
        let mut moments = Vec::new();
        let mut at = exponential(random, bursts);
        while at < step.seconds {
            let size = match self {
                Self::Poisson => 1,
                Self::Bursty => geometric(random, BURST),
            };
            moments.extend(std::iter::repeat_n(Duration::from_secs_f64(at), size));
            at += exponential(random, bursts);
        }
        moments
    }
}

/// In (0, 1], so that logarithms are finite.
fn uniform(random: &mut Random) -> f64 {
    ((random.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

fn exponential(random: &mut Random, rate: f64) -> f64 {
    -uniform(random).ln() / rate
}

/// 1, 2, 3, … with this mean.
fn geometric(random: &mut Random, mean: f64) -> usize {
    let again = 1.0 - 1.0 / mean;
    1 + (uniform(random).ln() / again.ln()).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_keep_the_rate_and_differ_in_their_gaps() {
        let step = Step { rate: 200.0, seconds: 200.0 };
        for (arrivals, simultaneous) in [(Arrivals::Poisson, 0.0), (Arrivals::Bursty, 1.0 - 1.0 / BURST)] {
            let moments = arrivals.plan(step, &mut Random(7));
            // 40,000 requests are expected; bursts of 8 make the deviation about √(2·8) times that of Poisson.
            let expected = step.rate * step.seconds;
            let bound = 5.0 * (expected * 16.0).sqrt();
            assert!((moments.len() as f64 - expected).abs() <= bound, "{arrivals:?}: {}", moments.len());
            assert!(moments.is_sorted());
            let same =
                moments.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64 / moments.len() as f64;
            assert!((same - simultaneous).abs() <= 0.02, "{arrivals:?}: {same}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_plan() {
        let step = Step { rate: 10.0, seconds: 10.0 };
        let plan = |seed| Arrivals::Bursty.plan(step, &mut Random(seed));
        assert_eq!(plan(3), plan(3));
        assert_ne!(plan(3), plan(4));
    }
}
