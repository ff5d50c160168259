//! Why there is no timeline.

use crate::domain::stores::StoreError;
use crate::domain::{ListId, UserId};
use crate::engine::{Failure, FailureKind};

/// Why there is no timeline, or why what came back with one was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimelineError {
    /// The cursor is no cursor, was changed, or belongs to another viewer or timeline.
    #[error("cursor refused: expected one that this viewer was given with this timeline")]
    BadCursor,
    /// The feedback action is none, was changed, or was given to another viewer.
    #[error("feedback action refused: expected one that this viewer was given")]
    BadAction,
    /// There is no such account, or it is withdrawn.
    #[error("there is no viewer {0}")]
    UnknownViewer(UserId),
    /// There is no such list.
    #[error("there is no list {0}")]
    UnknownList(ListId),
    /// A parameter is outside of its range.
    #[error("{parameter}: expected {expected}, got {found}")]
    Parameter {
        /// The parameter.
        parameter: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// More requests are under way than may be: try again in a moment.
    #[error("too many requests are under way")]
    Overload,
    /// The request was not done in time.
    #[error("not done in time: {0}")]
    Deadline(Failure),
    /// A component failed in a way that no policy recovers.
    #[error("failed: {0}")]
    Failed(Failure),
    /// What the viewer did could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TimelineError {
    /// The name in answers, logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadCursor => "bad_cursor",
            Self::BadAction => "bad_action",
            Self::UnknownViewer(_) => "unknown_viewer",
            Self::UnknownList(_) => "unknown_list",
            Self::Parameter { .. } => "bad_parameter",
            Self::Overload => "overload",
            Self::Deadline(_) => "deadline",
            Self::Failed(_) => "failed",
            Self::Store(_) => "store",
        }
    }

    /// Whether the caller could have known better.
    pub fn is_callers(&self) -> bool {
        !matches!(
            self,
            Self::Overload | Self::Deadline(_) | Self::Failed(_) | Self::Store(StoreError::Failed { .. })
        )
    }
}

impl From<Failure> for TimelineError {
    fn from(failure: Failure) -> Self {
        if failure.kind == FailureKind::Timeout { Self::Deadline(failure) } else { Self::Failed(failure) }
    }
}
