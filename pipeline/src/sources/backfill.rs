//! The newest posts of followed accounts, unranked, for viewers who were away.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Post, PostCounts, PostId, Query, SourceKind, SuggestKind};
use crate::engine::{Failure, Scope, Source, scaled_limit};

/// Gives the newest posts and reposts of followed accounts, newest first; replies are left out.
pub struct Backfill {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// How many.
    pub max_results: usize,
}

component!(Backfill, "backfill", "the newest posts of followed accounts, newest first, without replies");

/// A post in a heap whose top is the oldest one kept.
struct Newest(PostId, Arc<Post>, PostCounts);

impl PartialEq for Newest {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Newest {}

impl PartialOrd for Newest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Newest {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[async_trait]
impl Source<Query, Candidate> for Backfill {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let limit = scaled_limit(self.max_results, scope.quality);
        let following = query.facts.following.get_or(Default::default());
        let mut newest = BinaryHeap::with_capacity(limit + 1);
        for author in following.iter() {
            self.posts.visit_by_author(author, &mut |post, counts| {
                let full = newest.len() >= limit;
                if full && newest.peek().is_none_or(|Reverse(Newest(oldest, ..))| post.id <= *oldest) {
                    return ControlFlow::Break(());
                }
                if !post.is_reply() {
                    newest.push(Reverse(Newest(post.id, Arc::clone(post), counts)));
                    if full {
                        newest.pop();
                    }
                }
                ControlFlow::Continue(())
            });
        }
        let found = newest.into_sorted_vec().into_iter();
        let suggest = SuggestKind::RankedOrganic;
        Ok(found
            .map(|Reverse(Newest(_, post, counts))| {
                Candidate::of(&post, counts, SourceKind::Backfill, suggest)
            })
            .collect())
    }

    fn why_not(&self, query: &Query, wanted: &Candidate) -> Option<String> {
        let post = wanted.post.get()?;
        Some(match () {
            () if !query.follows(post.author) => "the viewer does not follow its author".to_owned(),
            () if post.is_reply() => "it is a reply".to_owned(),
            () => format!("the viewer's network has {} newer posts", self.max_results),
        })
    }
}
