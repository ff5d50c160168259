//! Which timeline.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ListId;

/// Which timeline a request is for, a response was of, a cursor belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimelineKind {
    /// Ranked.
    #[default]
    ForYou,
    /// Posts of followed accounts, newest first.
    Following,
    /// Posts of a list's members, newest first.
    List(ListId),
    /// Posts for subscribers of the accounts that the viewer pays, newest first.
    Subscribed,
}

impl TimelineKind {
    /// The name in cursors, logs and metrics, without the list.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForYou => "for_you",
            Self::Following => "following",
            Self::List(_) => "list",
            Self::Subscribed => "subscribed",
        }
    }

    /// Whether its posts stand newest first.
    pub fn is_chronological(self) -> bool {
        self != Self::ForYou
    }
}

impl fmt::Display for TimelineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(id) => write!(f, "list {id}"),
            other => f.write_str(other.name()),
        }
    }
}
