//! The whole registry over a generated world: that its slots are alive, and that they hold what the raw events say.
#![cfg(feature = "stores")]

mod raw;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::stores::Stores;
use maskrank_pipeline::domain::{
    Candidate, Clock, Engagement, EngagementKind, Feature, FeatureBatch, ManualClock, Millis, ModelInputs,
    PostCounts, Predictions, Query, RequestColumns, RequestFacts, ScorerClient, ScorerError, SourceKind,
    SuggestKind, Task, UserId,
};
use maskrank_pipeline::engine::EngineConfig;
use maskrank_pipeline::features::{BINARY_SLOTS, CONTINUOUS_SLOTS, FeaturePlan, Registry, families};
use maskrank_pipeline::products::for_you;
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::world::WorldConfig;
use raw::RawWorld;

const ALL: ModelInputs =
    ModelInputs { continuous: CONTINUOUS_SLOTS, binary: BINARY_SLOTS, ..ModelInputs::PRODUCTION };

/// A model that reads every slot and remembers the smallest and the largest value of each.
struct Watcher {
    once: RequestColumns,
    seen: Mutex<Vec<(f32, f32)>>,
}

#[async_trait]
impl ScorerClient for Watcher {
    fn inputs(&self) -> ModelInputs {
        ALL
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.once
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        let mut seen = self.seen.lock().expect("no panic");
        for row in batch.continuous.chunks_exact(CONTINUOUS_SLOTS) {
            for ((low, high), value) in seen.iter_mut().zip(row) {
                assert!(value.is_finite(), "a feature is not a number");
                *low = low.min(*value);
                *high = high.max(*value);
            }
        }
        let rows = (0..batch.candidates).map(|row| [row as f32 / batch.candidates as f32; Task::COUNT]);
        let rows = rows.collect();
        (batch, Ok(Predictions { rows }))
    }
}

#[tokio::test]
async fn slots_take_more_than_one_value() {
    let config = WorldConfig::sized(3_000, 40_000);
    let clock = Arc::new(ManualClock::new(config.now));
    let raw = RawWorld::generate(config);
    let stores = Embedded::in_memory(raw.loaded.base, clock.clone(), StoreOptions::default()).expect("opens");
    let stores = Arc::new(stores).stores();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    let unseen = vec![(f32::INFINITY, f32::NEG_INFINITY); CONTINUOUS_SLOTS];
    let watcher = Arc::new(Watcher { once: RequestColumns::default(), seen: Mutex::new(unseen) });
    let mut config = PipelineConfig { engine: EngineConfig::patient(), ..PipelineConfig::default() };
    config.fetch.cache.max_posts = 0;
    let product = for_you(
        &config,
        &stores,
        Arc::clone(&registry),
        watcher.clone(),
        clock.clone(),
        &Key::random().expect("a key"),
    )
    .expect("declared");
    for (step, viewer) in (1..=3_000_u64).step_by(17).map(UserId).enumerate() {
        if step == 90 {
            clock.advance(Duration::from_secs(3 * 3_600));
        }
        let request = RequestFacts { max_results: Some(20 + step % 3), ..RequestFacts::default() };
        // Withdrawn accounts have no timeline.
        if let Ok((response, _)) = product.serve(viewer, request).await {
            product.engine().drain().await;
            assert!(response.missing.is_empty(), "viewer {viewer}: {:?}", response.missing);
        }
    }
    let seen = watcher.seen.lock().expect("no panic");
    let varies = |slot: &usize| seen[*slot].0 < seen[*slot].1;
    let all = (0..CONTINUOUS_SLOTS).filter(varies).count();
    let read = (0..ModelInputs::PRODUCTION.continuous).filter(varies).count();
    let mut constant = std::collections::BTreeMap::<&str, usize>::new();
    for slot in (0..CONTINUOUS_SLOTS).filter(|slot| !varies(slot)) {
        let name = &registry.continuous_names()[slot];
        let group = name.rsplit_once('.').map_or(name.as_str(), |(group, _)| group);
        *constant.entry(group).or_default() += 1;
    }
    assert!(all >= 5_000, "{all} of all slots vary; constant: {constant:?}");
    assert!(read >= 2_000, "{read} of the slots that the model reads vary; constant: {constant:?}");
}

