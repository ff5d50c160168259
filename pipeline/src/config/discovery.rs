//! Constants of the sources that find posts beyond the viewer's own network.

use serde::{Deserialize, Serialize};

use crate::domain::EngagementKind;

const HOUR_MS: u64 = 3_600_000;

/// Posts that accounts which the viewer follows engaged with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondDegreeConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// How many candidates are given, times the quality factor.
    pub max_results: usize,
    /// How many of the best by weighted count are looked at.
    pub max_fetched: usize,
    /// How many followed accounts are asked, strongest ties first.
    pub max_seeds: usize,
    /// How many of an account's engagements of the last 24 hours are read.
    pub max_engagements: usize,
    /// Which engagements count.
    pub kinds: Vec<EngagementKind>,
    /// The weight of a followed account without a tie; with one it is 1 to 2.97 by the tie.
    pub weight_without_tie: f32,
    /// From how many accounts on a post is taken.
    pub min_proof: usize,
    /// How old a post may be.
    pub max_age_ms: u64,
}

impl Default for SecondDegreeConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            max_results: 300,
            max_fetched: 800,
            max_seeds: 1000,
            max_engagements: 100,
            kinds: vec![EngagementKind::Favorite],
            weight_without_tie: 0.5,
            min_proof: 1,
            max_age_ms: 24 * HOUR_MS,
        }
    }
}

/// Posts near to what the viewer engaged with, belongs to and reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimilarConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// How many candidates are given, times the quality factor.
    pub max_results: usize,
    /// How many of the viewer's recent engagements are signals.
    pub max_signals: usize,
    /// How many of the viewer's strongest ties and recent authors are signals.
    pub max_producers: usize,
    /// How many posts each signal gives.
    pub max_per_signal: usize,
    /// Least cosine to the viewer's own communities.
    pub min_interest: f32,
    /// Least cosine to a post.
    pub min_post: f32,
    /// Least cosine to an author.
    pub min_producer: f32,
    /// The search's limits.
    pub search: CommunitySearchConfig,
    /// Whether replies are taken.
    pub replies: bool,
}

impl Default for SimilarConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            max_results: 400,
            max_signals: 10,
            max_producers: 4,
            max_per_signal: 200,
            min_interest: 0.072,
            min_post: 0.5,
            min_producer: 0.7,
            search: CommunitySearchConfig::default(),
            replies: false,
        }
    }
}

/// Limits of the search for posts by communities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommunitySearchConfig {
    /// How many of the query's communities are searched, strongest first.
    pub max_communities: usize,
    /// How many posts of each community are looked at, strongest first.
    pub max_posts_per_community: usize,
    /// How old a post may be.
    pub max_age_ms: u64,
}

impl Default for CommunitySearchConfig {
    fn default() -> Self {
        Self { max_communities: 50, max_posts_per_community: 4_000, max_age_ms: 24 * HOUR_MS }
    }
}

/// Posts of accounts that are recommended to the viewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecommendedAuthorsConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// How many candidates are given, times the quality factor.
    pub max_results: usize,
    /// Of how many recommended accounts.
    pub max_accounts: usize,
    /// How many posts of an account are taken.
    pub posts_per_account: usize,
    /// How old a post may be.
    pub max_age_ms: u64,
    /// How accounts are chosen.
    pub accounts: AccountsConfig,
}

impl Default for RecommendedAuthorsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            max_results: 100,
            max_accounts: 100,
            posts_per_account: 5,
            max_age_ms: 24 * HOUR_MS,
            accounts: AccountsConfig::default(),
        }
    }
}

/// How accounts to follow are chosen: a weighted sum of what speaks for each, every part within 0..=1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountsConfig {
    /// Of the share of followed accounts that follow it, weighted by tie.
    pub two_hop: f32,
    /// Of following the viewer and being followed by accounts that the viewer follows.
    pub triangle: f32,
    /// Of the cosine of its communities to the viewer's.
    pub similar: f32,
    /// Of how much the viewer engaged with it lately.
    pub engaged: f32,
    /// How many people of each of the viewer's communities are looked at.
    pub people_per_community: usize,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self { two_hop: 1.0, triangle: 0.5, similar: 0.3, engaged: 0.8, people_per_community: 100 }
    }
}

/// Posts of the members of the viewer's lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListsConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// How many posts each list gives, times the quality factor.
    pub posts_per_list: usize,
    /// How old a post may be.
    pub max_age_ms: u64,
}

impl Default for ListsConfig {
    fn default() -> Self {
        Self { enabled: true, posts_per_list: 20, max_age_ms: 24 * HOUR_MS }
    }
}

/// Videos that many people watch and like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopularVideosConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// How many candidates are given, times the quality factor.
    pub max_results: usize,
    /// How many videos are looked at, the most popular first, to find so many that suit the viewer.
    pub max_scanned: usize,
    /// How old a video may be.
    pub max_age_ms: u64,
}

impl Default for PopularVideosConfig {
    fn default() -> Self {
        Self { enabled: true, max_results: 40, max_scanned: 400, max_age_ms: 48 * HOUR_MS }
    }
}
