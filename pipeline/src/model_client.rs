//! The seam's implementation: the library's own scorer, in this process.
//!
//! Requests of concurrent viewers are scored together: each goes to the library's batching scorer as a job over its own
//! memory, waits there for others for a short delay at most, and gets the bits it would have got alone.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use maskrank::batching::{Job, OwnedBinary, OwnedColumns, OwnedFeatures, OwnedRequest, Ticket, Values};
use maskrank::{BatchingScorer, LiveScorer, Model, Outputs, Scorer, ScorerBuilder, Split};

use crate::domain::{
    FeatureBatch, ModelInputs, Predictions, RequestColumns, ScorerClient, ScorerError, Task,
};
use crate::features::Registry;

/// A batching scorer of the library.
#[derive(Clone)]
pub struct ModelClient {
    scorer: Arc<BatchingScorer>,
    inputs: ModelInputs,
    request_columns: RequestColumns,
    /// Whether what candidates share is given once.
    is_split: bool,
    /// For each of the model's tasks its place in [`Task::ALL`], where it has one.
    places: Arc<[Option<usize>]>,
    /// A weight of 0 for each task: the pipeline weighs the probabilities itself.
    weights: Arc<[f32]>,
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
        Self::build(settings(Scorer::builder(model)).split(split), inputs, request_columns, true)
    }

    /// The same with another delay than a millisecond: how long a request may wait for others to be scored with it.
    ///
    /// # Errors
    /// As [`ModelClient::new`], or the delay is too long to be meant.
    pub fn with_delay(mut self, delay: Duration) -> maskrank::Result<Self> {
        self.scorer = Arc::new(BatchingScorer::builder(self.scorer.live()).delay(delay).build()?);
        Ok(self)
    }

    /// Makes a model ready that is given every column for each candidate, as training records hold them: its scores have
    /// the bits that scoring the records gives. What candidates share is computed anew for each of them.
    ///
    /// # Errors
    /// As [`ModelClient::new`].
    pub fn for_each_candidate(
        model: &Model,
        settings: impl FnOnce(ScorerBuilder) -> ScorerBuilder,
    ) -> maskrank::Result<Self> {
        Self::build(settings(Scorer::builder(model)), inputs_of(model), RequestColumns::default(), false)
    }

    fn build(
        builder: ScorerBuilder,
        inputs: ModelInputs,
        request_columns: RequestColumns,
        is_split: bool,
    ) -> maskrank::Result<Self> {
        let scorer = builder.build()?;
        let place = |label: &String| Task::ALL.into_iter().position(|task| task.label() == label.as_str());
        let places: Arc<[Option<usize>]> = scorer.tasks().iter().map(place).collect();
        let weights = vec![0.0; places.len()].into();
        let scorer = BatchingScorer::builder(&Arc::new(LiveScorer::new(scorer)?)).build()?;
        Ok(Self { scorer: Arc::new(scorer), inputs, request_columns, is_split, places, weights })
    }

    /// The batching scorer: its statistics, and the model that can be replaced while it runs.
    pub fn scorer(&self) -> &BatchingScorer {
        &self.scorer
    }

    /// Queues a batch in parts of as many candidates as are scored at once.
    fn submit(&self, batch: &Arc<FeatureBatch>) -> maskrank::Result<Vec<Ticket>> {
        let most = self.scorer.live().max_candidates();
        let parts = (0..batch.candidates).step_by(most.max(1));
        parts
            .map(|first| self.scorer.submit(self.job(batch, first..batch.candidates.min(first + most))))
            .collect()
    }

    /// The job of some candidates, each with its own copy of what they share.
    fn job_of_each(&self, batch: &Arc<FeatureBatch>, rows: Range<usize>) -> Job {
        let part = |field: fn(&FeatureBatch) -> &[f32]| {
            let width = field(batch).len() / batch.candidates.max(1);
            Values::new(Part { batch: Arc::clone(batch), field, range: rows.start * width..rows.end * width })
        };
        let repeated = |values: &[f32]| OwnedFeatures::F32(Values::new(values.repeat(rows.len())));
        let request = OwnedRequest {
            candidates: rows.len(),
            request: OwnedColumns::default(),
            candidate: OwnedColumns {
                continuous: OwnedFeatures::F32(part(|batch| &batch.continuous)),
                binary: OwnedBinary::Numbers(part(|batch| &batch.binary)),
                user_embedding: repeated(&batch.user_embedding),
                user_eng_embedding: repeated(&batch.user_engagement_embedding),
                author_embedding: OwnedFeatures::F32(part(|batch| &batch.author_embedding)),
            },
        };
        let outputs = Outputs { calibrated_probabilities: true, ..Outputs::default() };
        Job::new(request, Arc::clone(&self.weights)).with_outputs(outputs)
    }

    /// The job of some candidates, over the batch's own memory.
    fn job(&self, batch: &Arc<FeatureBatch>, rows: Range<usize>) -> Job {
        let whole = |field: fn(&FeatureBatch) -> &[f32]| {
            Values::new(Part { batch: Arc::clone(batch), field, range: 0..field(batch).len() })
        };
        let part = |field: fn(&FeatureBatch) -> &[f32]| {
            let width = field(batch).len() / batch.candidates.max(1);
            Values::new(Part { batch: Arc::clone(batch), field, range: rows.start * width..rows.end * width })
        };
        if !self.is_split {
            return self.job_of_each(batch, rows);
        }
        let request = OwnedRequest {
            candidates: rows.len(),
            request: OwnedColumns {
                continuous: OwnedFeatures::F32(whole(|batch| &batch.request_continuous)),
                binary: OwnedBinary::Numbers(whole(|batch| &batch.request_binary)),
                user_embedding: OwnedFeatures::F32(whole(|batch| &batch.user_embedding)),
                user_eng_embedding: OwnedFeatures::F32(whole(|batch| &batch.user_engagement_embedding)),
                author_embedding: OwnedFeatures::default(),
            },
            candidate: OwnedColumns {
                continuous: OwnedFeatures::F32(part(|batch| &batch.continuous)),
                binary: OwnedBinary::Numbers(part(|batch| &batch.binary)),
                author_embedding: OwnedFeatures::F32(part(|batch| &batch.author_embedding)),
                ..OwnedColumns::default()
            },
        };
        let outputs = Outputs { calibrated_probabilities: true, ..Outputs::default() };
        Job::new(request, Arc::clone(&self.weights)).with_outputs(outputs)
    }

    async fn answer(&self, batch: &Arc<FeatureBatch>) -> maskrank::Result<Predictions> {
        let mut rows = Vec::with_capacity(batch.candidates);
        for ticket in self.submit(batch)? {
            let scores = ticket.await?.scores;
            let tasks = self.places.len().max(1);
            rows.extend(scores.calibrated_probabilities.chunks_exact(tasks).map(|row| self.row(row)));
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
        let batch = Arc::new(batch);
        let answer = self.answer(&batch).await.map_err(|error| match error {
            maskrank::Error::QueueFull { .. }
            | maskrank::Error::Stopped
            | maskrank::Error::Expired { .. } => ScorerError::Unavailable(error.to_string()),
            other => ScorerError::Refused(other.to_string()),
        });
        // A worker that has not let go of the job yet keeps the memory; the next request then allocates its own.
        (Arc::try_unwrap(batch).unwrap_or_default(), answer)
    }
}

