//! Beginnings of posts for subscribers.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::config::PreviewsConfig;
use crate::domain::stores::{PostStore, UserStore};
use crate::domain::{Candidate, Post, PostId, Query, SourceKind, SuggestKind};
use crate::engine::{Failure, Scope, Source};
use crate::mixing::{Item, Shown};

/// Gives the newest posts for subscribers by creators whom the viewer follows and does not subscribe to, if their text
/// makes a beginning worth showing.
pub struct Previews {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Accounts.
    pub users: Arc<dyn UserStore>,
    /// Limits.
    pub config: PreviewsConfig,
}

component!(Previews, "previews", "beginnings of posts for subscribers by creators the viewer follows");

/// Most line breaks at the beginning, and how long that is in characters.
const MAX_BREAKS: usize = 2;
const BEGINNING: usize = 50;
/// Most posts of a creator that are looked at.
const SCAN: usize = 50;

#[async_trait]
impl Source<Query, Item> for Previews {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let following = query.facts.following.get_or(Default::default());
        let subscribed = query.facts.subscriptions.get_or(Default::default());
        let oldest = query.now - Duration::from_millis(self.config.max_age_ms);
        let served = self.served(query);
        let mut found = Vec::new();
        for creator in following.iter().filter(|&user| !subscribed.contains(user)) {
            if !self.users.get(creator).is_some_and(|user| user.is_creator && !user.is_withdrawn) {
                continue;
            }
            let mut scanned = 0;
            self.posts.visit_by_author(creator, &mut |post, counts| {
                scanned += 1;
                if post.created_at < oldest || scanned > SCAN {
                    return ControlFlow::Break(());
                }
                if post.created_at <= query.now && !served.contains(&post.id) && self.is_teaser(post) {
                    found.push((Arc::clone(post), counts));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
        }
        found.sort_by_key(|(post, _)| Reverse(post.id));
        let preview = |(post, counts)| {
            let candidate = Candidate::of(&post, counts, SourceKind::Named, SuggestKind::RankedTimeline);
            Item::Preview(Box::new(Shown::new(candidate)))
        };
        Ok(found.into_iter().take(self.config.max_previews).map(preview).collect())
    }
}

impl Previews {
    fn served(&self, query: &Query) -> Vec<PostId> {
        let since = query.now - Duration::from_millis(self.config.served_window_ms);
        let history = query.facts.history.get().map_or(&[][..], |history| history);
        let lately = history.iter().filter(|response| response.at >= since);
        lately.flat_map(|response| response.extras.previews.iter().copied()).collect()
    }

    fn is_teaser(&self, post: &Post) -> bool {
        let is_original = !post.is_repost() && !post.is_reply();
        let breaks = post.text.chars().take(BEGINNING).filter(|&letter| letter == '\n').count();
        let starts_with_link = ["http://", "https://"].iter().any(|start| post.text.starts_with(start));
        post.exclusive_author == Some(post.author)
            && is_original
            && post.text.chars().count() > self.config.min_chars
            && breaks <= MAX_BREAKS
            && !starts_with_link
    }
}
