//! Posts of followed accounts: search, light ranking, cut.
//!
//! For every followed account, strongest ties first, the newest posts within the window are read; what the viewer must
//! not or need not see of them is left out. The rest is ordered newest first over all accounts, where no account gets
//! more than two places in a row, ranked by the light ranker, and cut to twice the wanted number. Then duplicate reposts
//! go and the better half stays. At last the posts that the survivors reply to are added, for their conversations.

mod light_ranker;
mod search;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

pub use light_ranker::LightRanker;

use crate::component;
use crate::config::InNetworkConfig;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Query, SourceKind, SuggestKind, best_first};
use crate::engine::{Failure, Scope, Source, scaled_limit};

/// Finds posts of followed accounts.
pub struct InNetwork {
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Limits and windows.
    pub config: InNetworkConfig,
}

component!(
    InNetwork,
    "in_network",
    "posts of followed accounts, searched newest first and cut by the light ranker"
);

#[async_trait]
impl Source<Query, Candidate> for InNetwork {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let limit = scaled_limit(self.config.max_results, scope.quality);
        let hits = search::search(&*self.posts, &self.config, query);
        let ranker = LightRanker::new(&self.config.light_ranker, query);
        let mut candidates: Vec<Candidate> = hits
            .into_iter()
            .map(|hit| {
                let suggest = SuggestKind::RankedTimeline;
                let mut candidate = Candidate::of(&hit.post, hit.counts, SourceKind::InNetwork, suggest);
                candidate.is_extended_reply = hit.is_extended_reply;
                candidate.light_score = ranker.score(&hit.post, hit.counts);
                candidate
            })
            .collect();
        cut(&mut candidates, limit.saturating_mul(self.config.oversample));
        drop_duplicate_reposts(&mut candidates);
        cut(&mut candidates, limit);
        let parents = self.parents(&candidates);
        candidates.extend(parents);
        Ok(candidates)
    }

    fn why_not(&self, query: &Query, wanted: &Candidate) -> Option<String> {
        let post = wanted.post.get()?;
        let outside = search::refusal(&self.config, query, post);
        let hits = || search::search(&*self.posts, &self.config, query);
        Some(match outside {
            Some(why) => why.to_owned(),
            None if hits().iter().all(|hit| hit.post.id != post.id) => {
                "too many newer posts of its author, in all or in a row".to_owned()
            }
            None => format!(
                "its light score is not among the best {}, or a newer repost of it is",
                self.config.max_results
            ),
        })
    }
}

/// Keeps the `limit` best by light score, best first; equal ones newest first.
fn cut(candidates: &mut Vec<Candidate>, limit: usize) {
    candidates.sort_by(|a, b| {
        best_first(a.light_score.into(), b.light_score.into()).then(b.post_id.cmp(&a.post_id))
    });
    candidates.truncate(limit);
}

/// Of several reposts of one post only the newest stays, and none beside the post itself.
fn drop_duplicate_reposts(candidates: &mut Vec<Candidate>) {
    let mut newest_first: Vec<usize> = (0..candidates.len()).collect();
    newest_first.sort_by_key(|&index| std::cmp::Reverse(candidates[index].post_id));
    let natives =
        candidates.iter().filter(|candidate| !candidate.is_repost()).map(|candidate| candidate.post_id);
    let mut shown: HashSet<_> = natives.collect();
    let mut duplicate = vec![false; candidates.len()];
    for index in newest_first {
        let candidate = &candidates[index];
        duplicate[index] = candidate.is_repost() && !shown.insert(candidate.original_id());
    }
    let mut flags = duplicate.into_iter();
    candidates.retain(|_| !flags.next().unwrap_or(false));
}

impl InNetwork {
    /// The posts that candidates reply to, each once and only where it is not itself a candidate.
    fn parents(&self, candidates: &[Candidate]) -> Vec<Candidate> {
        let mut known: HashSet<_> = candidates.iter().map(|candidate| candidate.post_id).collect();
        let replies = candidates.iter().filter_map(|candidate| candidate.post.get()?.in_reply_to);
        let missing =
            replies.filter(|parent| known.insert(parent.id)).filter_map(|parent| self.posts.get(parent.id));
        let parent = |(post, counts)| {
            let mut candidate =
                Candidate::of(&post, counts, SourceKind::InNetwork, SuggestKind::RankedTimeline);
            candidate.is_source_post = true;
            candidate
        };
        missing.map(parent).collect()
    }
}
