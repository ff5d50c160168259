//! Constants of the ranking as a whole, and of the timelines whose posts stand newest first.

use serde::{Deserialize, Serialize};

use crate::engine::QualityFactorConfig;

/// The ranking as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RankingConfig {
    /// Its quality factor: what all sources fetch and the model scores is scaled by it.
    pub quality_factor: QualityFactorConfig,
}

impl Default for RankingConfig {
    fn default() -> Self {
        let quality_factor =
            QualityFactorConfig { target_latency_ms: 1_500, start: 1.0, ..QualityFactorConfig::default() };
        Self { quality_factor }
    }
}

/// Timelines whose posts stand newest first: Following, lists, Subscribed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChronologicalConfig {
    /// Most posts that are looked at for a page.
    pub max_results: usize,
    /// Most accounts whose posts are looked at.
    pub max_authors: usize,
    /// How many posts above a reply are shown with it: the conversation's first one and the nearest ones.
    pub max_ancestors: usize,
}

impl Default for ChronologicalConfig {
    fn default() -> Self {
        Self { max_results: 100, max_authors: 3_000, max_ancestors: 2 }
    }
}
