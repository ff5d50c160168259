//! A model made ready on one backend: `Send + Sync`, called through `&self` from any number of threads.
//!
//! A scorer holds `max_in_flight` places. A call takes a place, in the order of arrival, scores in the place's own
//! buffers and gives it back; so the memory of a scorer is known when it is built, and a call allocates nothing.

mod builder;
mod enqueue;
mod places;
mod staging;
mod top_k;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use builder::{PassedOver, ScorerBuilder};
pub use staging::{BinaryMut, ColumnsMut, Feature, RequestMut, Staging};

use crate::backend::{Call, Device, Lane, Memory, Precision, StepClock};
use crate::batch::{self, Batch, Split};
use crate::config::Widths;
use crate::scores::{Outputs, Scores, Status};
use crate::{Error, Model, Result};
use places::Places;

/// Which probabilities make the score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScoreFrom {
    /// Calibrated probabilities: down-sampling undone.
    #[default]
    Calibrated,
    /// Probabilities as the model gives them.
    Raw,
}

/// What one call asks for; cheap, and free to differ from call to call.
#[derive(Clone, Copy, Debug)]
pub struct ScoreOptions<'a> {
    /// Score weights in the order of the model's tasks, (tasks). See [`crate::ScoreWeights::resolve`].
    pub weights: &'a [f32],
    /// Which probabilities make the score.
    pub from: ScoreFrom,
    /// What to fill besides score and status.
    pub outputs: Outputs,
}

impl<'a> ScoreOptions<'a> {
    /// Scores and statuses from calibrated probabilities.
    #[must_use]
    pub fn new(weights: &'a [f32]) -> Self {
        Self { weights, from: ScoreFrom::Calibrated, outputs: Outputs::default() }
    }

    /// Fills these outputs too.
    #[must_use]
    pub fn with_outputs(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }

    /// Takes these probabilities for the score.
    #[must_use]
    pub fn with_score_from(self, from: ScoreFrom) -> Self {
        Self { from, ..self }
    }
}

/// A model on a backend, ready to score.
pub struct Scorer {
    places: Places<Place>,
    device: Device,
    passed_over: Vec<PassedOver>,
    precision: Precision,
    widths: Widths,
    split: Split,
    tasks: Vec<String>,
    max_candidates: usize,
    clock: Option<Arc<StepClock>>,
    memory: Memory,
}

/// Where the time of one call went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTimes {
    /// Moving data to the device and back, as far as the backend tells it apart.
    pub(crate) copy: Duration,
    /// The rest.
    pub(crate) compute: Duration,
}

/// One caller's buffers.
struct Place {
    lane: Box<dyn Lane>,
    order: Vec<u32>,
    staged: staging::Staged,
}

impl std::fmt::Debug for Scorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scorer")
            .field("device", &self.device)
            .field("precision", &self.precision)
            .field("max_candidates", &self.max_candidates)
            .finish_non_exhaustive()
    }
}

impl Scorer {
    /// Starts building a scorer for a model.
    #[must_use]
    pub fn builder(model: &Model) -> ScorerBuilder {
        ScorerBuilder::new(model)
    }

    /// Scores a batch; waits for a place when all are taken, in the order of arrival.
    ///
    /// `scores` is overwritten; kept from call to call it needs no memory after the first. A candidate that cannot
    /// be scored has its [`Status`] and a NaN score, and harms no other.
    ///
    /// # Errors
    /// [`Error::Batch`] and [`Error::TooManyCandidates`] when the batch does not fit, [`Error::Argument`] when the
    /// weights do not, [`Error::Device`] when the device fails.
    pub fn score(&self, batch: Batch<'_>, options: &ScoreOptions<'_>, scores: &mut Scores) -> Result<()> {
        self.check_call(batch, options.weights)?;
        let mut place = self.places.take();
        self.run(&mut place, batch, options, scores)
    }

    /// Like [`Scorer::score`], but never waits for a place.
    ///
    /// # Errors
    /// As [`Scorer::score`], and [`Error::Busy`] when all places are taken or others wait for one.
    pub fn try_score(&self, batch: Batch<'_>, options: &ScoreOptions<'_>, scores: &mut Scores) -> Result<()> {
        self.check_call(batch, options.weights)?;
        let mut place = self.places.try_take().ok_or(Error::Busy { max_in_flight: self.places.len() })?;
        self.run(&mut place, batch, options, scores)
    }

