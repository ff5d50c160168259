//! Components that do what a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::component;
use crate::domain::SystemClock;
use crate::engine::{
    CandidatePipeline, Choice, Engine, EngineConfig, FailOpen, Failure, Filter, Gate, Hydrator,
    QueryHydrator, RecommendationPipeline, Run, Scope, Scorer, Selector, Source, Verdict,
};

/// A query that remembers who wrote to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub(super) trail: Vec<&'static str>,
}

/// A candidate that remembers who wrote to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) id: u32,
    pub(super) mark: Option<&'static str>,
    pub(super) score: f64,
    pub(super) trail: Vec<&'static str>,
}

pub(super) fn item(id: u32) -> Item {
    Item { id, mark: None, score: 0.0, trail: Vec::new() }
}

pub(super) fn ids(items: &[Item]) -> Vec<u32> {
    items.iter().map(|item| item.id).collect()
}

/// How an async toy behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Answers after so many milliseconds.
    After(u64),
    /// Fails.
    Fails,
    /// Panics.
    Panics,
    /// Never answers.
    Hangs,
    /// Answers one row too few or too many, where it answers rows.
    Miscounts(isize),
}

impl Mood {
    async fn live(self, who: &'static str) -> Result<(), Failure> {
        match self {
            Self::After(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Self::Fails => return Err(Failure::failed(who, "in a mood")),
            Self::Panics => panic!("in a mood"),
            Self::Hangs => std::future::pending().await,
            Self::Miscounts(_) => {}
        }
        Ok(())
    }

    fn rows(self, right: usize) -> usize {
        match self {
            Self::Miscounts(by) => right.saturating_add_signed(by),
            _ => right,
        }
    }
}

pub(super) struct Find(pub(super) Vec<u32>, pub(super) Mood);
component!(Find, "find", "gives these items");

#[async_trait]
impl Source<Query, Item> for Find {
    async fn fetch(&self, _: &Query, scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        self.1.live("find").await?;
        let mut found: Vec<Item> = self.0.iter().copied().map(item).collect();
        found.iter_mut().for_each(|item| item.score = scope.earlier.len() as f64);
        Ok(found)
    }
}

/// Writes its name into the query.
pub(super) struct Learn(pub(super) &'static str, pub(super) Mood);

impl crate::engine::Component for Learn {
    fn name(&self) -> &'static str {
        self.0
    }

    fn about(&self) -> &'static str {
        "writes its name into the query"
    }
}

#[async_trait]
impl QueryHydrator<Query> for Learn {
    type Output = &'static str;

    async fn hydrate(&self, _: &Query) -> Result<&'static str, Failure> {
        self.1.live(self.0).await?;
        Ok(self.0)
    }

    fn apply(&self, query: &mut Query, found: Result<&'static str, &Failure>) {
        query.trail.push(found.unwrap_or("failed"));
    }
}

/// Writes its name into each candidate.
pub(super) struct Mark(pub(super) &'static str, pub(super) Mood);

impl crate::engine::Component for Mark {
    fn name(&self) -> &'static str {
        self.0
    }

    fn about(&self) -> &'static str {
        "writes its name into each candidate"
    }
}

#[async_trait]
impl Hydrator<Query, Item> for Mark {
    type Output = &'static str;

    async fn hydrate(
        &self,
        _: &Query,
        items: &[Item],
    ) -> Result<Vec<Result<&'static str, Failure>>, Failure> {
        self.1.live(self.0).await?;
        Ok(vec![Ok(self.0); self.1.rows(items.len())])
    }

    fn apply(&self, item: &mut Item, found: Result<&'static str, &Failure>) {
        item.mark = Some(found.unwrap_or("default"));
        item.trail.push(found.unwrap_or("default"));
    }
}

/// Scores each candidate with its id.
pub(super) struct ById(pub(super) Mood);
component!(ById, "by_id", "scores with the id");

impl Scorer<Query, Item> for ById {}

#[async_trait]
impl Hydrator<Query, Item> for ById {
    type Output = f64;

    async fn hydrate(&self, _: &Query, items: &[Item]) -> Result<Vec<Result<f64, Failure>>, Failure> {
        self.0.live("by_id").await?;
        let mut scores: Vec<_> = items.iter().map(|item| Ok(f64::from(item.id))).collect();
        scores.resize(self.0.rows(items.len()), Ok(0.0));
        Ok(scores)
    }

    fn apply(&self, item: &mut Item, scored: Result<f64, &Failure>) {
        item.score = scored.unwrap_or(-1.0);
    }
}

/// Removes what a function says, or misbehaves.
pub(super) struct Sieve(pub(super) fn(&Query, &[Item]) -> Vec<Verdict>);
component!(Sieve, "sieve", "removes what its function says");

impl Filter<Query, Item> for Sieve {
    fn judge(&self, query: &Query, items: &[Item]) -> Vec<Verdict> {
        (self.0)(query, items)
    }
}

/// Chooses as a function says.
pub(super) struct Pick(pub(super) fn(&[Item], &mut Choice));
component!(Pick, "pick", "chooses as its function says");

impl Selector<Query, Item> for Pick {
    fn select(&self, _: &Query, pool: &[Item], choice: &mut Choice, _: f64) {
        (self.0)(pool, choice);
    }
}

pub(super) fn pick_all() -> Arc<Pick> {
    Arc::new(Pick(|_, choice| choice.result.append(&mut choice.remaining)))
}

/// Open or closed; counts how often it was asked.
#[derive(Default)]
pub(super) struct Door {
    pub(super) closed: bool,
    pub(super) asked: AtomicUsize,
}
component!(Door, "door", "open or closed");

impl<Q, C> Gate<Q, C> for Door {
    fn is_open(&self, _: &Q, _: &[C]) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        !self.closed
    }
}

pub(super) fn source(name: &'static str, ids: &[u32], mood: Mood) -> CandidatePipeline<Query, Item> {
    CandidatePipeline {
        fail_open: FailOpen::Always,
        ..CandidatePipeline::new(name, Arc::new(Find(ids.to_vec(), mood)))
    }
}

/// A funnel of these sources that takes everything.
pub(super) fn funnel(sources: Vec<CandidatePipeline<Query, Item>>) -> RecommendationPipeline<Query, Item> {
    RecommendationPipeline {
        candidate_pipelines: sources,
        merge_selectors: vec![pick_all()],
        selectors: vec![pick_all()],
        ..RecommendationPipeline::new("funnel")
    }
}

pub(super) fn run() -> Arc<Run> {
    Engine::new(Arc::new(SystemClock::default()), EngineConfig::patient()).start()
}
