//! What several test crates share.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part, and has no one to export to")]

use async_trait::async_trait;
use maskrank_pipeline::domain::{
    FeatureBatch, ModelInputs, Predictions, RequestColumns, ScorerClient, ScorerError, Task,
};

/// A hash of each candidate's features as the probability of a reply: every feature matters, and none means anything.
pub fn hashed(batch: &FeatureBatch) -> Vec<[f32; Task::COUNT]> {
    let width = batch.continuous.len().checked_div(batch.candidates).unwrap_or(0).max(1);
    let row = |features: &[f32]| {
        let hash = features.iter().fold(17_u64, |hash, value| {
            hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(value.to_bits()))
        });
        let mut row = [0.0; Task::COUNT];
        row[Task::Reply.index()] = (hash >> 40) as f32 / (1_u64 << 24) as f32;
        row
    };
    batch.continuous.chunks_exact(width).map(row).collect()
}

/// A model that answers with [`hashed`].
pub struct HashModel(pub RequestColumns);

#[async_trait]
impl ScorerClient for HashModel {
    fn inputs(&self) -> ModelInputs {
        ModelInputs::PRODUCTION
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.0
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        let rows = hashed(&batch);
        (batch, Ok(Predictions { rows }))
    }
}
