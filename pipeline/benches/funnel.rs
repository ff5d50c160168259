//! The funnel without the model: whole requests, and hydration of the features of 1,500 candidates.
//!
//! Ids: `request/for_you/u{users}_p{posts}`, `features/fill/n1500` and `retrieval/nearest/u{users}_p{posts}`. What is timed is `serve`, with a stand-in for the
//! model that answers at once and an empty cache; and `FeaturePlan::fill` into a batch that is used again. Warm: the
//! same world serves all iterations, with viewers in a fixed random order.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use maskrank_pipeline::config::{CommunitySearchConfig, PipelineConfig};
use maskrank_pipeline::domain::stores::Stores;
use maskrank_pipeline::domain::{
    Candidate, Clock, FeatureBatch, ManualClock, ModelInputs, PostCounts, Predictions, Query, RequestColumns,
    RequestFacts, ScorerClient, ScorerError, SourceKind, SuggestKind, Task, UserId,
};
use maskrank_pipeline::features::{FeaturePlan, Registry, families};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::sources::nearest;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::timeline::{Home, HomeParts};
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
    let parts = HomeParts {
        stores,
        ads: Arc::new([]),
        registry,
        client,
        recommender: None,
        clock,
        key: Key::new([0; 32]),
    };
    let home = Home::new(config, parts).expect("declared");
    let product = home.for_you();
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

/// The search for posts by communities. Its answer is checked first: of the exact best hundred it must give 95.
fn retrieval(criterion: &mut Criterion) {
    let (stores, clock) = world();
    let limits = CommunitySearchConfig::default();
    let exact = CommunitySearchConfig { max_posts_per_community: usize::MAX, ..limits.clone() };
    let viewers = (1..=u64::from(USERS)).step_by(97).map(UserId);
    let queries: Vec<_> = viewers.filter_map(|viewer| stores.embeddings.user_communities(viewer)).collect();
    let index = &*stores.retrieval;
    let (mut hits, mut wanted) = (0, 0);
    for query in &queries {
        let truth = nearest(index, &exact, clock.now(), query);
        let Some((_, least)) = truth.get(99).or(truth.last()) else { continue };
        // Equal cosines stand for each other; sums in another order differ by some roundings.
        let found = nearest(index, &limits, clock.now(), query);
        hits += found.iter().take(100).filter(|(_, cosine)| cosine + 16.0 * f32::EPSILON >= *least).count();
        wanted += truth.len().min(100);
    }
    assert!(hits as f64 >= 0.95 * wanted as f64, "recall@100 is {hits} of {wanted}");
    println!("recall@100 is {:.4} at the stated limits", hits as f64 / wanted.max(1) as f64);
    let mut turn = 0;
    criterion.bench_function(&format!("retrieval/nearest/u{USERS}_p{POSTS}"), |bencher| {
        bencher.iter(|| {
            turn = (turn + 1) % queries.len();
            black_box(nearest(index, &limits, clock.now(), &queries[turn]))
        });
    });
}

criterion_group!(benches, requests, features, retrieval);
criterion_main!(benches);
