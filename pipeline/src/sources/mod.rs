//! Where candidates come from, one file each.

mod backfill;
mod cached;
mod in_network;
mod scored_posts;
#[cfg(test)]
mod tests;

pub use backfill::Backfill;
pub use cached::Cached;
pub use in_network::{InNetwork, LightRanker};
pub use scored_posts::ScoredPosts;
