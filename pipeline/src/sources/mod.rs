//! Where candidates come from, one file each.

mod backfill;
mod cached;
mod in_network;
#[cfg(test)]
mod tests;

pub use backfill::Backfill;
pub use cached::Cached;
pub use in_network::{InNetwork, LightRanker};
