//! What a caller can ask for: declared lists of components, nothing else.

mod chronological;
mod for_you;
mod parts;
mod response;
mod scored_posts;

#[cfg(test)]
mod tests;

pub(crate) use chronological::{following, list, subscribed};
pub(crate) use for_you::declare_for_you;
pub use for_you::{ForYou, for_you};
pub(crate) use parts::{Names, Parts};
pub use response::{ServedPost, TimelineResponse};
use scored_posts::MODEL_SCORING;
pub use scored_posts::scored_posts;

/// How many posts up a reply's conversation is followed.
pub(crate) const MAX_ANCESTORS: usize = 10;
