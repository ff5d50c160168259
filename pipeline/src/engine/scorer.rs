//! Scoring candidates.

use super::{AnyHydrator, Hydrator};

/// A hydrator whose answers are scores: it sees a whole batch at once, says one score for each candidate, and writes it, or
/// that there is none, into its own fields. Scorers of one pipeline run at once on the same candidates, as the hydrators of
/// a phase do; being one is a promise of its own, so that no hydrator gets into a list of scorers by mistake.
pub trait Scorer<Q, C>: Hydrator<Q, C> {}

/// A scorer whose output type is forgotten, so that different ones fit into one list.
pub trait AnyScorer<Q, C>: AnyHydrator<Q, C> {}

impl<Q: Send + Sync + 'static, C: Send + Sync + 'static, T: Scorer<Q, C>> AnyScorer<Q, C> for T {}
