//! The funnel without the model: whole requests, and hydration of the features of 1,500 candidates.
//!
//! Ids: `request/for_you/u{users}_p{posts}` and `features/fill/n1500`. What is timed is `serve`, with a stand-in for the
//! model that answers at once and an empty cache; and `FeaturePlan::fill` into a batch that is used again. Warm: the
//! same world serves all iterations, with viewers in a fixed random order.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::stores::Stores;
use maskrank_pipeline::domain::{
    Candidate, Clock, FeatureBatch, ManualClock, ModelInputs, PostCounts, Predictions, Query, RequestColumns,
    RequestFacts, ScorerClient, ScorerError, SourceKind, SuggestKind, Task, UserId,
};
use maskrank_pipeline::features::{FeaturePlan, Registry, families};
use maskrank_pipeline::products::for_you;
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::world::{LoadedWorld, WorldConfig};

const USERS: u32 = 10_000;
const POSTS: u32 = 100_000;
const CANDIDATES: usize = 1500;

/// Says 0 of everything, at once.
struct Silent(RequestColumns);

#[async_trait]
impl ScorerClient for Silent {
    fn inputs(&self) -> ModelInputs {
        ModelInputs::PRODUCTION
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.0
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        let rows = vec![[0.0; Task::COUNT]; batch.candidates];
        (batch, Ok(Predictions { rows }))
    }
}

fn world() -> (Stores, Arc<ManualClock>) {
    let config = WorldConfig::sized(USERS, POSTS);
    let clock = Arc::new(ManualClock::new(config.now));
    let world = LoadedWorld::generate(config).expect("a world");
    let stores = Embedded::in_memory(world.base, clock.clone(), StoreOptions::default()).expect("stores");
    (Arc::new(stores).stores(), clock)
}

fn requests(criterion: &mut Criterion) {
    let (stores, clock) = world();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    let client = Arc::new(Silent(registry.request_columns(ModelInputs::PRODUCTION)));
    let mut config = PipelineConfig::default();
    config.fetch.cache.max_posts = 0;
    let product = for_you(&config, &stores, registry, client, clock, &Key::new([0; 32])).expect("declared");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    let served = runtime.block_on(product.serve(UserId(1), RequestFacts::default())).expect("served");
    assert!(served.0.missing.is_empty(), "{:?}", served.0.missing);
    let mut viewer = 0;
    criterion.bench_function(&format!("request/for_you/u{USERS}_p{POSTS}"), |bencher| {
        bencher.iter(|| {
            viewer = (viewer + 7_919) % u64::from(USERS);
            black_box(runtime.block_on(product.serve(UserId(1 + viewer), RequestFacts::default())))
        });
    });
    runtime.block_on(product.engine().drain());
}

fn features(criterion: &mut Criterion) {
    let (stores, clock) = world();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    let once = registry.request_columns(ModelInputs::PRODUCTION);
    let embeddings = Arc::clone(&stores.embeddings);
    let plan = FeaturePlan::new(registry, ModelInputs::PRODUCTION, &once, embeddings, clock.clone())
        .expect("laid out");
    let mut candidates = Vec::with_capacity(CANDIDATES);
    for author in 1..=u64::from(USERS) {
        stores.posts.visit_by_author(UserId(author), &mut |post, _| {
            let suggest = SuggestKind::RankedTimeline;
            candidates.push(Candidate::of(post, PostCounts::default(), SourceKind::InNetwork, suggest));
            std::ops::ControlFlow::Break(())
        });
    }
    candidates.truncate(CANDIDATES);
    assert_eq!(candidates.len(), CANDIDATES, "the world has enough authors");
    let query = Query::new(UserId(1), clock.now(), RequestFacts::default());
    let mut batch = FeatureBatch::default();
    criterion.bench_function(&format!("features/fill/n{CANDIDATES}"), |bencher| {
        bencher.iter(|| plan.fill(&query, black_box(&candidates), &mut batch));
    });
}

criterion_group!(benches, requests, features);
criterion_main!(benches);
