//! Where candidates come from.

use async_trait::async_trait;

use super::{Component, Failure};

/// What a pipeline tells its source or selector beside the query.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a, C> {
    /// How much of the configured work to do, 0..=1: the pipeline's quality factor, 1 when it has none.
    pub quality: f64,
    /// Candidates of the pipelines before this one: all normal pipelines' for a dependent pipeline, none for a normal one.
    pub earlier: &'a [C],
}

impl<C> Scope<'_, C> {
    /// Full quality, nothing earlier.
    pub const FULL: Self = Self { quality: 1.0, earlier: &[] };

    /// A limit times the quality factor, at least 1 unless the limit is 0.
    pub fn limit(&self, configured: usize) -> usize {
        // A quality outside 0..=1 or NaN would come from a mistake; the clamp and the cast keep it harmless.
        let scaled = (configured as f64 * self.quality.clamp(0.0, 1.0)) as usize;
        scaled.max(configured.min(1))
    }
}

/// Finds candidates: asks for them, turns the answers into candidates, fills what the answers already say.
#[async_trait]
pub trait Source<Q, C>: Component {
    /// Finds candidates, best first where the source ranks.
    async fn fetch(&self, query: &Q, scope: Scope<'_, C>) -> Result<Vec<C>, Failure>;
}
