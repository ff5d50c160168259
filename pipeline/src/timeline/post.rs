//! A post as a reader sees it.

use serde::Serialize;

use super::entry::ClientEvent;
use super::social_context::{Person, SocialContext};
use crate::domain::{ListId, Media, PostCounts, PostId, TopicId, UserId};

/// A post with what stands around it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PostItem {
    /// The entry's post: for a repost the repost itself, not what it passes on.
    pub id: PostId,
    /// What is shown: what is passed on, for a repost.
    pub post: PostView,
    /// What it quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<PostView>,
    /// Who passed it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reposted_by: Option<Person>,
    /// Why it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub social_context: Option<SocialContext>,
    /// What the reader can say about it: keys of the response's actions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<String>,
    /// What the client reports with its events.
    pub client_event: ClientEvent,
}

/// A post's own content.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PostView {
    /// Its id.
    pub id: PostId,
    /// Who wrote it.
    pub author: Person,
    /// When, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// What it says.
    pub text: String,
    /// The text's language, as a BCP 47 subtag.
    pub language: String,
    /// The post it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<Reference>,
    /// The first post of its conversation.
    pub conversation_id: PostId,
    /// Accounts that the text names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// Hashtags, without the sign.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hashtags: Vec<String>,
    /// Links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Photos and video.
    pub media: Media,
    /// Likes, replies, reposts and quotes.
    pub counts: PostCounts,
    /// The topic it was filed under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicId>,
    /// The list it was posted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<ListId>,
    /// Whether it holds adult or graphic media.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_sensitive: bool,
    /// Whether only its author's subscribers see all of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_for_subscribers: bool,
}

/// Another post, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// The post.
    pub id: PostId,
    /// Its author.
    pub author_id: UserId,
}
