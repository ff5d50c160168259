//! The model: features in, probabilities and their weighted sum out.

use std::sync::Arc;

use async_trait::async_trait;

use super::WeightedSum;
use crate::component;
use crate::domain::{Candidate, Feature, Millis, Query, ScorerClient, Task};
use crate::engine::{Failure, Hydrator, Scorer};
use crate::features::{BatchPool, FeaturePlan};

/// Computes the features that the model reads, asks it once for all candidates, and weighs its answer.
pub struct Model {
    /// The features.
    pub plan: Arc<FeaturePlan>,
    /// The model.
    pub client: Arc<dyn ScorerClient>,
    /// The weights.
    pub sum: WeightedSum,
    /// Memory of batches that were scored.
    pub batches: BatchPool,
}

component!(Model, "model", "features, one batched call to the model, weighted sum of its probabilities");

/// What the model says of one candidate.
pub struct Scored {
    probabilities: [f32; Task::COUNT],
    score: f64,
    at: Millis,
}

impl Scorer<Query, Candidate> for Model {}

#[async_trait]
impl Hydrator<Query, Candidate> for Model {
    type Output = Scored;

    async fn hydrate(
        &self,
        query: &Query,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<Scored, Failure>>, Failure> {
        let mut batch = self.batches.take();
        self.plan.fill(query, candidates, &mut batch);
        let (batch, answer) = self.client.score(batch).await;
        self.batches.give_back(batch);
        let rows = answer.map_err(|error| Failure::failed("model", error))?.rows;
        if rows.len() != candidates.len() {
            let problem =
                format!("the model answered {} rows for {} candidates", rows.len(), candidates.len());
            return Err(Failure::failed("model", problem));
        }
        let scored = |probabilities: [f32; Task::COUNT]| {
            Ok(Scored { score: self.sum.score(&probabilities), probabilities, at: query.now })
        };
        Ok(rows.into_iter().map(scored).collect())
    }

    fn apply(&self, candidate: &mut Candidate, scored: Result<Scored, &Failure>) {
        match scored {
            Ok(scored) => {
                candidate.probabilities = Feature::Value(scored.probabilities);
                candidate.model_score = Feature::Value(scored.score);
                candidate.score = scored.score;
                candidate.scored_at = Some(scored.at);
            }
            Err(_) => {
                candidate.probabilities = Feature::Failed(Some([0.0; Task::COUNT]));
                candidate.model_score = Feature::Failed(Some(0.0));
            }
        }
    }
}
