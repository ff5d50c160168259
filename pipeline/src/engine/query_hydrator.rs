//! Finding out more about a query.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Component, Failure};

/// Finds out something about the viewer or the request.
#[async_trait]
pub trait QueryHydrator<Q>: Component {
    /// What it finds.
    type Output: Send + 'static;

    /// Whether it runs for this query.
    fn enabled(&self, query: &Q) -> bool {
        let _ = query;
        true
    }

    /// Finds it. Hydrators of one phase run at once: none sees what another of its phase found.
    async fn hydrate(&self, query: &Q) -> Result<Self::Output, Failure>;

    /// Writes what was found, or that it failed, into its own fields of the query and nowhere else.
    fn apply(&self, query: &mut Q, found: Result<Self::Output, &Failure>);
}

/// What a hydrator wants to change in the query.
pub(super) type QueryUpdate<Q> = Box<dyn FnOnce(&mut Q) + Send>;

/// A query hydrator whose output type is forgotten, so that different ones fit into one list.
#[async_trait]
pub trait AnyQueryHydrator<Q>: Component {
    #[doc(hidden)]
    fn is_enabled(&self, query: &Q) -> bool;
    #[doc(hidden)]
    async fn run(self: Arc<Self>, query: Arc<Q>) -> Result<QueryUpdate<Q>, Failure>;
    #[doc(hidden)]
    fn fail(&self, query: &mut Q, failure: &Failure);
}

#[async_trait]
impl<Q: Send + Sync + 'static, T: QueryHydrator<Q>> AnyQueryHydrator<Q> for T {
    fn is_enabled(&self, query: &Q) -> bool {
        self.enabled(query)
    }

    async fn run(self: Arc<Self>, query: Arc<Q>) -> Result<QueryUpdate<Q>, Failure> {
        let found = self.hydrate(&query).await?;
        Ok(Box::new(move |query| self.apply(query, Ok(found))))
    }

    fn fail(&self, query: &mut Q, failure: &Failure) {
        self.apply(query, Err(failure));
    }
}
