//! Posts that were scored for the viewer lately.

use async_trait::async_trait;

use crate::component;
use crate::domain::{CachedPost, Candidate, Feature, Query, SourceKind};
use crate::engine::{Failure, Scope, Source};

/// Gives the cached posts with the scores they had.
pub struct Cached;

component!(
    Cached,
    "cached",
    "posts scored for the viewer within the cache's time to live, with their scores"
);

#[async_trait]
impl Source<Query, Candidate> for Cached {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let cached = query.facts.cached.get().map_or(&[][..], |cached| cached);
        Ok(cached.iter().map(candidate).collect())
    }

    fn why_not(&self, _query: &Query, _wanted: &Candidate) -> Option<String> {
        Some("the viewer's last requests left no score of it in the cache".to_owned())
    }
}

fn candidate(cached: &CachedPost) -> Candidate {
    let mut candidate = Candidate::new(cached.post_id, cached.author_id, SourceKind::Cached, cached.suggest);
    candidate.cached_source = Some(cached.source);
    candidate.model_score = Feature::Value(cached.model_score);
    candidate.probabilities = Feature::Value(cached.probabilities);
    candidate.score = cached.model_score;
    candidate.scored_at = Some(cached.scored_at);
    candidate
}
