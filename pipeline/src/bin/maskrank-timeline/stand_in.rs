//! A stand-in for the model that costs next to nothing: to measure the funnel without the model's own time.

use async_trait::async_trait;
use maskrank_pipeline::domain::{
    FeatureBatch, ModelInputs, Predictions, RequestColumns, ScorerClient, ScorerError, Task,
};
use maskrank_pipeline::features::Registry;

/// Takes the light ranker's score for the probability of a like, and knows of nothing else.
pub(crate) struct StandIn {
    inputs: ModelInputs,
    request_columns: RequestColumns,
    /// The light score's column in the candidates' matrix.
    column: usize,
}

impl StandIn {
    pub(crate) fn new(registry: &Registry, inputs: ModelInputs) -> Self {
        let request_columns = registry.request_columns(inputs);
        let slot =
            registry.continuous_names().iter().position(|name| name == "source.light_score").unwrap_or(0);
        let above: usize = request_columns
            .continuous
            .iter()
            .filter(|range| range.end <= slot)
            .map(|range| range.len())
            .sum();
        Self { inputs, request_columns, column: slot - above }
    }
}

#[async_trait]
impl ScorerClient for StandIn {
    fn inputs(&self) -> ModelInputs {
        self.inputs
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.request_columns
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        let width = batch.continuous.len().checked_div(batch.candidates).unwrap_or(0).max(1);
        let row = |features: &[f32]| {
            let mut row = [0.0; Task::COUNT];
            row[Task::Favorite.index()] = features[self.column];
            row
        };
        let rows = batch.continuous.chunks_exact(width).map(row).collect();
        (batch, Ok(Predictions { rows }))
    }
}
