//! Counts of engagements, cut many ways.

use crate::domain::{Cell, Decayed, EngagementKind, PostId, Rows, UserId};

/// Whose counts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TallyKey {
    /// What a person's posts received, and what the person gave.
    Person(UserId),
    /// What a post received.
    Post(PostId),
    /// What posts of a topic received, by [`crate::domain::topic_code`].
    Topic(u16),
    /// What posts of authors of a community received.
    Community(u32),
    /// What posts in a language received, by [`crate::domain::language_code`].
    Language(u16),
    /// What people of a country gave, by [`crate::domain::country_code`].
    Country(u16),
}

/// What one person did, in one way, with posts of one author that are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Given {
    /// The author.
    pub author: UserId,
    /// The community where the author is at home.
    pub community: Option<u32>,
    /// [`crate::domain::topic_code`] of the posts; 0 for none.
    pub topic: u16,
    /// [`crate::domain::language_code`] of the posts.
    pub language: u16,
    /// What else the posts are like.
    pub cell: Cell,
    /// In which way.
    pub kind: EngagementKind,
    /// How often.
    pub count: Decayed,
}

/// Counts of engagements: kept as they happen, and the same after a replay.
pub trait AggregateStore: Send + Sync {
    /// Shows the rows of each key to `visit`, with the key's position and ascending; nothing for a key of which nothing
    /// was ever counted.
    ///
    /// `visit` must not call the store: it may hold a lock.
    fn visit_tallies(&self, keys: &[TallyKey], visit: &mut dyn FnMut(usize, Rows<'_>));

    /// Shows everything that a person gave, author by author.
    fn visit_given(&self, by: UserId, visit: &mut dyn FnMut(&Given));

    /// Shows what each of several people gave to one author, with the person's position.
    fn visit_given_to(&self, author: UserId, by: &[UserId], visit: &mut dyn FnMut(usize, &Given));

    /// The community where a person is at home.
    fn home_community(&self, user: UserId) -> Option<u32>;
}
