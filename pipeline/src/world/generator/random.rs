//! Random numbers that depend on nothing but a seed and a name.

/// A generator with 64 bits of state (SplitMix64, whose output function mixes a counter).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

/// What a stream of numbers is for: streams of different purposes are independent of each other, so that what one
/// thing needs does not change another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Communities = 1,
    Person,
    Follows,
    Settings,
    PostPlan,
    PostTraits,
    PostText,
    Engagements,
    Embeddings,
    Lists,
    Ads,
    #[cfg(feature = "model")]
    Labels,
}

impl Random {
    /// The stream of one purpose for one item.
    pub(crate) fn of(seed: u64, purpose: Purpose, item: u64) -> Self {
        let mut mixer = Self(seed ^ (purpose as u64).wrapping_mul(0xd6e8_feb8_6659_fd93));
        let start = mixer.next() ^ item.wrapping_mul(0xa076_1d64_78bd_642f);
        Self(Self(start).next())
    }

    /// 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0..n; 0 when n is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Pareto: at least 1, larger than x with probability x^-alpha, cut at `max`.
    pub(crate) fn pareto(&mut self, alpha: f64, max: f64) -> f64 {
        (1.0 - self.unit()).powf(-1.0 / alpha).min(max)
    }

    /// Exponential with the given mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Uniform in -1..1, as a float.
    pub(crate) fn signed(&mut self) -> f32 {
        (self.unit() * 2.0 - 1.0) as f32
    }

    /// One of the choices.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len()))
    }
}

/// Draws positions with given weights.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weighted {
    /// Running sums.
    sums: Vec<f64>,
}

impl Weighted {
    /// Of weights that are finite and not negative.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let add = |weight: f64| {
            sum += weight;
            sum
        };
        Self { sums: weights.into_iter().map(add).collect() }
    }

    /// A position; none when there are none.
    pub(crate) fn draw(&self, random: &mut Random) -> Option<usize> {
        let target = random.unit() * self.sums.last()?;
        Some(self.sums.partition_point(|&sum| sum <= target).min(self.sums.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_repeatable_and_differ() {
        let first = |seed, item| Random::of(seed, Purpose::Person, item).next();
        assert_eq!(first(1, 2), first(1, 2));
        let mut all: Vec<_> = (0..100).flat_map(|seed| (0..100).map(move |item| first(seed, item))).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 10_000);
    }

    #[test]
    fn draws_follow_their_weights() {
        let weighted = Weighted::new([1.0, 0.0, 3.0]);
        let mut random = Random::of(7, Purpose::Person, 0);
        let mut counts = [0_u32; 3];
        (0..40_000).for_each(|_| counts[weighted.draw(&mut random).unwrap_or(1)] += 1);
        assert_eq!(counts[1], 0);
        // 10,000 expected, standard deviation 87.
        assert!(counts[0].abs_diff(10_000) <= 350, "{counts:?}");
        assert_eq!(Weighted::default().draw(&mut random), None);
    }

    #[test]
    fn pareto_draws_have_a_heavy_tail_and_bounds() {
        let mut random = Random::of(7, Purpose::Person, 1);
        let draws: Vec<f64> = (0..20_000).map(|_| random.pareto(1.5, 50.0)).collect();
        assert!(draws.iter().all(|&x| (1.0..=50.0).contains(&x)));
        let above = draws.iter().filter(|&&x| x > 4.0).count();
        // 4^-1.5 = 1/8 of 20,000, standard deviation 47.
        assert!(above.abs_diff(2_500) <= 200, "{above}");
    }
}
