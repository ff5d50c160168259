//! What chooses and orders, one file each. Plain functions over indices.

mod append;
mod best_per_author;
mod duplicates;
mod network_caps;
mod scoring_candidates;
mod sort;
#[cfg(test)]
mod tests;

pub use append::AppendRemaining;
pub use best_per_author::BestOutOfNetworkPerAuthor;
pub use duplicates::DropDuplicates;
pub use network_caps::NetworkCaps;
pub use scoring_candidates::ScoringCandidates;
pub use sort::SortByScore;
