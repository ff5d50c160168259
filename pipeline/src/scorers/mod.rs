//! What gives candidates a score, one file each.

mod author_diversity;
mod feedback_fading;
mod heuristics;
mod model;
#[cfg(test)]
mod tests;
mod weighted_sum;

pub use author_diversity::diversity_factors;
pub use feedback_fading::FeedbackFading;
pub use heuristics::{Heuristics, Rescored};
pub use model::{Model, Scored};
pub use weighted_sum::WeightedSum;
