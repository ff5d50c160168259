//! Posts of the members of the viewer's lists.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::LightRanker;
use crate::component;
use crate::config::{LightRankerConfig, ListsConfig};
use crate::domain::stores::{ListStore, PostStore};
use crate::domain::{Candidate, Post, PostCounts, Query, SourceKind, SuggestKind};
use crate::engine::{Failure, Gate, Scope, Source, scaled_limit};

/// Finds the newest originals and quotes of each list, newest first, list after list.
pub struct ListPosts {
    /// Lists.
    pub lists: Arc<dyn ListStore>,
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Limits.
    pub config: ListsConfig,
    /// The light ranker.
    pub light_ranker: LightRankerConfig,
}

component!(ListPosts, "list_posts", "the newest originals and quotes of the members of the viewer's lists");

#[async_trait]
impl Source<Query, Candidate> for ListPosts {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let limit = scaled_limit(self.config.posts_per_list, scope.quality);
        let ranker = LightRanker::new(&self.light_ranker, query);
        let mut met = HashSet::new();
        let mut candidates = Vec::new();
        for list in query.facts.lists.get().iter().flat_map(|lists| lists.iter()) {
            let Some(list) = self.lists.get(*list) else { continue };
            let mut newest: Vec<(Arc<Post>, PostCounts)> = Vec::new();
            for member in list.members.iter().filter(|member| **member != query.viewer) {
                let mut taken = 0;
                self.posts.visit_by_author(*member, &mut |post, counts| {
                    if self.is_old(query, post) || taken == limit {
                        return ControlFlow::Break(());
                    }
                    if refusal(query, post).is_none() {
                        newest.push((Arc::clone(post), counts));
                        taken += 1;
                    }
                    ControlFlow::Continue(())
                });
            }
            newest.sort_by_key(|(post, _)| std::cmp::Reverse(post.id));
            for (post, counts) in newest.into_iter().take(limit).filter(|(post, _)| met.insert(post.id)) {
                let mut candidate = Candidate::of(&post, counts, SourceKind::List, SuggestKind::RankedList);
                candidate.light_score = ranker.score(&post, counts);
                candidates.push(candidate);
            }
        }
        Ok(candidates)
    }

    fn why_not(&self, query: &Query, wanted: &Candidate) -> Option<String> {
        let (post, _) = self.posts.get(wanted.post_id)?;
        let lists = query.facts.lists.get();
        let is_member = lists
            .iter()
            .flat_map(|lists| lists.iter())
            .any(|list| self.lists.get(*list).is_some_and(|list| list.members.contains(&post.author)));
        if !is_member {
            return Some("its author is on none of the viewer's lists".to_owned());
        }
        if self.is_old(query, &post) {
            return Some("it is older than the source's window".to_owned());
        }
        let cut = || format!("the list has {} newer posts", self.config.posts_per_list);
        Some(refusal(query, &post).map_or_else(cut, ToOwned::to_owned))
    }
}

impl ListPosts {
    fn is_old(&self, query: &Query, post: &Post) -> bool {
        post.created_at < query.now - Duration::from_millis(self.config.max_age_ms)
    }
}

fn refusal(query: &Query, post: &Post) -> Option<&'static str> {
    [
        (post.author == query.viewer, "the viewer wrote it"),
        (post.is_repost(), "it is a repost"),
        (post.is_reply(), "it is a reply"),
        (post.created_at > query.now, "it is dated after now"),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why))
}

/// Open when the viewer owns or reads a list.
pub struct HasLists;

component!(HasLists, "has_lists", "open when the viewer owns or reads a list");

impl<C> Gate<Query, C> for HasLists {
    fn is_open(&self, query: &Query, _earlier: &[C]) -> bool {
        query.facts.lists.get().is_some_and(|lists| !lists.is_empty())
    }
}
