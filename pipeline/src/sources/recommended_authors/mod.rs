//! Recent posts of accounts that are recommended to the viewer.

mod accounts;

use std::ops::ControlFlow;
use std::time::Duration;

use async_trait::async_trait;

pub use accounts::{AccountReason, RecommendedAccount, recommend_accounts};

use super::LightRanker;
use crate::component;
use crate::config::{LightRankerConfig, RecommendedAuthorsConfig};
use crate::domain::stores::Stores;
use crate::domain::{Candidate, Post, Query, SourceKind, SuggestKind, best_first};
use crate::engine::{Failure, Scope, Source, scaled_limit};

/// Finds posts of recommended accounts: originals and quotes.
pub struct RecommendedAuthors {
    /// Everything that speaks for an account.
    pub stores: Stores,
    /// Limits, windows and weights.
    pub config: RecommendedAuthorsConfig,
    /// The light ranker.
    pub light_ranker: LightRankerConfig,
}

component!(RecommendedAuthors, "recommended_authors", "recent originals and quotes of accounts to follow");

#[async_trait]
impl Source<Query, Candidate> for RecommendedAuthors {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let limit = scaled_limit(self.config.max_results, scope.quality);
        let ranker = LightRanker::new(&self.light_ranker, query);
        let mut candidates = Vec::new();
        for account in
            recommend_accounts(&self.stores, &self.config.accounts, query, self.config.max_accounts)
        {
            let mut taken = 0;
            self.stores.posts.visit_by_author(account.user, &mut |post, counts| {
                if self.is_old(query, post) || taken == self.config.posts_per_account {
                    return ControlFlow::Break(());
                }
                if refusal(query, post).is_none() {
                    let (source, suggest) = (SourceKind::RecommendedAuthor, SuggestKind::RecommendedAuthor);
                    let mut candidate = Candidate::of(post, counts, source, suggest);
                    candidate.light_score = ranker.score(post, counts);
                    candidates.push(candidate);
                    taken += 1;
                }
                ControlFlow::Continue(())
            });
        }
        candidates.sort_by(|a, b| {
            best_first(a.light_score.into(), b.light_score.into()).then(b.post_id.cmp(&a.post_id))
        });
        candidates.truncate(limit);
        Ok(candidates)
    }

    fn why_not(&self, query: &Query, wanted: &Candidate) -> Option<String> {
        let (post, _) = self.stores.posts.get(wanted.post_id)?;
        let accounts =
            recommend_accounts(&self.stores, &self.config.accounts, query, self.config.max_accounts);
        if accounts.iter().all(|account| account.user != post.author) {
            return Some(format!("its author is not among the {} recommended accounts", accounts.len()));
        }
        if self.is_old(query, &post) {
            return Some("it is older than the source's window".to_owned());
        }
        let cut = || format!("newer or better posts were taken, {} in all", self.config.max_results);
        Some(refusal(query, &post).map_or_else(cut, ToOwned::to_owned))
    }
}

impl RecommendedAuthors {
    fn is_old(&self, query: &Query, post: &Post) -> bool {
        post.created_at < query.now - Duration::from_millis(self.config.max_age_ms)
    }
}

fn refusal(query: &Query, post: &Post) -> Option<&'static str> {
    let seen = query.facts.impressions.get().is_some_and(|seen| seen.contains(post.id));
    [
        (seen, "the viewer has seen it"),
        (post.is_repost(), "it is a repost"),
        (post.is_reply(), "it is a reply"),
        (post.created_at > query.now, "it is dated after now"),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why))
}
