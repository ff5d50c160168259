//! Timelines as callers ask for them and clients carry them out.
//!
//! A [`TimelineRequest`] names a timeline, a viewer and perhaps a cursor; the [`Home`] facade answers it with a
//! [`Timeline`]: instructions over entries, ids as strings, ready to be written as JSON. Cursors and feedback actions
//! are sealed for their viewer ([`crate::sealed`]).

mod cursor;
mod entry;
mod error;
mod feedback;
mod home;
mod marshal;
mod post;
mod request;
mod response;
mod social_context;
#[cfg(test)]
mod tests;

pub use cursor::{CursorCodec, Place};
pub use entry::{
    AdItem, Alert, AlertLocation, ClientEvent, Content, ConversationMetadata, Cover, CursorKind, Display,
    Entry, ItemContent, Module, ModuleItem, Prompt,
};
pub use error::TimelineError;
pub use feedback::{ActionKind, Deed, FeedbackAction};
pub use home::{Answer, Home, HomeParts};
pub(crate) use marshal::Marshaller;
pub use post::{PostItem, PostView, Reference};
pub use request::{Client, TimelineRequest};
pub use response::{Direction, Instruction, Timeline};
pub use social_context::{ContextKind, Icon, Person, SocialContext};
