//! Posts of some accounts, newest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;

use super::conversations::open_conversations;
use crate::component;
use crate::config::ChronologicalConfig;
use crate::domain::stores::{ListStore, PostStore};
use crate::domain::{
    Candidate, Cursor, Feature, IdSet, Post, PostCounts, PostId, Query, SourceKind, SuggestKind,
    TimelineKind, UserId,
};
use crate::engine::{Failure, Scope, Source};
use crate::hydrators::Conversations;
use crate::mixing::Item;

/// Whose posts.
#[derive(Clone)]
pub enum Whose {
    /// The viewer's and those of accounts that the viewer follows.
    Followed,
    /// Those of the members of the list that is asked for.
    Members(Arc<dyn ListStore>),
    /// Posts for subscribers, of accounts that the viewer subscribes to.
    Subscribed,
}

/// Gives the newest posts between the cursor's edges, newest first, replies under what they answer.
///
/// Replies, and posts addressed to somebody, are given only when that somebody is one of the accounts as well: what
/// accounts say to strangers is not for everybody who follows them.
pub struct Chronological {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Whose posts.
    pub whose: Whose,
    /// Limits.
    pub config: ChronologicalConfig,
}

component!(
    Chronological,
    "chronological",
    "the newest posts of accounts, newest first, replies under what they answer"
);

/// A post in a heap whose top is the oldest one kept.
struct Found(PostId, Arc<Post>, PostCounts);

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The newest posts, newest first, and whether there are more within the edges.
struct Newest {
    posts: Vec<(Arc<Post>, PostCounts)>,
    has_more: bool,
}

#[async_trait]
impl Source<Query, Item> for Chronological {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let limit = query.request.max_results.unwrap_or(self.config.max_results).min(self.config.max_results);
        let accounts = self.accounts(query)?;
        let found = self.newest(query, &accounts, limit);
        let conversations =
            Conversations { posts: Arc::clone(&self.posts), max_ancestors: crate::products::MAX_ANCESTORS };
        let candidate = |(post, counts): (Arc<Post>, PostCounts)| {
            let mut candidate =
                Candidate::of(&post, counts, SourceKind::Chronological, SuggestKind::Chronological);
            candidate.conversation = Feature::Value(conversations.of(&candidate));
            candidate
        };
        let candidates = found.posts.into_iter().map(candidate).collect();
        let mut items = open_conversations(&*self.posts, query, candidates);
        if let Some(shown) = items.last_mut().and_then(|item| item.all_posts_mut().last_mut()) {
            shown.more_below = found.has_more;
        }
        Ok(items)
    }
}

impl Chronological {
    fn accounts(&self, query: &Query) -> Result<IdSet<UserId>, Failure> {
        let unknown = || Failure::failed("chronological", "the viewer's relations are not known");
        let facts = &query.facts;
        let limit = self.config.max_authors;
        Ok(match &self.whose {
            Whose::Followed => {
                let following = facts.following.get().ok_or_else(unknown)?;
                following.iter().take(limit).chain([query.viewer]).collect()
            }
            Whose::Subscribed => facts.subscriptions.get().ok_or_else(unknown)?.iter().take(limit).collect(),
            Whose::Members(lists) => {
                let TimelineKind::List(id) = query.request.timeline else {
                    return Err(Failure::rejected("chronological", "no list is asked for"));
                };
                let list = lists.get(id);
                let list =
                    list.ok_or_else(|| Failure::rejected("chronological", format_args!("no list {id}")))?;
                list.members.into_iter().take(limit).collect()
            }
        })
    }

    fn newest(&self, query: &Query, accounts: &IdSet<UserId>, limit: usize) -> Newest {
        // Both edges are posts that the client has; neither is given again.
        let (above, below) = match query.request.cursor {
            None => (PostId(0), PostId(u64::MAX)),
            Some(Cursor::Top { newest }) => (newest, PostId(u64::MAX)),
            Some(Cursor::Bottom { oldest }) => (PostId(0), oldest),
            // The client has what is newer than the upper edge and older than the lower one.
            Some(Cursor::Gap { newest, oldest }) => (oldest, newest),
        };
        let mut newest: BinaryHeap<Reverse<Found>> = BinaryHeap::with_capacity(limit + 1);
        let mut has_more = false;
        for author in accounts.iter() {
            self.posts.visit_by_author(author, &mut |post, counts| {
                if post.id <= above {
                    return ControlFlow::Break(());
                }
                // What is dated after "now" is no post of this moment.
                if post.id >= below || post.created_at > query.now || !self.is_for_all(query, accounts, post)
                {
                    return ControlFlow::Continue(());
                }
                let is_full = newest.len() >= limit;
                if is_full && newest.peek().is_none_or(|Reverse(oldest)| post.id <= oldest.0) {
                    has_more = true;
                    return ControlFlow::Break(());
                }
                newest.push(Reverse(Found(post.id, Arc::clone(post), counts)));
                if is_full {
                    newest.pop();
                    has_more = true;
                }
                ControlFlow::Continue(())
            });
        }
        let posts =
            newest.into_sorted_vec().into_iter().map(|Reverse(Found(_, post, counts))| (post, counts));
        Newest { posts: posts.collect(), has_more }
    }

    /// Whether a post is meant for everybody who reads these accounts.
    fn is_for_all(&self, query: &Query, accounts: &IdSet<UserId>, post: &Post) -> bool {
        let is_near = |user: UserId| user == query.viewer || accounts.contains(user);
        let addressed = post.in_reply_to.map(|to| to.author).into_iter().chain(post.directed_at);
        if !addressed.into_iter().all(is_near) {
            return false;
        }
        !matches!(self.whose, Whose::Subscribed)
            || post.exclusive_author.is_some_and(|author| accounts.contains(author))
    }
}
