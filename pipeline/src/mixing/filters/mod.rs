//! What removes items, one file each.

mod each_post_once;
mod valid_conversations;

pub use each_post_once::EachPostOnce;
pub use valid_conversations::ValidConversations;
