//! What a mixer mixes: posts, conversations, ads, modules, prompts and pills, each one candidate of the mixer's pipelines.

use std::sync::Arc;

use crate::domain::{Candidate, PostId, TimelineKind, TopicId, User, UserId};
use crate::timeline::{ActionKind, ContextKind};

/// One item on its way through a mixer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item {
    /// A post.
    Post(Box<Shown>),
    /// A reply under the posts it answers.
    Conversation(Box<Thread>),
    /// A post that somebody pays for.
    Ad(Box<AdSlot>),
    /// Accounts to follow or to subscribe to.
    People(Box<People>),
    /// The beginning of a post for subscribers.
    Preview(Box<Shown>),
    /// A newer version of a post that the client has.
    Edited {
        /// The version that it has.
        replaces: PostId,
        /// The newest version.
        shown: Box<Shown>,
    },
    /// A message to the reader.
    Prompt(Arc<PromptText>),
    /// A pill that says that there is something new.
    Pill(Pill),
}

/// A post with how it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The post.
    pub candidate: Candidate,
    /// Why it is there.
    pub reason: Option<Reason>,
    /// What the reader can say about it.
    pub offers: Vec<Offer>,
    /// Whether it was in a notification that the reader opened: it stands first.
    pub is_pinned: bool,
    /// Whether its source has older posts beyond it, which it did not give.
    pub more_below: bool,
}

/// A reply and what it answers.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Root, parent and reply, as far as shown: two or three, oldest first.
    pub posts: Vec<Shown>,
    /// All posts above the reply, oldest first.
    pub above: Vec<PostId>,
}

/// Why a post is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What kind of reason.
    pub kind: ContextKind,
    /// The accounts that are named.
    pub named: Vec<UserId>,
    /// How many more there are.
    pub others: usize,
    /// The topic, for a reason that is one.
    pub topic: Option<TopicId>,
}

/// Something that the reader can say about a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What.
    pub kind: ActionKind,
    /// About which account.
    pub about: UserId,
    /// In which way the account brought the post: as its author or as who passed it on.
    pub through: crate::domain::FeedbackKind,
}

/// An ad, chosen for this request.
#[derive(Clone, Debug)]
pub struct AdSlot {
    /// The ad.
    pub ad: Arc<crate::domain::Ad>,
    /// Its post.
    pub shown: Shown,
    /// Names this showing.
    pub impression: u64,
}

/// Which accounts a module suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeopleKind {
    /// To follow.
    Follow,
    /// To subscribe to.
    Subscribe,
}

impl PeopleKind {
    /// The module's name in entry ids, dismissals and history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Follow => "who-to-follow",
            Self::Subscribe => "who-to-subscribe",
        }
    }

    /// What stands above the module.
    pub fn header(self) -> &'static str {
        match self {
            Self::Follow => "Who to follow",
            Self::Subscribe => "Creators to subscribe to",
        }
    }
}

/// Accounts to follow or to subscribe to.
#[derive(Clone, Debug)]
pub struct People {
    /// Which.
    pub kind: PeopleKind,
    /// The accounts, best first, each with accounts of the viewer's network that follow it.
    pub people: Vec<(Arc<User>, Vec<UserId>)>,
}

/// How a prompt is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptForm {
    /// Between the entries.
    #[default]
    Inline,
    /// Over half of the screen.
    HalfCover,
    /// Over all of it.
    FullCover,
}

/// A message to the reader.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptText {
    /// Its name, in lower-case letters, digits and hyphens: a reader who dismissed it does not see it again.
    pub id: String,
    /// How it is shown.
    pub form: PromptForm,
    /// In which timelines; in all, when there is none.
    pub timelines: Vec<String>,
    /// What it says.
    pub title: String,
    /// What it says below that.
    pub body: String,
}

impl PromptText {
    /// Whether it belongs into a timeline.
    pub fn is_for(&self, timeline: TimelineKind) -> bool {
        self.timelines.is_empty() || self.timelines.iter().any(|name| name == timeline.name())
    }
}

/// A pill that says that there is something new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pill {
    /// After how many milliseconds it comes.
    pub delay_ms: i64,
}

/// How many accounts a reason names; the others are counted.
const NAMED: usize = 2;

impl Reason {
    /// A reason that is people, if there are any.
    pub fn of_people(kind: ContextKind, people: &[UserId]) -> Option<Self> {
        // With one more than can be named, one is named and the others are counted: "A and 2 others".
        let named = if people.len() > NAMED { 1 } else { people.len() };
        let (named, others) = (people[..named].to_vec(), people.len() - named);
        (!named.is_empty()).then_some(Self { kind, named, others, topic: None })
    }

    /// A reason that names nobody.
    pub fn plain(kind: ContextKind) -> Self {
        Self { kind, named: Vec::new(), others: 0, topic: None }
    }
}

impl Shown {
    /// A post that nothing is said about yet.
    pub fn new(candidate: Candidate) -> Self {
        Self { candidate, reason: None, offers: Vec::new(), is_pinned: false, more_below: false }
    }
}

impl Item {
    /// A post that nothing is said about yet.
    pub fn post(candidate: Candidate) -> Self {
        Self::Post(Box::new(Shown::new(candidate)))
    }

    /// The posts that a reader sees as part of the timeline, oldest first in a conversation: neither ads nor previews.
    pub fn posts(&self) -> &[Shown] {
        match self {
            Self::Post(shown) => std::slice::from_ref(&**shown),
            Self::Conversation(thread) => &thread.posts,
            _ => &[],
        }
    }

    /// The post that the item is there for: of a conversation the last one.
    pub fn focal(&self) -> Option<&Shown> {
        self.posts().last()
    }

    /// All posts in it, ads, previews and edits included.
    pub fn all_posts(&self) -> &[Shown] {
        match self {
            Self::Ad(slot) => std::slice::from_ref(&slot.shown),
            Self::Preview(shown) | Self::Edited { shown, .. } => std::slice::from_ref(&**shown),
            _ => self.posts(),
        }
    }

    /// The same, to be changed.
    pub fn all_posts_mut(&mut self) -> &mut [Shown] {
        match self {
            Self::Post(shown) | Self::Preview(shown) | Self::Edited { shown, .. } => {
                std::slice::from_mut(&mut **shown)
            }
            Self::Conversation(thread) => &mut thread.posts,
            Self::Ad(slot) => std::slice::from_mut(&mut slot.shown),
            Self::People(_) | Self::Prompt(_) | Self::Pill(_) => &mut [],
        }
    }

    /// What it is ranked by: of a conversation its last post's score.
    pub fn score(&self) -> f64 {
        self.focal().map_or(0.0, |shown| shown.candidate.score)
    }

    /// What kind of item it is.
    pub fn kind(&self) -> ItemKind {
        match self {
            Self::Post(_) | Self::Conversation(_) => ItemKind::Post,
            Self::Ad(_) => ItemKind::Ad,
            Self::People(people) => ItemKind::People(people.kind),
            Self::Preview(_) => ItemKind::Preview,
            Self::Edited { .. } => ItemKind::Edited,
            Self::Prompt(_) => ItemKind::Prompt,
            Self::Pill(_) => ItemKind::Pill,
        }
    }
}

/// Kinds of items: what selectors choose by. A conversation counts as a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// A post or a conversation.
    Post,
    /// An ad.
    Ad,
    /// Accounts to follow or to subscribe to.
    People(PeopleKind),
    /// A preview.
    Preview,
    /// A newer version of a post.
    Edited,
    /// A prompt.
    Prompt,
    /// A pill.
    Pill,
}
