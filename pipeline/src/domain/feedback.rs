//! What viewers say about what they were shown.

use serde::{Deserialize, Serialize};

use super::{Millis, PostId, UserId};

/// Through which kind of engagement the disliked post had reached the viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// It was written by `about`.
    Post,
    /// It was liked by `about`.
    Favorite,
    /// Its author is followed by `about`.
    Follow,
    /// It was reposted by `about`.
    Repost,
    /// The post itself, written by `about`, is of no interest: it does not come again, and says nothing of its author.
    NotRelevant,
}

/// The viewer asked to see fewer posts that reach them through `about` in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Who asked.
    pub viewer: UserId,
    /// In which way the post had reached them.
    pub kind: FeedbackKind,
    /// The account it is about.
    pub about: UserId,
    /// The post it was said of, when known.
    pub post: Option<PostId>,
    /// When.
    pub at: Millis,
}

impl Feedback {
    /// Whether taking `self` back takes `said` back: the same viewer, kind and account, and where `self` names a post,
    /// the same post.
    pub fn takes_back(&self, said: &Self) -> bool {
        (self.viewer, self.kind, self.about) == (said.viewer, said.kind, said.about)
            && (self.post.is_none() || self.post == said.post)
    }
}

/// The viewer closed a module, such as suggestions of whom to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissal {
    /// Who closed it.
    pub viewer: UserId,
    /// Which module, by its name.
    pub module: String,
    /// When.
    pub at: Millis,
}
