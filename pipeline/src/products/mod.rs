//! What a caller can ask for: declared lists of components, nothing else.

mod for_you;
mod response;
mod scored_posts;

#[cfg(test)]
mod tests;

pub use for_you::{ForYou, for_you};
pub use response::{ServedPost, TimelineResponse};
use scored_posts::MODEL_SCORING;
pub use scored_posts::scored_posts;
