//! The seam's implementation: the library's own scorer, in this process.

use std::sync::Arc;

use async_trait::async_trait;
use maskrank::{
    Batch, Binary, Columns, Features, Model, Outputs, Request, ScoreOptions, Scorer, ScorerBuilder, Scores,
    Split,
};

use crate::domain::{
    FeatureBatch, ModelInputs, Predictions, RequestColumns, ScorerClient, ScorerError, Task,
};
use crate::features::Registry;

/// A scorer of the library, called on a thread that may block.
#[derive(Clone)]
pub struct ModelClient {
    scorer: Arc<Scorer>,
    inputs: ModelInputs,
    request_columns: RequestColumns,
    /// For each of the model's tasks its place in [`Task::ALL`], where it has one.
    places: Arc<[Option<usize>]>,
}

/// What a model reads, of a registry's features.
pub fn inputs_of(model: &Model) -> ModelInputs {
    let widths = model.widths();
    ModelInputs {
        continuous: widths.continuous,
        binary: widths.binary,
        user_embedding: widths.user_embedding,
        user_engagement_embedding: widths.user_eng_embedding,
        author_embedding: widths.author_embedding,
    }
}

impl ModelClient {
    /// Makes a model ready for a registry's features: what is the same for all candidates of a request is given once.
    /// `settings` chooses backend, precision and limits.
    ///
    /// # Errors
    /// No backend takes the model with these settings.
    pub fn new(
        model: &Model,
        registry: &Registry,
        settings: impl FnOnce(ScorerBuilder) -> ScorerBuilder,
    ) -> maskrank::Result<Self> {
        let inputs = inputs_of(model);
        let request_columns = registry.request_columns(inputs);
        let split = Split {
            continuous: request_columns.continuous.clone(),
            binary: request_columns.binary.clone(),
            embeddings: [inputs.user_embedding > 0, inputs.user_engagement_embedding > 0, false],
        };
        let scorer = settings(Scorer::builder(model)).split(split).build()?;
        let place = |label: &String| Task::ALL.into_iter().position(|task| task.label() == label.as_str());
        let places = scorer.tasks().iter().map(place).collect();
        Ok(Self { scorer: Arc::new(scorer), inputs, request_columns, places })
    }

    /// The scorer.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// Scores in parts of as many candidates as the scorer takes at once.
    fn score_now(&self, batch: &FeatureBatch) -> maskrank::Result<Predictions> {
        let weights = vec![0.0; self.places.len()];
        let outputs = Outputs { calibrated_probabilities: true, ..Outputs::default() };
        let options = ScoreOptions::new(&weights).with_outputs(outputs);
        let mut scores = Scores::default();
        let mut rows = Vec::with_capacity(batch.candidates);
        let width = |total: usize| total / batch.candidates.max(1);
        let (continuous, binary, author) =
            (width(batch.continuous.len()), width(batch.binary.len()), width(batch.author_embedding.len()));
        let mut first = 0;
        while first < batch.candidates {
            let last = batch.candidates.min(first + self.scorer.max_candidates());
            let request = Request {
                candidates: last - first,
                request: Columns {
                    continuous: Features::F32(&batch.request_continuous),
                    binary: Binary::Numbers(&batch.request_binary),
                    user_embedding: Features::F32(&batch.user_embedding),
                    user_eng_embedding: Features::F32(&batch.user_engagement_embedding),
                    author_embedding: Features::default(),
                },
                candidate: Columns {
                    continuous: Features::F32(&batch.continuous[first * continuous..last * continuous]),
                    binary: Binary::Numbers(&batch.binary[first * binary..last * binary]),
                    author_embedding: Features::F32(&batch.author_embedding[first * author..last * author]),
                    ..Columns::default()
                },
            };
            self.scorer.score(Batch { requests: &[request] }, &options, &mut scores)?;
            rows.extend(
                scores
                    .calibrated_probabilities
                    .chunks_exact(self.places.len().max(1))
                    .map(|row| self.row(row)),
            );
            first = last;
        }
        Ok(Predictions { rows })
    }

    /// Probabilities in the order of [`Task::ALL`]; a task that the model does not have is 0.
    fn row(&self, probabilities: &[f32]) -> [f32; Task::COUNT] {
        let mut row = [0.0; Task::COUNT];
        for (place, &probability) in self.places.iter().zip(probabilities) {
            if let Some(place) = *place {
                row[place] = probability;
            }
        }
        row
    }
}

#[async_trait]
impl ScorerClient for ModelClient {
    fn inputs(&self) -> ModelInputs {
        self.inputs
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.request_columns
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        let client = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            let answer = client.score_now(&batch);
            (batch, answer)
        });
        match work.await {
            Ok((batch, answer)) => (batch, answer.map_err(|error| ScorerError::Refused(error.to_string()))),
            // The batch is lost with the panic; an empty one takes its place.
            Err(joined) => (FeatureBatch::default(), Err(ScorerError::Unavailable(joined.to_string()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ManualClock;
    use crate::features::{FeaturePlan, families};
    use crate::testing::{MemoryStores, NOW, candidate, post, query};

    /// Ten tasks, 24 continuous, 8 binary, three embeddings of 16.
    const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/serial");

    #[tokio::test]
    async fn parts_and_request_columns_do_not_change_what_the_model_says() {
        let (model, _) = Model::open_case(CASE).expect("the case opens");
        let stores = MemoryStores::with_users([1, 10, 11, 12]);
        let registry = Arc::new(Registry::new(families::all(&stores.stores())).expect("fits"));
        let whole =
            ModelClient::new(&model, &registry, |builder| builder.max_candidates(100)).expect("built");
        let in_parts =
            ModelClient::new(&model, &registry, |builder| builder.max_candidates(3)).expect("built");
        let clock = Arc::new(ManualClock::new(NOW));
        let plan = FeaturePlan::new(registry, whole.inputs(), whole.request_columns(), stores, clock)
            .expect("laid out");
        let candidates: Vec<_> = (0..10).map(|place| candidate(&post(10 + place % 3, 7 * place))).collect();
        let mut batch = FeatureBatch::default();
        plan.fill(&query(&[10]), &candidates, &mut batch);
        let (batch, first) = whole.score(batch).await;
        let (_, second) = in_parts.score(batch).await;
        let (first, second) = (first.expect("scored"), second.expect("scored"));
        assert_eq!(first, second, "to the bit");
        assert_eq!(first.rows.len(), 10);
        assert!(first.rows.iter().flatten().all(|p| (0.0..=1.0).contains(p)), "{:?}", first.rows);
        assert!(
            first.rows.iter().any(|row| row != &first.rows[0]),
            "different posts, different probabilities"
        );
    }

    #[tokio::test]
    async fn a_batch_that_does_not_fit_is_refused_and_comes_back() {
        let (model, _) = Model::open_case(CASE).expect("the case opens");
        let stores = MemoryStores::with_users([]);
        let registry = Registry::new(families::all(&stores.stores())).expect("fits");
        let client = ModelClient::new(&model, &registry, |builder| builder).expect("built");
        let broken = FeatureBatch { candidates: 2, continuous: vec![0.0; 3], ..FeatureBatch::default() };
        let (batch, answer) = client.score(broken.clone()).await;
        assert_eq!(batch, broken);
        assert!(matches!(answer, Err(ScorerError::Refused(_))), "{answer:?}");
    }
}
