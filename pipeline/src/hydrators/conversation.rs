//! What a reply stands under.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Conversation, Feature, Query};
use crate::engine::{Failure, Hydrator};

/// Follows replies up to the start of the conversation, as far as the posts are stored.
pub struct Conversations {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// How many posts up it goes at most.
    pub max_ancestors: usize,
}

component!(Conversations, "conversations", "the posts a reply stands under, nearest first");

#[async_trait]
impl Hydrator<Query, Candidate> for Conversations {
    type Output = Conversation;

    async fn hydrate(
        &self,
        _: &Query,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<Conversation, Failure>>, Failure> {
        Ok(candidates.iter().map(|candidate| Ok(self.of(candidate))).collect())
    }

    fn apply(&self, candidate: &mut Candidate, found: Result<Conversation, &Failure>) {
        candidate.conversation = found.map_or(Feature::Failed(None), Feature::Value);
    }
}

impl Conversations {
    /// What a candidate stands under.
    pub fn of(&self, candidate: &Candidate) -> Conversation {
        let mut ancestors = Vec::new();
        let mut parent = candidate.post.get().and_then(|post| post.in_reply_to);
        while let Some(up) = parent.filter(|_| ancestors.len() < self.max_ancestors) {
            ancestors.push((up.id, up.author));
            parent = self.posts.get(up.id).and_then(|(post, _)| post.in_reply_to);
        }
        Conversation { ancestors }
    }
}
