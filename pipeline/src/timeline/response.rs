//! What a caller gets: instructions to a client that keeps a list of entries.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::{Alert, Cover, Entry};
use super::feedback::FeedbackAction;
use crate::domain::UserId;

/// One page of a timeline, as instructions in the order in which a client carries them out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// Names the timeline: `for_you-timeline`, `list-42-timeline`. Entries of one timeline never meet another's.
    pub id: String,
    /// Whose it is.
    pub viewer: UserId,
    /// Names the request in logs, served history and events. A string, because it may exceed what JavaScript counts to.
    pub request_id: String,
    /// What the client does, in this order.
    pub instructions: Vec<Instruction>,
    /// What a reader can say about entries; entries name them by key.
    pub feedback_actions: BTreeMap<String, FeedbackAction>,
    /// Whether ranking gave nothing and the posts stand newest first instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_fallback: bool,
    /// Components that failed: with any, the timeline is less than it could be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<&'static str>,
}

/// One thing that a client does with its list of entries.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Instruction {
    /// Forgets all entries.
    ClearCache {
        /// Whether the reader's place on the screen is kept.
        retain_viewport: bool,
    },
    /// Goes to a place.
    Navigation {
        /// Whether to the first entry.
        start_at_top: bool,
    },
    /// Puts an entry in the place of another, when that one is there.
    ReplaceEntry {
        /// The other's id.
        entry_id_to_replace: String,
        /// The entry.
        entry: Box<Entry>,
    },
    /// Adds entries; their sort indexes say where.
    AddEntries {
        /// The entries, highest sort index first.
        entries: Vec<Entry>,
    },
    /// Says that nothing more comes at one end.
    TerminateTimeline {
        /// Which end.
        direction: Direction,
    },
    /// Shows a pill above the entries.
    ShowAlert {
        /// The pill.
        alert: Alert,
    },
    /// Shows a cover over the entries.
    ShowCover {
        /// The cover.
        cover: Cover,
    },
}

/// An end of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Newer posts.
    Top,
    /// Older posts.
    Bottom,
}

impl Timeline {
    /// The entries that are added, highest sort index first, cursors included.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.instructions.iter().flat_map(|instruction| match instruction {
            Instruction::AddEntries { entries } => entries.as_slice(),
            _ => &[],
        })
    }

    /// The cursor of a kind that the page brought.
    pub fn cursor(&self, kind: super::CursorKind) -> Option<&str> {
        self.entries().find_map(|entry| match &entry.content {
            super::Content::Cursor { kind: found, value } if *found == kind => Some(value.as_str()),
            _ => None,
        })
    }
}
