//! Posts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ListId, Millis, PostId, TopicId, UserId};

/// A BCP 47 primary language subtag: two or three lower-case letters, or `und` when unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language([u8; 3]);

impl Language {
    /// The language is not known.
    pub const UNKNOWN: Self = Self(*b"und");

    /// Reads the primary subtag of `tag`, in any case; anything else is [`Language::UNKNOWN`].
    pub fn new(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().as_bytes();
        if !matches!(primary.len(), 2 | 3) || !primary.iter().all(u8::is_ascii_alphabetic) {
            return Self::UNKNOWN;
        }
        let mut code = [b' '; 3];
        code[..primary.len()].copy_from_slice(primary);
        Self(code.map(|letter| letter.to_ascii_lowercase()))
    }

    /// The subtag, without padding.
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII letters and trailing spaces by construction.
        std::str::from_utf8(&self.0).unwrap_or("und").trim_end()
    }
}

impl Default for Language {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({})", self.as_str())
    }
}

impl Serialize for Language {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer).map(|tag| Self::new(&tag))
    }
}

/// Another post, and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostRef {
    /// The post.
    pub id: PostId,
    /// Its author.
    pub author: UserId,
}

/// What is attached to a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Media {
    /// Number of photos.
    pub photos: u8,
    /// Length of the video, when there is one.
    pub video_ms: Option<u32>,
}

/// What review or classifiers said of a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SafetyLabels {
    /// Adult media, marked by its author or by review.
    pub adult: bool,
    /// Gore or violence.
    pub graphic: bool,
    /// Spam.
    pub spam: bool,
    /// Not to be recommended outside its author's network.
    pub do_not_amplify: bool,
}

impl SafetyLabels {
    /// Media that a viewer can choose not to see.
    pub fn is_sensitive(self) -> bool {
        self.adult || self.graphic
    }
}

/// A post as it was written; it never changes, except that it can be deleted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Post {
    /// Snowflake id.
    pub id: PostId,
    /// Who posted it; for a repost, who reposted.
    pub author: UserId,
    /// When it was posted.
    pub created_at: Millis,
    /// The text; empty for a repost.
    pub text: String,
    /// The text's language.
    pub language: Language,
    /// The post this one answers.
    pub in_reply_to: Option<PostRef>,
    /// The post this one passes on without a comment.
    pub repost_of: Option<PostRef>,
    /// The post this one passes on with a comment.
    pub quotes: Option<PostRef>,
    /// The first post of the conversation; the post itself when it starts one.
    pub conversation: PostId,
    /// The user whose name the text starts with: such posts are addressed to them, not to everybody.
    pub directed_at: Option<UserId>,
    /// Users named in the text.
    pub mentions: Vec<UserId>,
    /// Hashtags, without the sign, lower case.
    pub hashtags: Vec<String>,
    /// Links.
    pub urls: Vec<String>,
    /// Photos and video.
    pub media: Media,
    /// The topic it was filed under.
    pub topic: Option<TopicId>,
    /// The list it belongs to, when it was posted to one.
    pub list: Option<ListId>,
    /// The author whose paying subscribers alone may see this conversation.
    pub exclusive_author: Option<UserId>,
    /// Results of review.
    pub labels: SafetyLabels,
}

impl Post {
    /// Whether it passes another post on without a comment.
    pub fn is_repost(&self) -> bool {
        self.repost_of.is_some()
    }

    /// Whether it answers another post.
    pub fn is_reply(&self) -> bool {
        self.in_reply_to.is_some()
    }

    /// The post that a reader sees: the reposted one for a repost, else this one.
    pub fn original_id(&self) -> PostId {
        self.repost_of.map_or(self.id, |original| original.id)
    }

    /// Who wrote what a reader sees.
    pub fn original_author(&self) -> UserId {
        self.repost_of.map_or(self.author, |original| original.author)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_its_primary_subtag() {
        for (tag, expected) in [
            ("en", "en"),
            ("pt-BR", "pt"),
            ("ZH_Hant", "zh"),
            ("fil", "fil"),
            ("", "und"),
            ("e1", "und"),
            ("english", "und"),
        ] {
            assert_eq!(Language::new(tag).as_str(), expected, "{tag}");
        }
    }
}
