//! Entries: what stands in a client's list.

use serde::{Serialize, Serializer};

use super::post::PostItem;
use super::social_context::{Icon, Person};
use crate::domain::PostId;

/// One entry of a client's list. Higher sort indexes stand further up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// `namespace-id`, unique in the timeline: an entry with a known id takes the known one's place.
    pub entry_id: String,
    /// Where it stands. A string in JSON.
    #[serde(serialize_with = "as_string")]
    pub sort_index: i64,
    /// What it is.
    pub content: Content,
}

fn as_string<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// A post.
    Post(Box<PostItem>),
    /// A post that somebody pays for.
    Ad(Box<AdItem>),
    /// The beginning of a post for subscribers, shown to somebody who is none.
    Preview(Box<PostItem>),
    /// Several items that belong together.
    Module(Box<Module>),
    /// A message to the reader.
    Prompt(Prompt),
    /// A place to go on from.
    Cursor {
        /// In which direction.
        kind: CursorKind,
        /// What the client sends back, unread.
        value: String,
    },
}

/// In which direction a cursor leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CursorKind {
    /// To what is newer than the page.
    Top,
    /// To what is older than the page.
    Bottom,
    /// To what is older than the page and newer than what the client already has.
    Gap,
}

/// A post that somebody pays for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AdItem {
    /// The post.
    pub post: PostItem,
    /// Names this showing of the ad.
    pub impression_id: String,
    /// What the reader is told.
    pub disclosure: &'static str,
    /// Who pays.
    pub advertiser: Person,
}

/// Several items that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Module {
    /// How they are arranged.
    pub display: Display,
    /// What stands above them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<&'static str>,
    /// The items, in order.
    pub items: Vec<ModuleItem>,
    /// For a conversation: all of it, beyond what is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationMetadata>,
    /// What the reader can say about the module: keys of the response's actions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<String>,
    /// What the client reports with the module's events.
    pub client_event: ClientEvent,
}

/// How a module's items are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    /// One below the other, joined by a line.
    VerticalConversation,
    /// One below the other.
    Vertical,
}

/// The conversation that a module shows a part of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConversationMetadata {
    /// All its posts up to the newest one shown, oldest first.
    pub all_post_ids: Vec<PostId>,
    /// Whether the client leaves out posts of the module that it shows elsewhere.
    pub enable_deduplication: bool,
}

/// One item of a module.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModuleItem {
    /// The module's entry id, the item's namespace and id.
    pub entry_id: String,
    /// What it is.
    pub content: ItemContent,
}

/// What a module's item is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ItemContent {
    /// A post.
    Post(Box<PostItem>),
    /// An account.
    User {
        /// The account.
        user: Person,
        /// Why it is there.
        #[serde(skip_serializing_if = "Option::is_none")]
        social_context: Option<super::SocialContext>,
        /// What the client reports with the item's events.
        client_event: ClientEvent,
    },
}

/// A message to the reader, between the entries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prompt {
    /// Its name.
    pub id: String,
    /// What it says.
    pub title: String,
    /// What it says below that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What the reader can say about it: keys of the response's actions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<String>,
    /// What the client reports with its events.
    pub client_event: ClientEvent,
}

/// A message to the reader, over the entries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cover {
    /// `half-cover-id` or `full-cover-id`.
    pub entry_id: String,
    /// Whether it covers everything.
    pub is_full: bool,
    /// What it says.
    pub prompt: Prompt,
}

/// A pill above the entries: there is something new.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// `show-alert-` and the sort index.
    pub entry_id: String,
    /// After how many milliseconds it comes.
    pub trigger_delay_ms: i64,
    /// For how many milliseconds it stays; −1 until it is used.
    pub display_duration_ms: i64,
    /// Where it stands.
    pub location: AlertLocation,
    /// Its icon.
    pub icon: Icon,
    /// What it says.
    pub text: &'static str,
    /// Whose pictures it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Person>,
}

/// Where a pill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertLocation {
    /// Above the entries.
    Top,
}

/// What a client reports with events about an entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClientEvent {
    /// As what it was suggested, or which module or prompt it is.
    pub component: &'static str,
    /// What kind of thing it is.
    pub element: &'static str,
    /// Its place among the page's entries, from 0, cursors aside.
    pub position: usize,
    /// What is true of it and of the response, by name, in alphabetical order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traits: Vec<&'static str>,
}
