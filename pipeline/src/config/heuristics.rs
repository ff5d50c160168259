//! The factors a score is multiplied with.

use serde::{Deserialize, Serialize};

/// The factors a score is multiplied with. All act on the model's score at once; their order does not matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeuristicsConfig {
    /// For posts from outside of the viewer's network.
    pub out_of_network_factor: f64,
    /// For replies.
    pub reply_factor: f64,
    /// For originals of paying accounts.
    pub verified: VerifiedFactors,
    /// For originals of accounts in the creators' programme.
    pub creator: CreatorFactors,
    /// For several posts of one author.
    pub diversity: DiversityConfig,
    /// For what the viewer asked to see fewer of.
    pub feedback: FeedbackConfig,
}

impl Default for HeuristicsConfig {
    fn default() -> Self {
        Self {
            out_of_network_factor: 0.75,
            reply_factor: 0.75,
            verified: VerifiedFactors::default(),
            creator: CreatorFactors::default(),
            diversity: DiversityConfig::default(),
            feedback: FeedbackConfig::default(),
        }
    }
}

/// Factors for originals of paying accounts. In 2023 they were 4 and 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerifiedFactors {
    /// In the viewer's network.
    pub in_network: f64,
    /// Outside of it.
    pub out_of_network: f64,
}

impl Default for VerifiedFactors {
    fn default() -> Self {
        Self { in_network: 1.0, out_of_network: 1.0 }
    }
}

/// Factors for originals of accounts in the creators' programme.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CreatorFactors {
    /// In the viewer's network.
    pub in_network: f64,
    /// Outside of it.
    pub out_of_network: f64,
}

impl Default for CreatorFactors {
    fn default() -> Self {
        Self { in_network: 1.1, out_of_network: 1.3 }
    }
}

/// The k-th best post of an author, from 0, is multiplied by `(1 − floor) · decay^k + floor`. With a memory, k is greater
/// by the author's posts that the viewer was served lately, each of which counts half as much with every half-life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiversityConfig {
    /// What each further post loses.
    pub decay: f64,
    /// What is always left.
    pub floor: f64,
    /// The half-life, in milliseconds, with which posts of the author that were served in earlier responses count as
    /// places too; none forgets them.
    pub memory_half_life_ms: Option<u64>,
}

impl Default for DiversityConfig {
    fn default() -> Self {
        Self { decay: 0.5, floor: 0.25, memory_half_life_ms: None }
    }
}

/// Posts that reach the viewer through somebody they asked to see fewer of are removed for `filter_days`, then
/// multiplied by a factor that rises from `floor` to 1 over `fade_days`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedbackConfig {
    /// For how long they are removed.
    pub filter_days: u32,
    /// For how long after that they are multiplied.
    pub fade_days: u32,
    /// The factor at the start of the fading.
    pub floor: f64,
}

impl Default for FeedbackConfig {
    fn default() -> Self {
        Self { filter_days: 14, fade_days: 140, floor: 0.2 }
    }
}
