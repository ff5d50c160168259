//! Where in a timeline a request stands.

use serde::{Deserialize, Serialize};

use super::PostId;

/// A decoded cursor. How it is written for a client is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// Posts newer than `newest`.
    Top {
        /// The newest post that the client has.
        newest: PostId,
    },
    /// Posts older than `oldest`.
    Bottom {
        /// The oldest post that the client has.
        oldest: PostId,
    },
    /// Posts between two that the client has.
    Gap {
        /// The newer edge.
        newest: PostId,
        /// The older edge.
        oldest: PostId,
    },
}

/// What the client asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// The first page.
    #[default]
    Initial,
    /// What came since.
    Newer,
    /// What lies between.
    Middle,
    /// What comes next.
    Older,
}

impl PageKind {
    /// The kind of page that a cursor asks for.
    pub fn of(cursor: Option<Cursor>) -> Self {
        match cursor {
            None => Self::Initial,
            Some(Cursor::Top { .. }) => Self::Newer,
            Some(Cursor::Bottom { .. }) => Self::Older,
            Some(Cursor::Gap { .. }) => Self::Middle,
        }
    }
}
