//! Backends and precisions: which are here, and why the others are not.

use maskrank::golden::Case;
use maskrank::{Backend, Error, Model, Precision, Scorer, Split};

/// Where a row runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) backend: Backend,
    pub(crate) precision: Precision,
    /// CPU threads; GPUs take no notice.
    pub(crate) threads: usize,
    /// A fault planted in the product, for tests.
    pub(crate) fault: bool,
}

/// How a scorer is made.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) max_candidates: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) split: Split,
}

impl Setup {
    pub(crate) fn of(max_candidates: usize) -> Self {
        Self { max_candidates, max_in_flight: 1, split: Split::default() }
    }
}

/// All pairs that could be, best known first.
pub(crate) fn all() -> Vec<(Backend, Precision)> {
    let precisions = [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16];
    let backends = [Backend::Cpu, Backend::Cuda, Backend::Wgpu];
    backends.iter().flat_map(|&b| precisions.iter().map(move |&p| (b, p))).collect()
}

impl Target {
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.backend, self.precision)
    }

    /// Its name and its threads.
    pub(crate) fn key(&self) -> String {
        format!("{} t{}", self.name(), self.threads)
    }

    /// # Errors
    /// As [`maskrank::ScorerBuilder::build`].
    pub(crate) fn scorer(&self, model: &Model, setup: &Setup) -> Result<Scorer, Error> {
        let builder = Scorer::builder(model).backend(self.backend).precision(self.precision);
        let builder = if self.backend == Backend::Cpu { builder.threads(self.threads) } else { builder };
        let builder = if self.fault { builder.planted_fault() } else { builder };
        builder
            .max_candidates(setup.max_candidates)
            .max_in_flight(setup.max_in_flight)
            .split(setup.split.clone())
            .build()
    }

    /// Bytes of one stored weight.
    pub(crate) fn weight_bytes(&self) -> usize {
        if matches!(self.precision, Precision::F32 | Precision::Tf32) { 4 } else { 2 }
    }
}

/// Holds a scorer against the golden case.
///
/// # Errors
/// The answers are wrong: nothing of this scorer may be timed.
pub(crate) fn check(case: &Case, scorer: &Scorer, name: &str) -> Result<(), String> {
    let comparison = case.check(scorer).map_err(|error| format!("{name}: {error}"))?;
    if comparison.passed() {
        return Ok(());
    }
    Err(format!("{name}: wrong answers, so no time is given: {}", comparison.failures()))
}
