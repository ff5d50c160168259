//! Posts near to what the viewer engaged with, belongs to and reads.
//!
//! Signals are the viewer's own communities, posts that the viewer engaged with lately, and authors: the strongest ties and
//! those of the signals. Each asks the index of communities for its nearest posts; the answers are taken in turns, one
//! post of each signal after the other, each post once, without what is old, seen, followed, a reply or the viewer's own.

mod search;

use std::sync::Arc;

use async_trait::async_trait;

use search::Search;
pub use search::nearest;

use super::LightRanker;
use crate::component;
use crate::config::{LightRankerConfig, SimilarConfig};
use crate::domain::stores::{EmbeddingStore, EngagementGraph, PostStore, RetrievalIndex};
use crate::domain::{
    Candidate, EngagementKind, IdHashSet, Post, PostId, Query, SourceKind, SparseEmbedding, SuggestKind,
    UserId,
};
use crate::engine::{Failure, Scope, Source, scaled_limit};
use crate::features::families::strongest_followed;

/// Finds posts by communities.
pub struct Similar {
    /// The index of communities.
    pub index: Arc<dyn RetrievalIndex>,
    /// Embeddings of users and posts.
    pub embeddings: Arc<dyn EmbeddingStore>,
    /// The viewer's recent engagements.
    pub engagements: Arc<dyn EngagementGraph>,
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Limits and thresholds.
    pub config: SimilarConfig,
    /// The light ranker.
    pub light_ranker: LightRankerConfig,
}

component!(
    Similar,
    "similar",
    "posts near to the viewer's communities, recent engagements and authors, taken in turns"
);

/// What is searched for, and from which cosine on.
struct Signal {
    embedding: SparseEmbedding,
    least: f32,
}

#[async_trait]
impl Source<Query, Candidate> for Similar {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let limit = scaled_limit(self.config.max_results, scope.quality);
        let own = self.own(query);
        let mut search = Search::new(&*self.index, &self.config.search, query.now);
        let most = self.config.max_per_signal;
        let mut answer = |signal: &Signal| search.nearest(&signal.embedding, signal.least, most);
        let answers: Vec<Vec<(PostId, f32)>> = self.signals(query).iter().map(&mut answer).collect();
        let ranker = LightRanker::new(&self.light_ranker, query);
        let mut candidates = Vec::with_capacity(limit);
        for (id, cosine) in in_turns(&answers) {
            if candidates.len() == limit {
                break;
            }
            let Some((post, counts)) = self.posts.get(id) else { continue };
            if self.refusal(query, &own, &post).is_some() {
                continue;
            }
            let mut candidate =
                Candidate::of(&post, counts, SourceKind::Similar, SuggestKind::SimilarContent);
            candidate.light_score = cosine + ranker.score(&post, counts);
            candidates.push(candidate);
        }
        Ok(candidates)
    }

    fn why_not(&self, query: &Query, wanted: &Candidate) -> Option<String> {
        let (post, _) = self.posts.get(wanted.post_id)?;
        if let Some(why) = self.refusal(query, &self.own(query), &post) {
            return Some(why.to_owned());
        }
        let signals = self.signals(query);
        let embedding = self.embeddings.post_communities(post.id).unwrap_or_default();
        let nearest = signals.iter().map(|signal| (signal.embedding.cosine(&embedding), signal.least));
        let best = nearest.max_by(|a, b| (a.0 - a.1).total_cmp(&(b.0 - b.1)));
        Some(match best {
            None => "the viewer has no communities and no signals".to_owned(),
            Some((cosine, least)) if cosine < least => {
                format!("its best cosine to a signal is {cosine:.3}, of at least {least:.3}")
            }
            Some((cosine, _)) => format!(
                "near enough ({cosine:.3}), but older than the search's window or not among the {} that were taken in turns",
                self.config.max_results
            ),
        })
    }
}

impl Similar {
    fn signals(&self, query: &Query) -> Vec<Signal> {
        let config = &self.config;
        let mut signals = Vec::new();
        let mut add = |embedding: Option<SparseEmbedding>, least: f32| {
            signals.extend(embedding.map(|embedding| Signal { embedding, least }));
        };
        add(self.embeddings.user_communities(query.viewer), config.min_interest);
        let recent = self.recent(query);
        let mut met = IdHashSet::default();
        for (post, _) in recent.iter().take(config.max_signals) {
            add(self.embeddings.post_communities(*post), config.min_post);
        }
        let authors = recent.iter().filter_map(|(post, _)| Some(self.posts.get(*post)?.0.author));
        let ties = strongest_followed(query, config.max_producers).into_iter().map(|(user, _)| user);
        let producers: Vec<UserId> =
            ties.chain(authors.take(config.max_producers)).filter(|user| met.insert(*user)).collect();
        for producer in producers {
            add(self.embeddings.user_communities(producer), config.min_producer);
        }
        signals
    }

    /// The posts that the viewer engaged with kindly in the last 24 hours, newest first, each once.
    fn recent(&self, query: &Query) -> Vec<(PostId, EngagementKind)> {
        use EngagementKind as Kind;
        let unkind = [Kind::NegativeFeedback, Kind::Report];
        let mut met = IdHashSet::default();
        let edges = self.engagements.of_user(query.viewer, usize::MAX).into_iter();
        edges
            .filter(|edge| edge.at <= query.now && !unkind.contains(&edge.kind) && met.insert(edge.post))
            .map(|edge| (edge.post, edge.kind))
            .collect()
    }

    fn own(&self, query: &Query) -> IdHashSet<PostId> {
        let own = self.engagements.of_user(query.viewer, usize::MAX);
        own.into_iter().map(|edge| edge.post).collect()
    }

    fn refusal(&self, query: &Query, own: &IdHashSet<PostId>, post: &Post) -> Option<&'static str> {
        let seen = query.facts.impressions.get().is_some_and(|seen| seen.contains(post.id));
        [
            (post.author == query.viewer, "the viewer wrote it"),
            (query.follows(post.author), "the viewer follows its author"),
            (query.avoids(post.author), "viewer and author avoid each other"),
            (own.contains(&post.id), "the viewer engaged with it already"),
            (seen, "the viewer has seen it"),
            (post.is_repost(), "it is a repost"),
            (post.is_reply() && !self.config.replies, "it is a reply"),
            (post.created_at > query.now, "it is dated after now"),
        ]
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why))
    }
}

/// One entry of each list after the other, each post once, where it comes first.
fn in_turns(lists: &[Vec<(PostId, f32)>]) -> impl Iterator<Item = (PostId, f32)> + '_ {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut met = IdHashSet::default();
    (0..longest)
        .flat_map(|place| lists.iter().filter_map(move |list| list.get(place)))
        .copied()
        .filter(move |(post, _)| met.insert(*post))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_in_turns_and_posts_once() {
        let list = |ids: &[u64]| ids.iter().map(|id| (PostId(*id), 0.0)).collect::<Vec<_>>();
        let lists = [list(&[1, 2, 3]), list(&[]), list(&[2, 4]), list(&[1, 5, 6, 7])];
        let order: Vec<u64> = in_turns(&lists).map(|(post, _)| post.0).collect();
        assert_eq!(order, [1, 2, 4, 5, 3, 6, 7]);
        assert_eq!(in_turns(&[]).count(), 0);
    }
}
