//! The viewer's strongest ties.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::RealGraph;
use crate::domain::{Feature, Query, RealGraphScores};
use crate::engine::{Failure, QueryHydrator};

/// Reads the viewer's strongest ties.
pub struct StrongestTies {
    /// Ties.
    pub real_graph: Arc<dyn RealGraph>,
    /// How many.
    pub limit: usize,
}

component!(StrongestTies, "strongest_ties", "the accounts the viewer has most to do with");

#[async_trait]
impl QueryHydrator<Query> for StrongestTies {
    type Output = RealGraphScores;

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        Ok(self.real_graph.strongest(query.viewer, self.limit))
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        query.facts.real_graph =
            found.map_or(Feature::Failed(None), |scores| Feature::Value(Arc::new(scores)));
    }
}
