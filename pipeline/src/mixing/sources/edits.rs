//! Newer versions of posts that the client has.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::config::EditsConfig;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, PageKind, PostId, Query, SourceKind, SuggestKind};
use crate::engine::{Failure, Scope, Source};
use crate::mixing::{Item, Shown};

/// Looks at what was served since, and with, the latest first page, within the time in which posts can be edited, and
/// gives the newest version of every post that was edited since, unless the client was told before.
pub struct Edits {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Limits.
    pub config: EditsConfig,
}

component!(Edits, "edits", "newer versions of posts that the client has");

#[async_trait]
impl Source<Query, Item> for Edits {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let stale = self.of_client(query);
        let edit = |id: PostId| {
            let newest = self.posts.newest_version(id)?;
            let (post, counts) = self.posts.get(newest)?;
            let candidate = Candidate::of(&post, counts, SourceKind::Named, SuggestKind::RankedTimeline);
            Some(Item::Edited { replaces: id, shown: Box::new(Shown::new(candidate)) })
        };
        Ok(stale.into_iter().filter_map(edit).take(self.config.max_replacements).collect())
    }
}

impl Edits {
    /// Posts that the client has, newest response first, each once, without those that it was told a newer version of.
    fn of_client(&self, query: &Query) -> Vec<PostId> {
        let history = query.facts.history.get().map_or(&[][..], |history| history);
        let Some(newest) = history.first() else { return Vec::new() };
        let since = newest.at - Duration::from_millis(self.config.window_ms);
        let mut responses = Vec::new();
        for response in history.iter().take_while(|response| response.at >= since) {
            responses.push(response);
            if response.page == PageKind::Initial {
                break;
            }
        }
        let mut met: HashSet<PostId> =
            responses.iter().flat_map(|response| response.extras.replaced.iter().copied()).collect();
        let posts = responses.iter().flat_map(|response| response.posts.iter().map(|(id, _)| *id));
        posts.filter(|&id| met.insert(id)).collect()
    }
}
