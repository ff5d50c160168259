//! What an engagement is counted by, beside who engaged, with what and in which way.

use std::time::Duration;

use super::{Language, Millis, Post, TopicId, User, ViewerSettings, ViewerState};

/// Characters from which a text counts as long.
const LONG_TEXT: usize = 100;

/// How a post relates to another, as far as counts tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Neither of the others.
    Original,
    /// Answers a post.
    Reply,
    /// Passes a post on with a comment.
    Quote,
}

/// What a post carries, as far as counts tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Neither photo nor video.
    Text,
    /// Photos.
    Photo,
    /// A video.
    Video,
}

/// What a post is like, in one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell(u8);

impl Cell {
    /// The cell of a post.
    pub fn of(post: &Post) -> Self {
        let form = if post.is_reply() { 1 } else { u8::from(post.quotes.is_some()) * 2 };
        let media = if post.media.video_ms.is_some() { 2 } else { u8::from(post.media.photos > 0) };
        let link = u8::from(!post.urls.is_empty());
        let long = u8::from(post.text.chars().nth(LONG_TEXT - 1).is_some());
        Self(form | media << 2 | link << 4 | long << 5)
    }

    /// How it relates to another post.
    pub fn form(self) -> Form {
        match self.0 & 3 {
            1 => Form::Reply,
            2 => Form::Quote,
            _ => Form::Original,
        }
    }

    /// What it carries.
    pub fn carries(self) -> Carries {
        match self.0 >> 2 & 3 {
            1 => Carries::Photo,
            2 => Carries::Video,
            _ => Carries::Text,
        }
    }

    /// The byte.
    pub fn code(self) -> u8 {
        self.0
    }

    /// The cell of a byte that [`Cell::code`] gave.
    pub fn from_code(code: u8) -> Self {
        Self(code)
    }

    /// Whether it has a link.
    pub fn has_link(self) -> bool {
        self.0 >> 4 & 1 == 1
    }

    /// Whether its text is long.
    pub fn is_long(self) -> bool {
        self.0 >> 5 & 1 == 1
    }
}

/// A post, as far as engagements with it are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostTraits {
    /// Form, media, link, length.
    pub cell: Cell,
    /// [`topic_code`].
    pub topic: u16,
    /// [`language_code`].
    pub language: u16,
}

impl PostTraits {
    /// The traits of a post.
    pub fn of(post: &Post) -> Self {
        let topic = post.topic.map_or(0, topic_code);
        Self { cell: Cell::of(post), topic, language: language_code(post.language) }
    }
}

/// Which share of people somebody belongs to by how often they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Seldom, or not known.
    Light,
    /// On most days.
    Medium,
    /// Every day.
    Heavy,
}

impl Habit {
    /// The habit of a viewer's state.
    pub fn of(state: ViewerState) -> Self {
        match state {
            ViewerState::MediumNonTweeter | ViewerState::MediumTweeter => Self::Medium,
            ViewerState::HeavyNonTweeter | ViewerState::HeavyTweeter => Self::Heavy,
            _ => Self::Light,
        }
    }
}

/// Everything an engagement is counted by, as of the moment at which it was recorded. Kept with it, because posts go,
/// people move and follows end, and a replay must count it as it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTraits {
    /// The post.
    pub post: PostTraits,
    /// Whether who engaged follows the author.
    pub follows: bool,
    /// How often who engaged is there.
    pub habit: Habit,
    /// [`country_code`] of who engaged.
    pub country: u16,
}

impl EventTraits {
    /// Traits of an engagement with a post by an account.
    pub fn new(post: PostTraits, follows: bool, account: Option<(&User, &ViewerSettings)>) -> Self {
        let habit = account.map_or(Habit::Light, |(_, settings)| Habit::of(settings.state));
        let country = account.map_or(0, |(user, _)| country_code(&user.country));
        Self { post, follows, habit, country }
    }

    /// The traits as one number; [`EventTraits::unpack`] reads it.
    pub fn pack(self) -> u64 {
        let engager = u64::from(self.follows) | (self.habit as u64) << 1;
        u64::from(self.post.cell.0)
            | engager << 8
            | u64::from(self.post.topic) << 16
            | u64::from(self.post.language) << 32
            | u64::from(self.country) << 48
    }

