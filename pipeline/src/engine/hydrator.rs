//! Finding out more about candidates.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Component, Failure};

/// Finds out something about each candidate.
#[async_trait]
pub trait Hydrator<Q, C>: Component {
    /// What it finds for one candidate.
    type Output: Send + 'static;

    /// Whether it runs for this query and these candidates.
    fn enabled(&self, query: &Q, candidates: &[C]) -> bool {
        let _ = (query, candidates);
        true
    }

    /// Finds it: one answer for each candidate, in order. An answer may be a failure of that candidate alone.
    async fn hydrate(
        &self,
        query: &Q,
        candidates: &[C],
    ) -> Result<Vec<Result<Self::Output, Failure>>, Failure>;

    /// Writes what was found, or that it failed, into its own fields of the candidate and nowhere else.
    fn apply(&self, candidate: &mut C, found: Result<Self::Output, &Failure>);
}

/// Writes answers into candidates.
type CandidateUpdate<C> = Box<dyn FnOnce(&mut [C]) + Send>;

/// What a hydrator wants to change in the candidates.
#[doc(hidden)]
pub struct Updates<C> {
    /// For how many candidates it answered.
    pub(super) len: usize,
    /// For how many of them it failed.
    pub(super) failed: usize,
    /// Writes the answers; the slice has `len` candidates.
    pub(super) write: CandidateUpdate<C>,
}

/// A hydrator whose output type is forgotten, so that different ones fit into one list.
#[async_trait]
pub trait AnyHydrator<Q, C>: Component {
    #[doc(hidden)]
    fn is_enabled(&self, query: &Q, candidates: &[C]) -> bool;
    #[doc(hidden)]
    async fn run(self: Arc<Self>, query: Arc<Q>, candidates: Arc<Vec<C>>) -> Result<Updates<C>, Failure>;
    #[doc(hidden)]
    fn fail(&self, candidate: &mut C, failure: &Failure);
}

#[async_trait]
impl<Q: Send + Sync + 'static, C: Send + Sync + 'static, T: Hydrator<Q, C>> AnyHydrator<Q, C> for T {
    fn is_enabled(&self, query: &Q, candidates: &[C]) -> bool {
        self.enabled(query, candidates)
    }

    async fn run(self: Arc<Self>, query: Arc<Q>, candidates: Arc<Vec<C>>) -> Result<Updates<C>, Failure> {
        let found = self.hydrate(&query, &candidates).await?;
        let failed = found.iter().filter(|answer| answer.is_err()).count();
        let (len, write) = (found.len(), move |candidates: &mut [C]| {
            for (candidate, answer) in candidates.iter_mut().zip(found) {
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
