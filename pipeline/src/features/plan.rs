//! A registry cut to what the loaded model reads.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::registry::Placed;
use super::rows::Columns;
use super::{Level, Registry, Rows};
use crate::domain::stores::EmbeddingStore;
use crate::domain::{Candidate, Clock, DenseEmbedding, Feature, FeatureBatch, ModelInputs, Query};
use crate::engine::Failure;

/// How long a family took, all requests together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyTime {
    /// The family.
    pub family: &'static str,
    /// How often it was computed.
    pub runs: u64,
    /// How often it failed.
    pub failures: u64,
    /// How long that took.
    pub total: Duration,
}

/// Computes the features that the loaded model reads.
pub struct FeaturePlan {
    registry: Arc<Registry>,
    inputs: ModelInputs,
    embeddings: Arc<dyn EmbeddingStore>,
    clock: Arc<dyn Clock>,
    times: Vec<Counters>,
}

#[derive(Default)]
struct Counters {
    runs: AtomicU64,
    failures: AtomicU64,
    nanoseconds: AtomicU64,
}

impl FeaturePlan {
    /// A plan for a model with these inputs.
    pub fn new(
        registry: Arc<Registry>,
        inputs: ModelInputs,
        embeddings: Arc<dyn EmbeddingStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // One more than the families: the embeddings.
        let times = (0..=registry.placed.len()).map(|_| Counters::default()).collect();
        Self { registry, inputs, embeddings, clock, times }
    }

    /// The features.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Times by family; the embeddings come last.
    pub fn times(&self) -> Vec<FamilyTime> {
        let names = self.registry.placed.iter().map(|placed| placed.family.name()).chain(["embeddings"]);
        let time = |(family, counters): (&'static str, &Counters)| FamilyTime {
            family,
            runs: counters.runs.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            total: Duration::from_nanos(counters.nanoseconds.load(Ordering::Relaxed)),
        };
        names.zip(&self.times).map(time).collect()
    }

    /// Computes all features of all candidates into `batch`, which must be new or have been filled by this plan.
    pub fn fill(&self, query: &Query, candidates: &[Candidate], batch: &mut FeatureBatch) {
        let (n, inputs) = (candidates.len(), self.inputs);
        batch.candidates = n;
        // Columns of no family are 0 from the start and stay so; all others are written below.
        batch.continuous.resize(n * inputs.continuous, 0.0);
        batch.binary.resize(n * inputs.binary, 0.0);
        batch.request_continuous.clear();
        batch.request_binary.clear();
        for (placed, counters) in self.registry.placed.iter().zip(&self.times) {
            let continuous = clip(&placed.continuous, inputs.continuous);
            let binary = clip(&placed.binary, inputs.binary);
            if continuous.is_empty() && binary.is_empty() {
                continue;
            }
            self.timed(counters, || match placed.family.level() {
                Level::Request => fill_request(placed, continuous, binary, query, candidates, batch),
                Level::Candidate => {
                    fill_candidates(placed, continuous, binary, query, candidates, batch, inputs)
                }
            });
        }
        if let Some(counters) = self.times.last() {
            self.timed(counters, || {
                self.fill_embeddings(query, candidates, batch);
                Ok(())
            });
        }
    }

