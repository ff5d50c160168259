//! Ads.

use serde::{Deserialize, Serialize};

use super::{PostId, UserId};

/// Next to which posts an advertiser is willing to stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrandSafety {
    /// Next to anything that may be shown.
    High,
    /// Not next to posts of some risk.
    #[default]
    Standard,
    /// Next to safe posts only.
    Low,
}

impl BrandSafety {
    /// All levels.
    pub const ALL: [Self; 3] = [Self::High, Self::Standard, Self::Low];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Standard => "standard",
            Self::Low => "low",
        }
    }
}

/// A post that somebody pays for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ad {
    /// Its id, which names the impression's campaign.
    pub id: u64,
    /// Who pays.
    pub advertiser: UserId,
    /// The post that is shown.
    pub post: PostId,
    /// What an impression is worth, relative to other ads; positive.
    pub bid: f32,
    /// Next to which posts it may stand.
    pub brand_safety: BrandSafety,
    /// Authors next to whose posts it must not stand.
    pub excluded_authors: Vec<UserId>,
    /// Words next to which it must not stand.
    pub excluded_keywords: Vec<String>,
}
