//! Conversations that would not make sense.

use crate::component;
use crate::domain::Query;
use crate::engine::{Filter, Verdict};
use crate::mixing::Item;

/// Removes a conversation that is neither a reply under its parent, which starts the conversation, nor a reply under the
/// conversation's first post and one between the two.
pub struct SoundConversations;

component!(SoundConversations, "sound_conversations", "removes conversations with a hole in them");

impl Filter<Query, Item> for SoundConversations {
    fn judge(&self, _query: &Query, items: &[Item]) -> Vec<Verdict> {
        items.iter().map(|item| Verdict::remove_if(!is_valid(item), "hole_in_conversation")).collect()
    }
}

fn is_valid(item: &Item) -> bool {
    let Item::Conversation(thread) = item else { return true };
    match thread.posts.as_slice() {
        [head, last] => {
            let answers = last.candidate.post.get().and_then(|post| post.in_reply_to);
            !head.candidate.is_reply() && answers.is_some_and(|to| to.id == head.candidate.post_id)
        }
        [_, _, _] => true,
        _ => false,
    }
}
