//! What a viewer has chosen, and how active they are.

use serde::{Deserialize, Serialize};

use super::{Language, PostId};

/// Whether the viewer wants to see adult and graphic media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SensitiveMedia {
    /// Leave such posts out.
    #[default]
    Hide,
    /// Show them.
    Show,
}

/// How active a viewer is. The quieter ones get a longer window of posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewerState {
    /// Hardly ever there.
    NearZero,
    /// Just joined.
    New,
    /// There on few days.
    VeryLight,
    /// There on some days.
    Light,
    /// There on most days, does not write.
    MediumNonTweeter,
    /// There on most days, writes.
    MediumTweeter,
    /// There every day, does not write.
    HeavyNonTweeter,
    /// There every day, writes.
    HeavyTweeter,
    /// Not known.
    #[default]
    Unknown,
}

/// A viewer's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ViewerSettings {
    /// Adult and graphic media.
    pub sensitive_media: SensitiveMedia,
    /// Words and phrases whose posts the viewer does not want to see.
    pub muted_keywords: Vec<String>,
    /// Conversations that the viewer has left.
    pub muted_conversations: Vec<PostId>,
    /// Languages that the viewer reads.
    pub languages: Vec<Language>,
    /// How active the viewer is.
    pub state: ViewerState,
}