/// A plan that computes every slot for each candidate.
fn plan(stores: &Stores, clock: &Arc<ManualClock>) -> FeaturePlan {
    let registry = Arc::new(Registry::new(families::all(stores)).expect("fits"));
    let once = RequestColumns::default();
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    FeaturePlan::new(registry, ALL, &once, Arc::clone(&stores.embeddings), clock).expect("laid out")
}

/// Compares every counted feature of some viewers and posts with a recount of the raw events.
fn compare(
    stores: &Stores,
    clock: &Arc<ManualClock>,
    events: &[Engagement],
    raw: &RawFacts,
    seed: u64,
) -> usize {
    let plan = plan(stores, clock);
    let names = plan.registry().continuous_names();
    let mut random = seed;
    let mut below = |count: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % count
    };
    let mut compared = 0;
    for _ in 0..6 {
        // Somebody who did something with something: else most of it would be 0.
        let event = events[below(events.len())];
        let viewer = event.user;
        let ids = [event.post, events[below(events.len())].post];
        let mut query = Query::new(viewer, clock.now(), RequestFacts::default());
        query.facts.user = stores.users.get(viewer).expect("exists").into();
        let of = |id| {
            let (post, counts): (_, PostCounts) = stores.posts.get(id).expect("is stored");
            let mut candidate =
                Candidate::of(&post, counts, SourceKind::InNetwork, SuggestKind::RankedTimeline);
            candidate.original = Feature::Value(None);
            candidate
        };
        let candidates = ids.map(of);
        let mut batch = FeatureBatch::default();
        plan.fill(&query, &candidates, &mut batch);
        for (row, candidate) in batch.continuous.chunks_exact(CONTINUOUS_SLOTS).zip(&candidates) {
            let post = candidate.post.get().expect("was set");
            let moment = raw::Moment { viewer, now: clock.now(), post };
            let truth = raw.recount(events, &moment);
            for (name, got) in names.iter().zip(row) {
                let Some(expected) = truth.value(name) else { continue };
                // Every event is rounded once when it is added, and once for each later day and addition.
                let bound = 1e-6 + 4e-5 * expected.abs();
                let error = (f64::from(*got) - expected).abs();
                assert!(
                    error <= bound,
                    "seed {seed} viewer {viewer} post {}: {name}: expected {expected}, got {got}",
                    post.id
                );
                compared += usize::from(expected > 0.0);
            }
        }
    }
    compared
}

use raw::RawFacts;

fn open(raw: &WorldConfig, journal: &Path, clock: &Arc<ManualClock>) -> (Stores, Vec<Engagement>, RawFacts) {
    let RawWorld { loaded, events, facts } = RawWorld::generate(raw.clone());
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let stores = Embedded::open(loaded.base, journal, clock, StoreOptions::default()).expect("opens");
    (Arc::new(stores).stores(), events, facts)
}

#[test]
fn counted_features_equal_a_recount_of_the_raw_events_also_after_a_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let config = WorldConfig::sized(400, 4_000);
    let clock = Arc::new(ManualClock::new(config.now));
    let (stores, mut events, facts) = open(&config, &journal, &clock);
    let compared = compare(&stores, &clock, &events, &facts, 1);
    assert!(compared > 2_000, "only {compared} values were not 0");
    // More happens, in no order of time, over two days.
    let more: Vec<Engagement> = (0..600_usize)
        .map(|step| {
            let old = events[(step * 7_919) % events.len()];
            let user = UserId(1 + (step as u64 * 31) % 400);
            let at = Millis(config.now.0 + ((step as i64 * 7_777_777) % 172_800_000));
            Engagement { user, kind: EngagementKind::ALL[step % EngagementKind::ALL.len()], at, ..old }
        })
        .collect();
    clock.advance(Duration::from_secs(2 * 86_400 + 1_234));
    more.chunks(50).for_each(|part| stores.engagements.record(part).expect("recorded"));
    events.extend(&more);
    assert!(compare(&stores, &clock, &events, &facts, 2) > 2_000);
    drop(stores);
    let (stores, _, _) = open(&config, &journal, &clock);
    assert!(compare(&stores, &clock, &events, &facts, 3) > 2_000, "after a replay");
    assert!(compare(&stores, &clock, &events, &facts, 2) > 2_000, "the same ones");
}
