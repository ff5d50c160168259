//! From a model to a scorer: the choice of backend, and all memory.

use std::sync::Arc;

use crate::backend::{self, Backend, CpuKernel, Executor, Memory, Options, Precision, SelfTest};
use crate::batch::Split;
use crate::{Error, Model, Result};

use super::places::Places;
use super::staging::Staged;
use super::{Place, Scorer};

/// A backend that [`Backend::Auto`] did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The backend.
    pub backend: Backend,
    /// What was found, and what is needed.
    pub reason: String,
}

/// Settings of a scorer to be.
#[derive(Clone, Debug)]
pub struct ScorerBuilder {
    model: Model,
    backend: Backend,
    max_in_flight: usize,
    options: Options,
}

impl ScorerBuilder {
    pub(super) fn new(model: &Model) -> Self {
        let options = Options {
            precision: backend::packing::precision_of(model).unwrap_or_default(),
            max_candidates: 1500,
            split: Split::default(),
            threads: 0,
            cpu_kernel: None,
            adapter: None,
            planted_fault: false,
        };
        Self { model: model.clone(), backend: Backend::Auto, max_in_flight: 2, options }
    }

    /// Where to run. Default [`Backend::Auto`]; a named backend never falls back to another.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Storage type of weights and activations. Default f32, and for a packed model the one that it was packed in.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.options.precision = precision;
        self
    }

    /// Most candidates of one batch. Default 1,500.
    #[must_use]
    pub fn max_candidates(mut self, max_candidates: usize) -> Self {
        self.options.max_candidates = max_candidates;
        self
    }

    /// How many calls run at once; others wait in order. Default 2.
    #[must_use]
    pub fn max_in_flight(mut self, max_in_flight: usize) -> Self {
        self.max_in_flight = max_in_flight;
        self
    }

    /// Which columns come once a request. Default: none.
    #[must_use]
    pub fn split(mut self, split: Split) -> Self {
        self.options.split = split;
        self
    }

    /// CPU threads of one call. Default 0: the rayon pool that the caller is in.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = threads;
        self
    }

    /// The CPU kernel, rather than the best that computes the precision here. For tests and comparisons.
    #[must_use]
    pub fn cpu_kernel(mut self, kernel: CpuKernel) -> Self {
        self.options.cpu_kernel = Some(kernel);
        self
    }

    /// Part of a GPU's name, where there are several. Letter case does not matter.
    #[must_use]
    pub fn adapter(mut self, name: impl Into<String>) -> Self {
        self.options.adapter = Some(name.into());
        self
    }

    /// Packs one layer's weights wrongly, on whatever backend. For tests of what notices.
    #[doc(hidden)]
    #[must_use]
    pub fn planted_fault(mut self) -> Self {
        self.options.planted_fault = true;
        self
    }

    /// Memory that the scorer would take, computed without a device and before anything is allocated; none for
    /// backends whose device alone can say ([`Scorer::memory`] tells when they are built).
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a model that the backend cannot lay out.
    pub fn memory(&self) -> Result<Option<Memory>> {
        let one = backend::memory(self.backend, &self.model, &self.options)?;
        Ok(one.map(|memory| Memory { calls: self.max_in_flight, ..memory }))
    }

    /// Allocates everything, packs the weights and proves the backend on a small case.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings without meaning, [`Error::BackendUnavailable`], [`Error::Unsupported`],
    /// [`Error::SelfTest`] or [`Error::Device`] from the named backend.
    pub fn build(self) -> Result<Scorer> {
        let positive = |argument, value: usize| match value {
            0 => Err(Error::Argument { argument, expected: "at least 1".into(), found: "0".into() }),
            _ => Ok(()),
        };
        positive("max_candidates", self.options.max_candidates)?;
        positive("max_in_flight", self.max_in_flight)?;
        if u32::try_from(self.options.max_candidates).is_err() {
            return Err(Error::Argument {
                argument: "max_candidates",
                expected: format!("at most {}", u32::MAX),
                found: format!("{}", self.options.max_candidates),
            });
        }
        self.options.split.check(self.model.widths())?;

        let (executor, passed_over) = self.executor()?;
        let mut places = Vec::with_capacity(self.max_in_flight);
        for _ in 0..self.max_in_flight {
            let lane = Arc::clone(&executor).lane()?;
            let order = Vec::with_capacity(self.options.max_candidates);
            places.push(Place { lane, order, staged: Staged::default() });
        }
        if executor.is_self_tested() {
            let test = SelfTest::new(&self.model, &self.options)?;
            places.iter_mut().try_for_each(|place| place.lane.self_test(&test))?;
        }
        let (per_call, host_per_call) = places.first().map_or((0, 0), |place| place.lane.bytes());
        let memory =
            Memory { weights: executor.weight_bytes(), per_call, host_per_call, calls: self.max_in_flight };
        Ok(Scorer {
            clock: executor.clock(),
            places: Places::new(places),
            device: executor.device().clone(),
            passed_over,
            precision: self.options.precision,
            widths: self.model.widths(),
            split: self.options.split,
            tasks: self.model.tasks().iter().map(|task| task.name.clone()).collect(),
            max_candidates: self.options.max_candidates,
            memory,
        })
    }

    /// Writes the model packed for this builder's backend ([`Backend::Auto`]: the CPU), precision, split and, on the
    /// CPU, kernel: one file that [`Model::open`] takes in the folder's place, with scores of the same bits.
    ///
    /// # Errors
    /// [`Error::Argument`] for a model that was not opened from a folder, or a split that does not fit it;
    /// [`Error::Unsupported`] for a precision that cannot be packed; the file cannot be written.
    pub fn pack(self, path: impl AsRef<std::path::Path>) -> Result<()> {
        self.options.split.check(self.model.widths())?;
        backend::packing::pack(self.backend, &self.model, &self.options, path.as_ref())
    }

    fn executor(&self) -> Result<(Arc<dyn Executor>, Vec<PassedOver>)> {
        // A packed model runs where it was packed for.
        let packed = backend::packing::backend_of(&self.model).filter(|_| self.backend == Backend::Auto);
        let backend = packed.unwrap_or(self.backend);
        if backend != Backend::Auto {
            return Ok((backend::build(backend, &self.model, &self.options)?, Vec::new()));
        }
        let mut passed_over = Vec::new();
        for backend in [Backend::Cuda, Backend::Wgpu] {
            let built = backend::check_hardware(backend, &self.options)
                .and_then(|()| backend::build(backend, &self.model, &self.options));
            match built {
                Ok(executor) => return Ok((executor, passed_over)),
                Err(error) => {
                    let reason = match error {
                        Error::BackendUnavailable { reason, .. } => reason,
                        other => other.to_string(),
                    };
                    passed_over.push(PassedOver { backend, reason });
                }
            }
        }
        let executor = backend::build(Backend::Cpu, &self.model, &self.options)?;
        Ok((executor, passed_over))
    }
}
