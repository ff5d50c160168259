//! Constants of mixing and of what clients are told to do.

use serde::{Deserialize, Serialize};

use crate::domain::DeviceContext;
use crate::mixing::PromptText;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What is mixed into the posts, where, and how often; and what clients are told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixingConfig {
    /// Ads.
    pub ads: AdsConfig,
    /// Accounts to follow and to subscribe to.
    pub people: PeopleConfig,
    /// Beginnings of posts for subscribers.
    pub previews: PreviewsConfig,
    /// Messages to readers.
    pub prompts: PromptsConfig,
    /// The pill that says that there is something new.
    pub pill: PillConfig,
    /// Newer versions of posts that clients have.
    pub edits: EditsConfig,
    /// What clients are told beside entries.
    pub client: ClientConfig,
    /// Whether social context is shown.
    pub social_context: bool,
    /// Whether readers are offered to unfollow, mute or block instead of to see fewer.
    pub offer_relations: bool,
}

impl Default for MixingConfig {
    fn default() -> Self {
        Self {
            ads: AdsConfig::default(),
            people: PeopleConfig::default(),
            previews: PreviewsConfig::default(),
            prompts: PromptsConfig::default(),
            pill: PillConfig::default(),
            edits: EditsConfig::default(),
            client: ClientConfig::default(),
            social_context: true,
            offer_relations: false,
        }
    }
}

/// Ads: see `docs/MIXING.md` for how they are placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdsConfig {
    /// In For You.
    pub for_you: bool,
    /// In Following.
    pub following: bool,
    /// In lists.
    pub lists: bool,
    /// Posts from one ad to the next.
    pub spacing: usize,
    /// Posts that a page must have to hold ads.
    pub min_posts: usize,
    /// Most ads that compete for a page.
    pub max_ads: usize,
    /// For how long an ad that was shown is not shown again, in milliseconds.
    pub interval_ms: u64,
}

impl Default for AdsConfig {
    fn default() -> Self {
        Self {
            for_you: true,
            following: true,
            lists: false,
            spacing: 3,
            min_posts: 5,
            max_ads: 10,
            interval_ms: HOUR_MS,
        }
    }
}

/// Accounts to follow and to subscribe to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeopleConfig {
    /// Whether accounts to follow are suggested.
    pub follow: bool,
    /// Whether accounts to subscribe to are suggested.
    pub subscribe: bool,
    /// Where accounts to follow stand, from 0.
    pub follow_position: usize,
    /// Where accounts to subscribe to stand, from 0.
    pub subscribe_position: usize,
    /// Fewest accounts of a module.
    pub min_accounts: usize,
    /// Most accounts of a module.
    pub max_accounts: usize,
    /// How long after a module the next one of its kind may come, in milliseconds.
    pub interval_ms: u64,
    /// For how long a module does not come after it was dismissed once; twice, thrice, … as long after more times.
    pub fatigue_ms: u64,
    /// More dismissals than this prolong it no further.
    pub max_dismissals: u32,
    /// How many accounts that were suggested before are not suggested again.
    pub max_excluded: usize,
}

impl Default for PeopleConfig {
    fn default() -> Self {
        Self {
            follow: true,
            subscribe: true,
            follow_position: 5,
            subscribe_position: 7,
            min_accounts: 3,
            max_accounts: 20,
            interval_ms: 1_800 * MINUTE_MS,
            fatigue_ms: 7 * DAY_MS,
            max_dismissals: 4,
            max_excluded: 1_000,
        }
    }
}

/// Beginnings of posts for subscribers, for readers who are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewsConfig {
    /// Whether there are any.
    pub enabled: bool,
    /// Where they stand, from 0.
    pub position: usize,
    /// Most on a page.
    pub max_previews: usize,
    /// How long after a preview the next one may come, in milliseconds.
    pub interval_ms: u64,
    /// How old a previewed post may be, in milliseconds.
    pub max_age_ms: u64,
    /// A preview that was served is not served again for this long, in milliseconds.
    pub served_window_ms: u64,
    /// Fewest characters of a previewed post.
    pub min_chars: usize,
    /// How many characters are shown.
    pub shown_chars: usize,
}

impl Default for PreviewsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            position: 3,
            max_previews: 1,
            interval_ms: 2 * HOUR_MS,
            max_age_ms: 7 * DAY_MS,
            served_window_ms: 10 * HOUR_MS,
            min_chars: 100,
            shown_chars: 80,
        }
    }
}

/// Messages to readers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptsConfig {
    /// Where a message between the entries stands, from 0.
    pub position: usize,
    /// The messages; the first that its reader has not dismissed is shown.
    pub messages: Vec<PromptText>,
}

/// The pill that says that there is something new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PillConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// After how many milliseconds it comes, unless the reader asked for new posts.
    pub delay_ms: i64,
    /// How many authors' pictures it shows; with fewer authors it shows none.
    pub avatars: usize,
}

impl Default for PillConfig {
    fn default() -> Self {
        Self { enabled: true, delay_ms: 4 * MINUTE_MS as i64, avatars: 3 }
    }
}

/// Newer versions of posts that clients have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EditsConfig {
    /// Whether clients are told of them.
    pub enabled: bool,
    /// Posts served longer than this before the newest response are not looked at, in milliseconds.
    pub window_ms: u64,
    /// Most of them in a response.
    pub max_replacements: usize,
}

impl Default for EditsConfig {
    fn default() -> Self {
        Self { enabled: true, window_ms: HOUR_MS, max_replacements: 100 }
    }
}

/// What clients are told beside entries. In 2023 nothing of it was on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    /// In which contexts For You begins anew.
    pub clear_cache_contexts: Vec<DeviceContext>,
    /// Fewest posts of a response that makes it begin anew.
    pub clear_cache_min_posts: usize,
    /// Whether a notification's post makes it begin anew.
    pub clear_cache_for_push: bool,
    /// Whether clients are told to go to the top where their reader asked for a fresh start.
    pub navigation: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            clear_cache_contexts: Vec::new(),
            clear_cache_min_posts: 10,
            clear_cache_for_push: false,
            navigation: false,
        }
    }
}
