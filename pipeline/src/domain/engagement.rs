//! What people do with posts, and what the model predicts of it.

use serde::{Deserialize, Serialize};

use super::{Millis, PostId, UserId};

/// Something a person did with a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EngagementKind {
    /// Liked it.
    Favorite,
    /// Passed it on.
    Repost,
    /// Answered it.
    Reply,
    /// Passed it on with a comment.
    Quote,
    /// Opened its conversation.
    Click,
    /// Opened its author's profile.
    ProfileClick,
    /// Followed one of its links.
    LinkOpen,
    /// Opened one of its photos.
    PhotoExpand,
    /// Watched at least half of its video.
    VideoHalf,
    /// Sent it to somebody.
    Share,
    /// Kept it for later.
    Bookmark,
    /// Stayed with it for two minutes or more.
    Dwell,
    /// Asked for fewer of its kind, blocked or muted its author because of it.
    NegativeFeedback,
    /// Reported it.
    Report,
}

impl EngagementKind {
    /// All kinds, in the order in which they are counted and stored.
    pub const ALL: [Self; 14] = [
        Self::Favorite,
        Self::Repost,
        Self::Reply,
        Self::Quote,
        Self::Click,
        Self::ProfileClick,
        Self::LinkOpen,
        Self::PhotoExpand,
        Self::VideoHalf,
        Self::Share,
        Self::Bookmark,
        Self::Dwell,
        Self::NegativeFeedback,
        Self::Report,
    ];

    /// Position in [`EngagementKind::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in files, features and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Favorite => "favorite",
            Self::Repost => "repost",
            Self::Reply => "reply",
            Self::Quote => "quote",
            Self::Click => "click",
            Self::ProfileClick => "profile_click",
            Self::LinkOpen => "link_open",
            Self::PhotoExpand => "photo_expand",
            Self::VideoHalf => "video_half",
            Self::Share => "share",
            Self::Bookmark => "bookmark",
            Self::Dwell => "dwell",
            Self::NegativeFeedback => "negative_feedback",
            Self::Report => "report",
        }
    }
}

/// One engagement event: `user` did `kind` with `post`, written by `author`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engagement {
    /// Who engaged.
    pub user: UserId,
    /// With which post.
    pub post: PostId,
    /// The post's author.
    pub author: UserId,
    /// In which way.
    pub kind: EngagementKind,
    /// When.
    pub at: Millis,
}

/// One of the ten actions that the model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The viewer likes the post.
    Favorite,
    /// The viewer opens the conversation and likes or replies there.
    GoodClick,
    /// The viewer opens the conversation and stays for two minutes.
    GoodClickDwell,
    /// The viewer asks for fewer such posts, blocks or mutes.
    NegativeFeedback,
    /// The viewer opens the author's profile and engages there.
    GoodProfileClick,
    /// The viewer replies.
    Reply,
    /// The viewer replies and the author engages with the reply.
    ReplyEngagedByAuthor,
    /// The viewer reports the post.
    Report,
    /// The viewer reposts.
    Repost,
    /// The viewer watches half of the video.
    VideoHalf,
}

impl Task {
    /// Number of tasks.
    pub const COUNT: usize = 10;

    /// All tasks, in the order of the released model's configuration (its names sorted).
    pub const ALL: [Self; Self::COUNT] = [
        Self::Favorite,
        Self::GoodClick,
        Self::GoodClickDwell,
        Self::NegativeFeedback,
        Self::GoodProfileClick,
        Self::Reply,
        Self::ReplyEngagedByAuthor,
        Self::Report,
        Self::Repost,
        Self::VideoHalf,
    ];

    /// Position in [`Task::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The task's name in the model's configuration.
    pub fn label(self) -> &'static str {
        match self {
            Self::Favorite => "recap.engagement.is_favorited",
            Self::GoodClick => "recap.engagement.is_good_clicked_convo_desc_favorited_or_replied",
            Self::GoodClickDwell => "recap.engagement.is_good_clicked_convo_desc_v2",
            Self::NegativeFeedback => "recap.engagement.is_negative_feedback_v2",
            Self::GoodProfileClick => "recap.engagement.is_profile_clicked_and_profile_engaged",
            Self::Reply => "recap.engagement.is_replied",
            Self::ReplyEngagedByAuthor => "recap.engagement.is_replied_reply_engaged_by_author",
            Self::Report => "recap.engagement.is_report_tweet_clicked",
            Self::Repost => "recap.engagement.is_retweeted",
            Self::VideoHalf => "recap.engagement.is_video_playback_50",
        }
    }

    /// The short name in configuration files and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Favorite => "favorite",
            Self::GoodClick => "good_click",
            Self::GoodClickDwell => "good_click_dwell",
            Self::NegativeFeedback => "negative_feedback",
            Self::GoodProfileClick => "good_profile_click",
            Self::Reply => "reply",
            Self::ReplyEngagedByAuthor => "reply_engaged_by_author",
            Self::Report => "report",
            Self::Repost => "repost",
            Self::VideoHalf => "video_half",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_declared_orders() {
        for (position, kind) in EngagementKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), position, "{}", kind.name());
        }
        for (position, task) in Task::ALL.into_iter().enumerate() {
            assert_eq!(task.index(), position, "{}", task.name());
        }
        assert!(Task::ALL.windows(2).all(|pair| pair[0].label() < pair[1].label()), "labels are sorted");
    }
}
