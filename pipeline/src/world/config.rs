//! What a generated world is to be like.

use serde::{Deserialize, Serialize};

use crate::domain::Millis;

/// The moment that generated worlds stand still at unless told otherwise: 2023-11-14 22:13:20 UTC.
pub const DEFAULT_NOW: Millis = Millis(1_700_000_000_000);

/// Size, seed and shape of a generated world. Two equal configurations give the same world, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldConfig {
    /// Number of users; their ids count from 1.
    pub users: u32,
    /// Number of posts.
    pub posts: u32,
    /// What everything random comes from.
    pub seed: u64,
    /// The world's present.
    pub now: Millis,
    /// How many days before that the first post was written.
    pub days: u32,
    /// How many accounts a user follows on average.
    pub mean_following: u32,
    /// How many posts a user looked at on average; about a third leads to an engagement.
    pub mean_views: u32,
    /// Width of the dense embeddings. The released model reads 200.
    pub embedding_width: u32,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self::sized(1_000, 10_000)
    }
}

impl WorldConfig {
    /// A world of a size, with everything else in proportion.
    pub fn sized(users: u32, posts: u32) -> Self {
        Self {
            users,
            posts,
            seed: 1,
            now: DEFAULT_NOW,
            days: 3,
            mean_following: (users / 10).clamp(1, 100),
            mean_views: 100,
            embedding_width: 200,
        }
    }
}
