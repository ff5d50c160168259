//! Constants of query hydration and of the sources.

use serde::{Deserialize, Serialize};

use super::{ListsConfig, PopularVideosConfig, RecommendedAuthorsConfig, SecondDegreeConfig, SimilarConfig};
use crate::domain::{CandidateKind, ViewerState};
use crate::engine::QualityFactorConfig;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What is found out about the viewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueryConfig {
    /// How many of the strongest ties are read.
    pub real_graph_limit: usize,
    /// For how long a seen post counts as seen.
    pub impressions_window_ms: u64,
    /// How many seen posts are read at most.
    pub impressions_limit: usize,
    /// For how long a served post is not served again on an older page.
    pub served_window_ms: u64,
    /// How many posts of each served response are read at most.
    pub served_per_response: usize,
    /// How many of the viewer's lists are read.
    pub list_limit: usize,
    /// Of how many of the latest requests enough is kept to explain them as they were served.
    pub explainable_requests: usize,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            real_graph_limit: 1000,
            impressions_window_ms: 2 * DAY_MS,
            impressions_limit: 5000,
            served_window_ms: 10 * MINUTE_MS,
            served_per_response: 100,
            list_limit: 20,
            explainable_requests: 1000,
        }
    }
}

/// Where candidates come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchConfig {
    /// Posts scored for the viewer within the last minutes.
    pub cache: CacheConfig,
    /// Posts of followed accounts.
    pub in_network: InNetworkConfig,
    /// Posts that followed accounts engaged with.
    pub second_degree: SecondDegreeConfig,
    /// Posts near to what the viewer engaged with.
    pub similar: SimilarConfig,
    /// Posts of recommended accounts.
    pub recommended_authors: RecommendedAuthorsConfig,
    /// Posts of the viewer's lists.
    pub lists: ListsConfig,
    /// Popular videos.
    pub popular_videos: PopularVideosConfig,
    /// Posts of the reverse-chronological timeline.
    pub backfill: BackfillConfig,
    /// The quality factor of each source.
    pub quality_factor: QualityFactorConfig,
}

/// The cache of scored posts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// For how long a score is used again.
    pub time_to_live_ms: u64,
    /// A source is asked only while fewer than this many unseen posts of it are cached.
    pub enough_cached: usize,
    /// How many posts are kept for a viewer, best first.
    pub max_posts: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { time_to_live_ms: 3 * MINUTE_MS, enough_cached: 30, max_posts: 1000 }
    }
}

/// Posts of followed accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InNetworkConfig {
    /// How many candidates are given, times the quality factor.
    pub max_results: usize,
    /// How many times as many are taken to the second look.
    pub oversample: usize,
    /// How many followed accounts are searched, strongest ties first.
    pub max_authors: usize,
    /// How many posts of an account are looked at.
    pub scan_per_author: usize,
    /// How many posts of one account in a row the search takes, newest first over all accounts.
    pub max_consecutive_per_author: usize,
    /// How many ids the search excludes at most.
    pub max_excluded: usize,
    /// How far back the search goes.
    pub window_ms: u64,
    /// How far back it goes for viewers who are seldom there.
    pub long_window_ms: u64,
    /// Who is seldom there.
    pub long_window_states: Vec<ViewerState>,
    /// Which kinds of posts are taken.
    pub kinds: Vec<CandidateKind>,
    /// The light ranker.
    pub light_ranker: LightRankerConfig,
}

impl Default for InNetworkConfig {
    fn default() -> Self {
        Self {
            max_results: 600,
            oversample: 2,
            max_authors: 1000,
            scan_per_author: 500,
            max_consecutive_per_author: 2,
            max_excluded: 1500,
            window_ms: DAY_MS,
            long_window_ms: 2 * DAY_MS,
            long_window_states: vec![
                ViewerState::Light,
                ViewerState::MediumNonTweeter,
                ViewerState::MediumTweeter,
                ViewerState::NearZero,
                ViewerState::New,
                ViewerState::VeryLight,
            ],
            kinds: vec![
                CandidateKind::Original,
                CandidateKind::Reply,
                CandidateKind::ExtendedReply,
                CandidateKind::Repost,
            ],
            light_ranker: LightRankerConfig::default(),
        }
    }
}

/// Coefficients of the light ranker: a logistic regression over what a search index knows of a post.
///
/// The published material names its inputs, not its coefficients: these are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LightRankerConfig {
    /// Constant term.
    pub bias: f32,
    /// Of the age in days.
    pub age_days: f32,
    /// Of log2(1 + likes).
    pub favorites: f32,
    /// Of log2(1 + replies).
    pub replies: f32,
    /// Of log2(1 + reposts).
    pub reposts: f32,
    /// Of log2(1 + quotes).
    pub quotes: f32,
    /// Of the author's tie to the viewer, scaled to 1..=2.97.
    pub author_tie: f32,
    /// For photos.
    pub has_photo: f32,
    /// For a video.
    pub has_video: f32,
    /// For a link.
    pub has_link: f32,
    /// For a quote.
    pub has_quote: f32,
    /// For a reply.
    pub is_reply: f32,
    /// For a repost.
    pub is_repost: f32,
    /// For a language that the viewer does not read.
    pub foreign_language: f32,
    /// For adult or graphic media.
    pub is_sensitive: f32,
    /// For each hashtag after the second.
    pub many_hashtags: f32,
}

impl Default for LightRankerConfig {
    fn default() -> Self {
        Self {
            bias: -4.0,
            age_days: -0.9,
            favorites: 0.22,
            replies: 0.16,
            reposts: 0.18,
            quotes: 0.12,
            author_tie: 1.1,
            has_photo: 0.25,
            has_video: 0.25,
            has_link: -0.05,
            has_quote: 0.1,
            is_reply: -0.45,
            is_repost: -0.3,
            foreign_language: -1.0,
            is_sensitive: -0.8,
            many_hashtags: -0.2,
        }
    }
}

/// Posts of the reverse-chronological timeline, for viewers who were away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackfillConfig {
    /// Whether there is any.
    pub enabled: bool,
    /// How long the viewer must have been away.
    pub away_ms: u64,
    /// How many posts are taken.
    pub max_results: usize,
}

impl Default for BackfillConfig {
    fn default() -> Self {
        Self { enabled: true, away_ms: DAY_MS, max_results: 200 }
    }
}
