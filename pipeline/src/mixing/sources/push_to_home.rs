//! The post of a notification that the reader opened.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Query, SourceKind, SuggestKind};
use crate::engine::{Failure, Scope, Source};
use crate::mixing::{Item, Reason, Shown};
use crate::timeline::ContextKind;

/// Gives the notification's post, to stand first.
pub struct PushToHome {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
}

component!(PushToHome, "push_to_home", "the post of a notification that the reader opened");

#[async_trait]
impl Source<Query, Item> for PushToHome {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let post = query.request.push_to_home.and_then(|id| self.posts.get(id));
        let item = |(post, counts)| {
            let candidate = Candidate::of(&post, counts, SourceKind::Named, SuggestKind::RankedTimeline);
            let mut shown = Shown::new(candidate);
            shown.is_pinned = true;
            shown.reason = Some(Reason::plain(ContextKind::Notification));
            Item::Post(Box::new(shown))
        };
        Ok(post.map(item).into_iter().collect())
    }
}
