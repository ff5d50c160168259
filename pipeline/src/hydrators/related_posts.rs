//! The post itself where the source did not bring it, what it passes on, and what it quotes.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Feature, Post, PostCounts, Query};
use crate::engine::{Failure, Hydrator};

/// Reads the posts that a candidate consists of.
pub struct RelatedPosts {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
}

component!(RelatedPosts, "related_posts", "the post, what it passes on, what it quotes, and its counts");

/// The posts that a candidate consists of.
pub struct Related {
    post: Arc<Post>,
    original: Option<Arc<Post>>,
    quoted: Option<Arc<Post>>,
    counts: PostCounts,
    quoted_counts: PostCounts,
}

#[async_trait]
impl Hydrator<Query, Candidate> for RelatedPosts {
    type Output = Related;

    async fn hydrate(
        &self,
        _: &Query,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<Related, Failure>>, Failure> {
        Ok(candidates.iter().map(|candidate| self.related(candidate)).collect())
    }

    fn apply(&self, candidate: &mut Candidate, found: Result<Related, &Failure>) {
        match found {
            Ok(related) => {
                candidate.post = Feature::Value(related.post);
                candidate.original = Feature::Value(related.original);
                candidate.quoted = Feature::Value(related.quoted);
                candidate.counts = related.counts;
                candidate.quoted_counts = related.quoted_counts;
            }
            Err(_) => {
                candidate.post = Feature::Failed(None);
                candidate.original = Feature::Failed(None);
                candidate.quoted = Feature::Failed(None);
            }
        }
    }
}

impl RelatedPosts {
    fn related(&self, candidate: &Candidate) -> Result<Related, Failure> {
        let gone = || Failure::failed("related_posts", format_args!("post {} is gone", candidate.post_id));
        let (post, counts) = match candidate.post.value() {
            Some(post) => (Arc::clone(post), candidate.counts),
            None => self.posts.get(candidate.post_id).ok_or_else(gone)?,
        };
        let original = post.repost_of.and_then(|original| self.posts.get(original.id));
        // A reader sees the counts of what is passed on.
        let counts = original.as_ref().map_or(counts, |(_, counts)| *counts);
        let original = original.map(|(post, _)| post);
        let content = original.as_ref().unwrap_or(&post);
        let quoted = content.quotes.and_then(|quoted| self.posts.get(quoted.id));
        let quoted_counts = quoted.as_ref().map_or(PostCounts::default(), |(_, counts)| *counts);
        Ok(Related { post, original, quoted: quoted.map(|(post, _)| post), counts, quoted_counts })
    }
}
