//! A registry cut to what the loaded model reads, and laid out as it takes it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::placement::{Layout, Part};
use super::registry::Placed;
use super::rows::Columns;
use super::{Level, Registry, RegistryError, Rows};
use crate::domain::stores::EmbeddingStore;
use crate::domain::{
    Candidate, Clock, DenseEmbedding, Feature, FeatureBatch, ModelInputs, Query, RequestColumns,
};
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

/// Candidates from which on a request's features are computed on two threads.
const MIN_SPLIT: usize = 256;

/// Some candidates' rows of a batch.
struct Matrices<'a> {
    continuous: &'a mut [f32],
    binary: &'a mut [f32],
}

/// One family's features of one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyValues {
    /// The family.
    pub family: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// Of the request or of the candidate.
    pub level: Level,
    /// Names and values, in the order of their slots.
    pub values: Vec<(String, f32)>,
}

/// Computes the features that the loaded model reads.
pub struct FeaturePlan {
    registry: Arc<Registry>,
    inputs: ModelInputs,
    /// Where each family's columns lie, in the registry's order.
    layout: Layout,
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
    /// A plan for a model with these inputs, which takes these columns once a request.
    ///
    /// # Errors
    /// [`RegistryError::Split`] when the model takes columns once that differ between candidates.
    pub fn new(
        registry: Arc<Registry>,
        inputs: ModelInputs,
        once: &RequestColumns,
        embeddings: Arc<dyn EmbeddingStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RegistryError> {
        let layout = Layout::new(&registry, inputs, once)?;
        // One more than the families: the embeddings.
        let times = (0..=registry.placed.len()).map(|_| Counters::default()).collect();
        Ok(Self { registry, inputs, layout, embeddings, clock, times })
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
        let (n, widths) = (candidates.len(), self.layout.widths);
        batch.candidates = n;
        // Columns of no family are 0 from the start and stay so; all others are written below.
        batch.continuous.resize(n * widths.continuous, 0.0);
        batch.binary.resize(n * widths.binary, 0.0);
        batch.request_continuous.resize(widths.request_continuous, 0.0);
        batch.request_binary.resize(widths.request_binary, 0.0);
        let placed = || self.registry.placed.iter().zip(&self.layout.parts).zip(&self.times);
        for ((placed, part), counters) in placed().filter(|((_, part), _)| part.of_request) {
            if !part.reads_nothing() {
                self.timed(counters, || self.fill_request(placed, part, query, candidates, batch));
            }
        }
        self.fill_all_candidates(query, candidates, batch);
        if let Some(counters) = self.times.last() {
            self.timed(counters, || {
                self.fill_embeddings(query, candidates, batch);
                Ok(())
            });
        }
    }

    /// Every feature of one candidate that the model reads, by family; the embeddings come last.
    pub fn values(&self, query: &Query, candidate: &Candidate) -> Vec<FamilyValues> {
        let mut batch = FeatureBatch::default();
        self.fill(query, std::slice::from_ref(candidate), &mut batch);
        let names = [self.registry.continuous_names(), self.registry.binary_names()];
        let mut all: Vec<FamilyValues> = Vec::new();
        for (placed, part) in self.registry.placed.iter().zip(&self.layout.parts) {
            let mut values = Vec::new();
            for (names, slots, columns, once, each, of_request) in [
                (
                    names[0],
                    &placed.continuous,
                    &part.continuous,
                    &batch.request_continuous,
                    &batch.continuous,
                    part.continuous_once,
                ),
                (
                    names[1],
                    &placed.binary,
                    &part.binary,
                    &batch.request_binary,
                    &batch.binary,
                    part.binary_once,
                ),
            ] {
                let matrix = if of_request { once } else { each };
                let names = names[slots.clone()].iter();
                values
                    .extend(names.zip(&matrix[columns.clone()]).map(|(name, value)| (name.clone(), *value)));
            }
            if !values.is_empty() {
                let (family, about) = (placed.family.name(), placed.family.about());
                all.push(FamilyValues { family, about, level: placed.family.level(), values });
            }
        }
        let named = |name: &'static str, values: &[f32]| {
            values.iter().enumerate().map(|(i, value)| (format!("{name}.{i}"), *value)).collect::<Vec<_>>()
        };
        for (family, about, level, values) in [
            ("user_embedding", "whom the viewer follows", Level::Request, &batch.user_embedding),
            (
                "user_engagement_embedding",
                "what the viewer engages with",
                Level::Request,
                &batch.user_engagement_embedding,
            ),
            ("author_embedding", "by whom the author is followed", Level::Candidate, &batch.author_embedding),
        ] {
            if !values.is_empty() {
                all.push(FamilyValues { family, about, level, values: named(family, values) });
            }
        }
        all
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

    /// Fills the families of candidates. Large requests are cut in two, and the halves filled at once: no family looks
    /// from one candidate at another.
    fn fill_all_candidates(&self, query: &Query, candidates: &[Candidate], batch: &mut FeatureBatch) {
        let widths = self.layout.widths;
        let half = if candidates.len() < MIN_SPLIT { 0 } else { candidates.len() / 2 };
        let (first, second) = candidates.split_at(half);
        let (continuous, other_continuous) = batch.continuous.split_at_mut(half * widths.continuous);
        let (binary, other_binary) = batch.binary.split_at_mut(half * widths.binary);
        if first.is_empty() {
            self.fill_rows(
                query,
                second,
                &mut Matrices { continuous: other_continuous, binary: other_binary },
            );
            return;
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.fill_rows(query, first, &mut Matrices { continuous, binary }));
            self.fill_rows(
                query,
                second,
                &mut Matrices { continuous: other_continuous, binary: other_binary },
            );
        });
    }

    fn fill_rows(&self, query: &Query, candidates: &[Candidate], batch: &mut Matrices<'_>) {
        let placed = self.registry.placed.iter().zip(&self.layout.parts).zip(&self.times);
        for ((placed, part), counters) in placed.filter(|((_, part), _)| !part.of_request) {
            if !part.reads_nothing() {
                self.timed(counters, || self.fill_candidates(placed, part, query, candidates, batch));
            }
        }
    }

    fn fill_candidates(
        &self,
        placed: &Placed,
        part: &Part,
        query: &Query,
        candidates: &[Candidate],
        batch: &mut Matrices<'_>,
    ) -> Result<(), Failure> {
        let widths = self.layout.widths;
        let set_defaults = |batch: &mut Matrices<'_>| {
            fill_columns(batch.continuous, widths.continuous, &part.continuous, &placed.continuous_defaults);
            fill_columns(batch.binary, widths.binary, &part.binary, &placed.binary_defaults);
        };
        set_defaults(batch);
        let mut rows = Rows {
            count: candidates.len(),
            continuous: Columns {
                values: batch.continuous,
                width: widths.continuous,
                own: part.continuous.clone(),
            },
            binary: Columns { values: batch.binary, width: widths.binary, own: part.binary.clone() },
            after: &part.after,
        };
        let result = placed.family.fill(query, candidates, &mut rows);
        if result.is_err() {
            set_defaults(batch);
        }
        result
    }

    fn fill_request(
        &self,
        placed: &Placed,
        part: &Part,
        query: &Query,
        candidates: &[Candidate],
        batch: &mut FeatureBatch,
    ) -> Result<(), Failure> {
        let mut values = placed.continuous_defaults[..part.continuous.len()].to_vec();
        let mut flags = placed.binary_defaults[..part.binary.len()].to_vec();
        let mut rows = Rows {
            count: 1,
            continuous: Columns { width: values.len(), own: 0..values.len(), values: &mut values },
            binary: Columns { width: flags.len(), own: 0..flags.len(), values: &mut flags },
            after: &[],
        };
        let result = placed.family.fill(query, candidates, &mut rows);
        if result.is_err() {
            values.copy_from_slice(&placed.continuous_defaults[..part.continuous.len()]);
            flags.copy_from_slice(&placed.binary_defaults[..part.binary.len()]);
        }
        let widths = self.layout.widths;
        // A model that does not take them once gets them in every row.
        let (once, each) = (&mut batch.request_continuous, &mut batch.continuous);
        let (out, width) =
            if part.continuous_once { (once, widths.request_continuous) } else { (each, widths.continuous) };
        fill_columns(out, width, &part.continuous, &values);
        let (once, each) = (&mut batch.request_binary, &mut batch.binary);
        let (out, width) =
            if part.binary_once { (once, widths.request_binary) } else { (each, widths.binary) };
        fill_columns(out, width, &part.binary, &flags);
        result
    }

    fn fill_embeddings(&self, query: &Query, candidates: &[Candidate], batch: &mut FeatureBatch) {
        let inputs = self.inputs;
        let once = |out: &mut Vec<f32>, width: usize, embedding: &Feature<Option<DenseEmbedding>>| {
            out.resize(width, 0.0);
            copy(out, embedding.get().and_then(Option::as_ref));
        };
        let facts = &query.facts;
        once(&mut batch.user_embedding, inputs.user_embedding, &facts.follow_embedding);
        once(
            &mut batch.user_engagement_embedding,
            inputs.user_engagement_embedding,
            &facts.engagement_embedding,
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

/// Writes the same values into some columns of every row of a row-major matrix.
fn fill_columns(matrix: &mut [f32], width: usize, columns: &Range<usize>, values: &[f32]) {
    if columns.is_empty() {
        return;
    }
    for row in matrix.chunks_exact_mut(width) {
        row[columns.clone()].copy_from_slice(&values[..columns.len()]);
    }
}
