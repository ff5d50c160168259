//! Where candidates come from.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Component, Failure, Run};

/// What a pipeline tells its source beside the query.
pub struct Scope<'a, C> {
    /// How much of the configured work to do, 0..=1: the pipeline's quality factor times its parent's, each 1
    /// when there is none.
    pub quality: f64,
    /// Candidates of the pipelines before this one: all normal pipelines' for a dependent pipeline, none for a normal one.
    pub earlier: &'a [C],
    /// The request's run, for a source that asks another pipeline.
    pub run: &'a Arc<Run>,
}

/// A limit times a quality factor, at least 1 unless the limit is 0.
pub fn scaled_limit(configured: usize, quality: f64) -> usize {
    // A quality outside 0..=1 or NaN would come from a mistake; the clamp and the cast keep it harmless.
    let scaled = (configured as f64 * quality.clamp(0.0, 1.0)) as usize;
    scaled.max(configured.min(1))
}

/// Finds candidates: asks for them, turns the answers into candidates, fills what the answers already say.
#[async_trait]
pub trait Source<Q, C>: Component {
    /// Finds candidates, best first where the source ranks.
    async fn fetch(&self, query: &Q, scope: Scope<'_, C>) -> Result<Vec<C>, Failure>;

    /// Why it did not find a candidate that somebody asks about, in words, as of this query; none when it cannot tell.
    fn why_not(&self, query: &Q, wanted: &C) -> Option<String> {
        let _ = (query, wanted);
        None
    }
}
