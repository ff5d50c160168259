//! What a reader can say about an entry, and how it comes back.

use serde::{Deserialize, Serialize};

use super::social_context::Icon;
use crate::domain::stores::{Relation, Stores};
use crate::domain::{Dismissal, Feedback, FeedbackKind, Millis, PostId, UserId};
use crate::sealed::Key;
use crate::timeline::TimelineError;

/// Something that a reader can say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeedbackAction {
    /// What is said.
    pub kind: ActionKind,
    /// What the reader is offered.
    pub prompt: String,
    /// What the reader is told when it is said.
    pub confirmation: String,
    /// Its icon.
    pub icon: Icon,
    /// What the client sends back, unread, when the reader says it.
    pub token: String,
    /// For how many milliseconds it is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remembered_for_ms: Option<u64>,
    /// What the reader can say further: keys of the response's actions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<String>,
}

/// Kinds of what a reader can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActionKind {
    /// I do not like this post.
    DontLike,
    /// Fewer posts of this account.
    SeeFewer,
    /// This post is not relevant.
    NotRelevant,
    /// I do not want to see this module.
    Dismiss,
    /// I follow this account no longer.
    Unfollow,
    /// I do not want to see this account.
    Mute,
    /// This account and I shall not meet.
    Block,
}

/// What saying it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Feedback about an account or a post.
    Feedback {
        /// In which way it had reached the viewer.
        kind: FeedbackKind,
        /// The account it is about.
        about: UserId,
        /// The post it was said of.
        post: Option<PostId>,
    },
    /// A module was closed.
    Dismiss {
        /// Which.
        module: String,
    },
    /// A relation begins or ends.
    Relation {
        /// Which.
        relation: Relation,
        /// To whom.
        to: UserId,
        /// Whether it holds from now on.
        holds: bool,
    },
}

fn context(viewer: UserId) -> String {
    format!("feedback/{viewer}")
}

impl Deed {
    /// The token that does it, for this viewer only.
    pub(crate) fn seal(&self, key: &Key, viewer: UserId) -> String {
        // A struct of ids and short names always serialises.
        let payload = serde_json::to_vec(self).unwrap_or_default();
        key.seal(&context(viewer), &payload)
    }

    /// What a viewer's token does.
    ///
    /// # Errors
    /// The token is none, was changed, or was given to another viewer.
    pub fn open(key: &Key, viewer: UserId, token: &str) -> Result<Self, TimelineError> {
        let payload = key.open(&context(viewer), token).map_err(|_| TimelineError::BadAction)?;
        serde_json::from_slice(&payload).map_err(|_| TimelineError::BadAction)
    }

    /// Does it: stored when the call returns.
    ///
    /// # Errors
    /// The store refuses it or fails.
    pub fn carry_out(self, stores: &Stores, viewer: UserId, at: Millis) -> Result<(), TimelineError> {
        match self {
            Self::Feedback { kind, about, post } => {
                stores.feedback.record_feedback(Feedback { viewer, kind, about, post, at })?;
            }
            Self::Dismiss { module } => stores.feedback.record_dismissal(Dismissal { viewer, module, at })?,
            Self::Relation { relation, to, holds } => stores.graph.set(relation, viewer, to, holds)?,
        }
        Ok(())
    }

    /// Takes it back: stored when the call returns. Returns whether there was anything to take back. A relation is ended
    /// or begun again; a follow that a block had ended stays ended.
    ///
    /// # Errors
    /// The store refuses it or fails.
    pub fn take_back(self, stores: &Stores, viewer: UserId, at: Millis) -> Result<bool, TimelineError> {
        Ok(match self {
            Self::Feedback { kind, about, post } => {
                stores.feedback.withdraw_feedback(Feedback { viewer, kind, about, post, at })?
            }
            Self::Dismiss { module } => {
                stores.feedback.withdraw_dismissal(Dismissal { viewer, module, at })?
            }
            Self::Relation { relation, to, holds } => {
                let held = stores.graph.has(relation, viewer, to);
                stores.graph.set(relation, viewer, to, !holds)?;
                held == holds
            }
        })
    }
}
