//! The model's features: a registry of named slots in families, and their way into the scorer's batch.
//!
//! A [`FeatureFamily`] declares named features and fills them for all candidates of a request. The [`Registry`] gives the
//! families consecutive slots of the record (6,000 continuous, 512 binary) in list order. A [`FeaturePlan`] is a registry
//! cut to what the loaded model reads, the record's first so many slots: a family beyond them is never run, a feature
//! beyond them never written. Values go straight into the batch; what is the same for all candidates is computed and held
//! once. A family that fails leaves its features' defaults, and the request goes on.

mod batch_pool;
mod discrete;
pub mod families;
mod family;
mod placement;
mod plan;
mod registry;
mod rows;
#[cfg(test)]
mod tests;

pub use batch_pool::BatchPool;
pub use discrete::{DISCRETE, DISCRETE_SLOTS, discrete};
pub use family::{FeatureFamily, FeatureSpec, Level};
pub use plan::{FamilyTime, FamilyValues, FeaturePlan};
pub use registry::{BINARY_SLOTS, CONTINUOUS_SLOTS, FamilyRow, Registry, RegistryError};
pub use rows::{Row, Rows};
