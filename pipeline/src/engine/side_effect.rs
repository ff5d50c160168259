//! What happens because a response was given.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Component, Failure, Removed};

/// When a side effect runs, and what its failure means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// After the response, in the background; its failure is only counted.
    #[default]
    Background,
    /// Before the response; its failure is only counted.
    BlockingFailOpen,
    /// Before the response; its failure fails the request.
    Blocking,
}

/// What was served, for side effects to work with.
#[derive(Debug)]
pub struct Served<Q, C> {
    /// The query, with everything that was hydrated.
    pub query: Arc<Q>,
    /// The result, in order.
    pub selected: Vec<C>,
    /// What was scored or fetched but not selected, and why.
    pub removed: Vec<Removed<C>>,
}

/// Does something because a response was given: remembers what was served, fills a cache.
#[async_trait]
pub trait SideEffect<Q, C>: Component {
    /// When it runs.
    fn mode(&self) -> Mode {
        Mode::Background
    }

    /// Whether it runs for this response.
    fn enabled(&self, served: &Served<Q, C>) -> bool {
        let _ = served;
        true
    }

    /// Says, before the response, what the viewer's next request must not miss: a matter of this process's memory,
    /// where `run` may take its time.
    fn announce(&self, served: &Served<Q, C>) {
        let _ = served;
    }

    /// Does it.
    async fn run(&self, served: &Served<Q, C>) -> Result<(), Failure>;
}