    fn timed(&self, counters: &Counters, work: impl FnOnce() -> Result<(), Failure>) {
        let started = self.clock.monotonic();
        if let Err(failure) = work() {
            counters.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%failure, "features take their defaults");
        }
        let took = self.clock.monotonic().saturating_sub(started);
        counters.runs.fetch_add(1, Ordering::Relaxed);
        counters.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn fill_embeddings(&self, query: &Query, candidates: &[Candidate], batch: &mut FeatureBatch) {
        let inputs = self.inputs;
        let once = |out: &mut Vec<f32>, width: usize, embedding: &Feature<Option<DenseEmbedding>>| {
            out.resize(width, 0.0);
            copy(out, embedding.get().and_then(Option::as_ref));
        };
        once(&mut batch.user_embedding, inputs.user_embedding, &query.facts.follow_embedding);
        once(
            &mut batch.user_engagement_embedding,
            inputs.user_engagement_embedding,
            &query.facts.engagement_embedding,
        );
        batch.author_embedding.resize(candidates.len() * inputs.author_embedding, 0.0);
        if inputs.author_embedding > 0 {
            let rows = batch.author_embedding.chunks_exact_mut(inputs.author_embedding);
            for (row, candidate) in rows.zip(candidates) {
                copy(row, self.embeddings.author(candidate.original_author_id()).as_ref());
            }
        }
    }
}

/// Copies an embedding; what it does not have is 0.
fn copy(out: &mut [f32], embedding: Option<&DenseEmbedding>) {
    let values = embedding.map_or(&[][..], |embedding| embedding);
    let shared = out.len().min(values.len());
    out[..shared].copy_from_slice(&values[..shared]);
    out[shared..].fill(0.0);
}

/// The part of `slots` that the model reads.
fn clip(slots: &Range<usize>, read: usize) -> Range<usize> {
    slots.start.min(read)..slots.end.min(read)
}

fn fill_request(
    placed: &Placed,
    continuous: Range<usize>,
    binary: Range<usize>,
    query: &Query,
    candidates: &[Candidate],
    batch: &mut FeatureBatch,
) -> Result<(), Failure> {
    let mut values = placed.continuous_defaults[..continuous.len()].to_vec();
    let mut flags = placed.binary_defaults[..binary.len()].to_vec();
    let mut rows = Rows {
        count: 1,
        continuous: Columns { width: values.len(), own: 0..values.len(), values: &mut values },
        binary: Columns { width: flags.len(), own: 0..flags.len(), values: &mut flags },
        after: &[],
    };
    let result = placed.family.fill(query, candidates, &mut rows);
    if result.is_err() {
        values.copy_from_slice(&placed.continuous_defaults[..continuous.len()]);
        flags.copy_from_slice(&placed.binary_defaults[..binary.len()]);
    }
    // Slots are below 6,000.
    batch.request_continuous.extend(continuous.map(|slot| slot as u32).zip(values));
    batch.request_binary.extend(binary.map(|slot| slot as u32).zip(flags));
    result
}

fn fill_candidates(
    placed: &Placed,
    continuous: Range<usize>,
    binary: Range<usize>,
    query: &Query,
    candidates: &[Candidate],
    batch: &mut FeatureBatch,
    inputs: ModelInputs,
) -> Result<(), Failure> {
    let after: Vec<_> = placed.after.iter().map(|slots| clip(slots, inputs.continuous)).collect();
    reset(&mut batch.continuous, inputs.continuous, &continuous, &placed.continuous_defaults);
    reset(&mut batch.binary, inputs.binary, &binary, &placed.binary_defaults);
    let mut rows = Rows {
        count: candidates.len(),
        continuous: Columns {
            values: &mut batch.continuous,
            width: inputs.continuous,
            own: continuous.clone(),
        },
        binary: Columns { values: &mut batch.binary, width: inputs.binary, own: binary.clone() },
        after: &after,
    };
    let result = placed.family.fill(query, candidates, &mut rows);
    if result.is_err() {
        reset(&mut batch.continuous, inputs.continuous, &continuous, &placed.continuous_defaults);
        reset(&mut batch.binary, inputs.binary, &binary, &placed.binary_defaults);
    }
    result
}

/// Writes the defaults into some columns of a row-major matrix.
fn reset(values: &mut [f32], width: usize, columns: &Range<usize>, defaults: &[f32]) {
    if columns.is_empty() {
        return;
    }
    for row in values.chunks_exact_mut(width) {
        row[columns.clone()].copy_from_slice(&defaults[..columns.len()]);
    }
}
