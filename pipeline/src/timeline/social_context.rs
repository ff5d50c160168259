//! Why an entry is there, in a reader's words.

use serde::Serialize;

use crate::domain::UserId;

/// An account as a reader sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Person {
    /// Its id.
    pub id: UserId,
    /// The unique name, without the sign; empty when the account is gone.
    pub screen_name: String,
    /// The name it shows.
    pub name: String,
    /// Whether it has a check mark.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_verified: bool,
    /// Whether only approved followers see its posts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_protected: bool,
    /// Whether the viewer follows it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_followed: bool,
}

/// Why an entry is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SocialContext {
    /// What kind of reason.
    pub kind: ContextKind,
    /// Its icon.
    pub icon: Icon,
    /// The reason in English; a client that speaks another language builds its own from `kind`, `users` and `others`.
    pub text: String,
    /// The accounts that the text names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Person>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub others: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Kinds of reasons, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContextKind {
    /// Accounts that the viewer follows like it.
    LikedBy,
    /// Accounts that the viewer follows follow its author.
    FollowedBy,
    /// It is about a topic.
    Topic,
    /// A popular video.
    PopularVideo,
    /// It comes from one of the viewer's lists.
    List,
    /// It is popular nearby.
    PopularNearby,
    /// An account that the viewer follows replied to it.
    ExtendedReply,
    /// A post of an account that the viewer follows got a reply.
    ReceivedReply,
    /// It was in a notification that the reader opened.
    Notification,
}

/// Icons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Icon {
    /// A heart.
    Like,
    /// A person.
    Follow,
    /// A speech bubble with a mark.
    Topic,
    /// A sparkle.
    Sparkle,
    /// A list.
    List,
    /// A pin on a map.
    Location,
    /// A conversation.
    Conversation,
    /// A bell.
    Bell,
    /// An arrow upwards.
    UpArrow,
    /// A sad face.
    Frown,
    /// A crossed-out person.
    Unfollow,
    /// A crossed-out speaker.
    Mute,
    /// A stop sign.
    Block,
    /// A flag.
    Report,
}