    /// Reads what [`EventTraits::pack`] wrote.
    pub fn unpack(packed: u64) -> Self {
        let habit = match packed >> 9 & 3 {
            1 => Habit::Medium,
            2 => Habit::Heavy,
            _ => Habit::Light,
        };
        let topic = (packed >> 16) as u16;
        let language = (packed >> 32) as u16;
        let post = PostTraits { cell: Cell(packed as u8), topic, language };
        Self { post, follows: packed >> 8 & 1 == 1, habit, country: (packed >> 48) as u16 }
    }
}

/// A topic in two bytes, never 0, which stands for none. Ids below 65,535 keep theirs; larger ones may share one.
pub fn topic_code(topic: TopicId) -> u16 {
    match u16::try_from(topic.0) {
        Ok(small) if small < u16::MAX => small.saturating_add(1),
        _ => ((topic.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16).max(1),
    }
}

/// A language's letters in two bytes: five bits each.
pub fn language_code(language: Language) -> u16 {
    letters(language.as_str())
}

/// A country's letters in two bytes; 0 when it is not known.
pub fn country_code(country: &str) -> u16 {
    letters(country)
}

fn letters(text: &str) -> u16 {
    let letter = |byte: u8| u16::from(byte.to_ascii_lowercase().wrapping_sub(b'a' - 1) & 31);
    text.bytes().take(3).fold(0, |code, byte| code << 5 | letter(byte))
}

/// Hour of the day and day of the week of a moment, in universal time; weeks begin on Thursday, as time did.
pub fn hour_and_weekday(at: Millis) -> (u16, u16) {
    const HOUR: i64 = Duration::from_secs(3_600).as_millis() as i64;
    let hours = at.0.div_euclid(HOUR);
    (hours.rem_euclid(24) as u16, hours.div_euclid(24).rem_euclid(7) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Media, PostId, PostRef, UserId};

    #[test]
    fn traits_survive_packing() {
        let parent = PostRef { id: PostId(1), author: UserId(1) };
        for (long, photos, video_ms, reply, quote) in
            [(true, 0, None, false, false), (false, 2, None, true, false), (false, 0, Some(5), false, true)]
        {
            let post = Post {
                text: if long { "x".repeat(LONG_TEXT) } else { "x".repeat(LONG_TEXT - 1) },
                media: Media { photos, video_ms },
                in_reply_to: reply.then_some(parent),
                quotes: quote.then_some(parent),
                topic: Some(TopicId(u64::MAX - 3)),
                language: Language::new("fil"),
                urls: if long { vec!["a".to_owned()] } else { Vec::new() },
                ..Post::default()
            };
            let cell = Cell::of(&post);
            assert_eq!((cell.is_long(), cell.has_link()), (long, long));
            assert_eq!(cell.form() == Form::Reply, reply);
            assert_eq!(cell.form() == Form::Quote, quote);
            assert_eq!(cell.carries() == Carries::Photo, photos > 0);
            assert_eq!(cell.carries() == Carries::Video, video_ms.is_some());
            for (follows, habit) in [(true, Habit::Heavy), (false, Habit::Medium), (true, Habit::Light)] {
                let traits =
                    EventTraits { post: PostTraits::of(&post), follows, habit, country: country_code("zw") };
                assert_eq!(EventTraits::unpack(traits.pack()), traits);
            }
        }
    }

    #[test]
    fn codes_tell_apart_what_is_different() {
        assert_ne!(country_code("de"), country_code("fr"));
        assert_eq!(country_code("DE"), country_code("de"));
        assert_eq!(country_code(""), 0);
        assert_ne!(topic_code(TopicId(0)), 0, "0 stands for none");
        assert_ne!(topic_code(TopicId(1)), topic_code(TopicId(2)));
        assert_eq!(hour_and_weekday(Millis(0)), (0, 0));
        assert_eq!(hour_and_weekday(Millis(-1)), (23, 6));
        assert_eq!(hour_and_weekday(Millis(9 * 86_400_000 + 5 * 3_600_000)), (5, 2));
    }
}
