//! A model that answers, fails, hangs or talks rubbish, as the test says.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use maskrank_pipeline::domain::{
    FeatureBatch, ModelInputs, Predictions, RequestColumns, ScorerClient, ScorerError, Task,
};
use maskrank_pipeline::features::Registry;

use crate::common::hashed;

/// How the model behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Probabilities made from each candidate's features.
    Answers,
    /// The same, after so many milliseconds.
    AnswersAfter(u64),
    /// It is not available.
    Fails,
    /// No answer ever comes.
    Hangs,
    /// Not a number, infinity, and minus one.
    Rubbish,
    /// Another number of rows than there are candidates.
    WrongRows,
    /// It panics.
    Panics,
}

pub(crate) struct Model {
    columns: RequestColumns,
    mood: Mutex<Mood>,
}

impl Model {
    pub(crate) fn new(registry: &Registry) -> Self {
        let columns = registry.request_columns(ModelInputs::PRODUCTION);
        Self { columns, mood: Mutex::new(Mood::Answers) }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().expect("sound") = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().expect("sound")
    }
}

#[async_trait]
impl ScorerClient for Model {
    fn inputs(&self) -> ModelInputs {
        ModelInputs::PRODUCTION
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.columns
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        let mut rows = hashed(&batch);
        match self.mood() {
            Mood::Answers => {}
            Mood::AnswersAfter(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Mood::Fails => return (batch, Err(ScorerError::Unavailable("it was told to".to_owned()))),
            Mood::Hangs => std::future::pending().await,
            Mood::Rubbish => {
                for (place, row) in rows.iter_mut().enumerate() {
                    *row = [[f32::NAN, f32::INFINITY, -1.0][place % 3]; Task::COUNT];
                }
            }
            Mood::WrongRows => rows.truncate(1),
            Mood::Panics => panic!("the model was told to"),
        }
        (batch, Ok(Predictions { rows }))
    }
}
