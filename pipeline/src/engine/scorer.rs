//! Scoring candidates.

use std::sync::Arc;

use async_trait::async_trait;

use super::hydrator::Updates;
use super::{Component, Failure};

/// Scores candidates, a whole batch at once. Scorers of one pipeline run at once on the same candidates.
#[async_trait]
pub trait Scorer<Q, C>: Component {
    /// What it says of one candidate.
    type Output: Send + 'static;

    /// Whether it runs for this query and these candidates.
    fn enabled(&self, query: &Q, candidates: &[C]) -> bool {
        let _ = (query, candidates);
        true
    }

    /// Scores: one answer for each candidate, in order. An answer may be a failure of that candidate alone.
    async fn score(&self, query: &Q, candidates: &[C])
    -> Result<Vec<Result<Self::Output, Failure>>, Failure>;

    /// Writes the score, or that it failed, into its own fields of the candidate and nowhere else.
    fn apply(&self, candidate: &mut C, scored: Result<Self::Output, &Failure>);
}

/// A scorer whose output type is forgotten, so that different ones fit into one list.
#[async_trait]
pub trait AnyScorer<Q, C>: Component {
    #[doc(hidden)]
    fn is_enabled(&self, query: &Q, candidates: &[C]) -> bool;
    #[doc(hidden)]
    async fn run(self: Arc<Self>, query: Arc<Q>, candidates: Arc<Vec<C>>) -> Result<Updates<C>, Failure>;
    #[doc(hidden)]
    fn fail(&self, candidate: &mut C, failure: &Failure);
}

#[async_trait]
impl<Q: Send + Sync + 'static, C: Send + Sync + 'static, T: Scorer<Q, C>> AnyScorer<Q, C> for T {
    fn is_enabled(&self, query: &Q, candidates: &[C]) -> bool {
        self.enabled(query, candidates)
    }

    async fn run(self: Arc<Self>, query: Arc<Q>, candidates: Arc<Vec<C>>) -> Result<Updates<C>, Failure> {
        let scored = self.score(&query, &candidates).await?;
        let failed = scored.iter().filter(|answer| answer.is_err()).count();
        let (len, write) = (scored.len(), move |candidates: &mut [C]| {
            for (candidate, answer) in candidates.iter_mut().zip(scored) {
                match answer {
                    Ok(value) => self.apply(candidate, Ok(value)),
                    Err(failure) => self.apply(candidate, Err(&failure)),
                }
            }
        });
        Ok(Updates { len, failed, write: Box::new(write) })
    }

    fn fail(&self, candidate: &mut C, failure: &Failure) {
        self.apply(candidate, Err(failure));
    }
}