    /// Like [`Scorer::score`], and tells where the time went.
    pub(crate) fn score_timed(
        &self,
        batch: Batch<'_>,
        options: &ScoreOptions<'_>,
        scores: &mut Scores,
    ) -> Result<CallTimes> {
        let start = Instant::now();
        self.check_call(batch, options.weights)?;
        let mut place = self.places.take();
        self.run(&mut place, batch, options, scores)?;
        let copy = if batch.candidates() > 0 { place.lane.copy_time() } else { Duration::ZERO };
        Ok(CallTimes { copy, compute: start.elapsed().saturating_sub(copy) })
    }

    /// Compares a batch's lengths and a call's weights with the scorer.
    pub(crate) fn check_call(&self, batch: Batch<'_>, weights: &[f32]) -> Result<()> {
        batch::check(&batch, self.widths, &self.split, self.max_candidates)?;
        self.check_weights(weights)
    }

    fn check_weights(&self, weights: &[f32]) -> Result<()> {
        if weights.len() != self.tasks.len() {
            return Err(Error::Argument {
                argument: "weights",
                expected: format!("{} score weights, one a task", self.tasks.len()),
                found: format!("{}", weights.len()),
            });
        }
        match weights.iter().position(|w| !w.is_finite()) {
            None => Ok(()),
            Some(task) => Err(Error::Argument {
                argument: "weights",
                expected: format!("a finite score weight for {}", self.tasks[task]),
                found: format!("{}", weights[task]),
            }),
        }
    }

    fn run(
        &self,
        place: &mut Place,
        batch: Batch<'_>,
        options: &ScoreOptions<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        let candidates = batch.candidates();
        scores.prepare(candidates, self.tasks.len(), options.outputs);
        if candidates > 0 {
            let call = Call {
                batch,
                weights: options.weights,
                calibrated: options.from == ScoreFrom::Calibrated,
                outputs: options.outputs,
            };
            place.lane.score(&call, scores)?;
        }
        if options.outputs.top_k > 0 {
            let sizes = batch.requests.iter().map(|request| request.candidates);
            top_k::select(sizes, options.outputs.top_k, &mut place.order, scores);
        }
        Ok(())
    }

    /// What runs.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Backends that [`crate::Backend::Auto`] passed over, and why.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Storage type of weights and activations.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Widths of the model's inputs.
    #[must_use]
    pub fn widths(&self) -> Widths {
        self.widths
    }

    /// Which columns come once a request.
    #[must_use]
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// The tasks' names, in the order of every per-task output and of the score weights.
    #[must_use]
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// Most candidates of one batch.
    #[must_use]
    pub fn max_candidates(&self) -> usize {
        self.max_candidates
    }

    /// Where the time of calls goes, on backends that tell. For benches.
    #[doc(hidden)]
    #[must_use]
    pub fn step_clock(&self) -> Option<&StepClock> {
        self.clock.as_deref()
    }

    /// Memory that the scorer holds, all of it since it was built. A caller's use of [`Scorer::staging`] adds as much
    /// host memory as the largest batch has, once a place, where the backend has no staging of its own.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// How many calls run at once.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.places.len()
    }
}

impl Scores {
    /// Sizes every vector for a batch; memory is kept.
    pub(crate) fn prepare(&mut self, candidates: usize, tasks: usize, outputs: Outputs) {
        let per_task = |vector: &mut Vec<f32>, wanted: bool| {
            vector.clear();
            vector.resize(if wanted { candidates * tasks } else { 0 }, f32::NAN);
        };
        self.scores.clear();
        self.scores.resize(candidates, f32::NAN);
        self.statuses.clear();
        self.statuses.resize(candidates, Status::Ok);
        per_task(&mut self.logits, outputs.logits);
        per_task(&mut self.probabilities, outputs.probabilities);
        per_task(&mut self.calibrated_probabilities, outputs.calibrated_probabilities);
        self.top_k.clear();
        self.top_k_offsets.clear();
    }
}

/// A scorer is handed between threads and shared by them.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Scorer>();
    shared::<Arc<Scorer>>();
};
