//! Embeddings of users: communities written as directions in space.

use super::people::Society;
use super::posts::user_id;
use super::random::{Purpose, Random};
use crate::world::WorldConfig;
use crate::world::rows::UserEmbeddingRow;

/// How far a user's embeddings stray from those of their communities, relative to length 1.
const NOISE: f32 = 0.3;

/// A direction for each community, (communities, width) row by row, each of length 1.
pub(super) struct Directions {
    width: usize,
    values: Vec<f32>,
}

impl Directions {
    pub(super) fn new(config: &WorldConfig, society: &Society) -> Self {
        let width = config.embedding_width as usize;
        let mut values = Vec::with_capacity(width * society.communities.len());
        for community in 0..society.communities.len() {
            let item = community as u64 | 1 << 40;
            let mut random = Random::of(config.seed, Purpose::Embeddings, item);
            let start = values.len();
            values.extend((0..width).map(|_| random.signed()));
            normalise(&mut values[start..]);
        }
        Self { width, values }
    }

    /// A user's embeddings: the same mix of directions three times, each with its own noise.
    pub(super) fn of_user(&self, config: &WorldConfig, society: &Society, user: u32) -> UserEmbeddingRow {
        let mut random = Random::of(config.seed, Purpose::Embeddings, u64::from(user));
        let communities = &society.people[user as usize].communities;
        let mut mix = vec![0.0_f32; self.width];
        for &(community, strength) in communities {
            let direction = &self.values[community as usize * self.width..][..self.width];
            mix.iter_mut().zip(direction).for_each(|(sum, value)| *sum += strength * value);
        }
        // Uniform noise in -1..1 has variance 1/3.
        let scale = NOISE * (3.0 / self.width.max(1) as f32).sqrt();
        let dense = std::array::from_fn(|_| {
            let mut values = mix.clone();
            values.iter_mut().for_each(|value| *value += scale * random.signed());
            normalise(&mut values);
            values
        });
        UserEmbeddingRow { user: user_id(user), dense, communities: communities.clone() }
    }
}

fn normalise(values: &mut [f32]) {
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        values.iter_mut().for_each(|value| *value /= length);
    }
}
