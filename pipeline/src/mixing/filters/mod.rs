//! What removes items, one file each.

mod each_post_once;
mod sound_conversations;

pub use each_post_once::EachPostOnce;
pub use sound_conversations::SoundConversations;