/// A range of one of a batch's fields.
struct Part {
    batch: Arc<FeatureBatch>,
    field: fn(&FeatureBatch) -> &[f32],
    range: Range<usize>,
}

impl AsRef<[f32]> for Part {
    fn as_ref(&self) -> &[f32] {
        // The range was computed from the same field of the same batch.
        (self.field)(&self.batch).get(self.range.clone()).unwrap_or_default()
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
        // A copy each: a worker that has not let go of a batch keeps it.
        let (_, first) = whole.score(batch.clone()).await;
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn concurrent_viewers_are_scored_together_and_get_what_they_would_get_alone() {
        let (model, _) = Model::open_case(CASE).expect("the case opens");
        let stores = MemoryStores::with_users([1, 10, 11, 12]);
        let registry = Arc::new(Registry::new(families::all(&stores.stores())).expect("fits"));
        let client = ModelClient::new(&model, &registry, |builder| builder).expect("built");
        let clock = Arc::new(ManualClock::new(NOW));
        let plan = FeaturePlan::new(registry, client.inputs(), client.request_columns(), stores, clock)
            .expect("laid out");
        let batch = |viewer: u64| {
            let candidates: Vec<_> =
                (0..5).map(|place| candidate(&post(10 + place % 3, viewer + 7 * place))).collect();
            let mut batch = FeatureBatch::default();
            plan.fill(&query(&[10]), &candidates, &mut batch);
            batch
        };
        let mut alone = Vec::new();
        for viewer in 0..64 {
            alone.push(client.score(batch(viewer)).await.1.expect("scored"));
        }
        let before = client.scorer().stats();
        let together: Vec<_> = (0..64)
            .map(|viewer| {
                let (client, batch) = (client.clone(), batch(viewer));
                tokio::spawn(async move { client.score(batch).await.1.expect("scored") })
            })
            .collect();
        for (task, alone) in together.into_iter().zip(alone) {
            assert_eq!(task.await.expect("no panic"), alone, "to the bit");
        }
        let after = client.scorer().stats();
        let (jobs, batches) = (after.answered - before.answered, after.batches - before.batches);
        assert_eq!(jobs, 64);
        assert!(batches < jobs, "{batches} batches of {jobs} jobs: none was merged");
    }
}
