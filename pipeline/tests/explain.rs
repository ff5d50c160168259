//! Explanations of random viewers and posts of a generated world, against the engine's own account of the same request.
#![cfg(feature = "stores")]

mod common;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use common::HashModel;
use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::{Clock, ManualClock, ModelInputs, PostId, Query, RequestFacts, UserId};
use maskrank_pipeline::engine::{EngineConfig, StageKind};
use maskrank_pipeline::explain::{Answered, Fate};
use maskrank_pipeline::features::{Registry, families};
use maskrank_pipeline::products::for_you;
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::world::{LoadedWorld, WorldConfig};

const USERS: u64 = 1_000;
const PAIRS: usize = 1_000;
const PAIRS_PER_VIEWER: usize = 25;

/// What the engine says of a post: where it was shown, or who removed it last.
#[derive(Clone, Debug, PartialEq)]
enum Account {
    Shown(usize),
    Removed(&'static str, &'static str),
}

#[tokio::test]
async fn a_thousand_explanations_name_what_the_engine_did() {
    let config = WorldConfig::sized(USERS as u32, 10_000);
    let clock = Arc::new(ManualClock::new(config.now));
    let world = LoadedWorld::generate(config).expect("a world");
    let embedded = Embedded::in_memory(world.base, clock.clone(), StoreOptions::default()).expect("stores");
    let stores = Arc::new(embedded).stores();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    let model = Arc::new(HashModel(registry.request_columns(ModelInputs::PRODUCTION)));
    let constants = PipelineConfig { engine: EngineConfig::patient(), ..PipelineConfig::default() };
    let product =
        for_you(&constants, &stores, registry, model, clock.clone(), &Key::new([0; 32])).expect("declared");
    let all_posts: Vec<PostId> = (1..=USERS)
        .flat_map(|author| {
            let mut ids = Vec::new();
            stores.posts.visit_by_author(UserId(author), &mut |post, _| {
                ids.push(post.id);
                std::ops::ControlFlow::Continue(())
            });
            ids
        })
        .collect();
    let mut random = 11_u64;
    let mut below = |count: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % count
    };
    let (mut pairs, mut kinds) = (0, HashMap::<&str, usize>::new());
    let (mut removed_by, mut asked) = (BTreeSet::new(), BTreeSet::new());
    while pairs < PAIRS {
        let viewer = UserId(1 + below(USERS as usize) as u64);
        // Each viewer once: a second request of the same number would be another one than the recorded.
        if stores.users.get(viewer).is_none_or(|user| user.is_withdrawn) || !asked.insert(viewer) {
            continue;
        }
        // The engine's own account, first of the ranking alone, then of the whole product. The ranking's one trace is
        // the cache: without it both see the same world.
        let query =
            Query::new(viewer, clock.now(), RequestFacts { request_id: 5, ..RequestFacts::default() });
        let outcome = product.ranking().run(&product.engine().start(), Arc::new(query)).await.expect("ranks");
        product.engine().drain().await;
        stores.cache.clear(viewer);
        let Ok((mixed, _)) =
            product.answer(viewer, RequestFacts { request_id: 5, ..RequestFacts::default() }).await
        else {
            continue;
        };
        product.engine().drain().await;
        let mut account = HashMap::<PostId, Account>::new();
        for removed in &mixed.served.removed {
            for shown in removed.candidate.all_posts() {
                account.insert(shown.candidate.post_id, Account::Removed(removed.by, removed.rule));
            }
        }
        for removed in &outcome.served.removed {
            let id = removed.candidate.post_id;
            let is_duplicate = removed.stage == StageKind::MergeSelector;
            let account_of = account.entry(id);
            if !is_duplicate {
                account_of.or_insert(Account::Removed(removed.by, removed.rule));
            }
        }
        let shown = mixed.served.selected.iter().flat_map(|item| item.all_posts());
        for (position, shown) in shown.enumerate() {
            for id in [shown.candidate.original_id(), shown.candidate.post_id] {
                account.insert(id, Account::Shown(position));
            }
        }
        let mut known: Vec<PostId> = account.keys().copied().collect();
        known.sort_unstable();
        let is_shown = |id: &PostId| matches!(account[id], Account::Shown(_));
        let shown: Vec<PostId> = known.iter().copied().filter(is_shown).collect();
        for turn in 0..PAIRS_PER_VIEWER {
            // Nearly half of them any post, a quarter what the funnel met, a quarter what it showed, some that never were.
            let from = match turn % 4 {
                1 if !known.is_empty() => &known,
                3 if !shown.is_empty() => &shown,
                _ => &all_posts,
            };
            let never_was = PostId(all_posts[below(all_posts.len())].0 ^ 1 << 21);
            let is_real = turn != 20 || stores.posts.get(never_was).is_some();
            let id = if is_real { from[below(from.len())] } else { never_was };
            let told = product.explain_served(viewer, 5, id).await.expect("was just served");
            if !is_real {
                assert_eq!(told.outcome, Fate::Unknown, "viewer {viewer} post {id}: {told}");
                *kinds.entry("unknown").or_default() += 1;
                pairs += 1;
                continue;
            }
            let expected = account.get(&id);
            match (&told.outcome, expected) {
                (Fate::Served { position, .. }, Some(Account::Shown(place))) => assert_eq!(position, place),
                (Fate::Removed { component, rule, .. }, Some(Account::Removed(by, why))) => {
                    assert_eq!((component, rule), (by, why), "viewer {viewer} post {id}: {told}");
                    removed_by.insert((*component, *rule));
                }
                (Fate::NotFound, None) => {
                    let found =
                        told.sources.iter().any(|source| matches!(source.answer, Answered::Found { .. }));
                    assert!(!found, "viewer {viewer} post {id}: {told}");
                    let silent = told.sources.iter().filter(
                        |source| matches!(&source.answer, Answered::PassedOver { why } if why.is_empty()),
                    );
                    assert_eq!(silent.count(), 0);
                }
                // A repost of it was met, and it alone.
                (Fate::Removed { .. }, None) => {
                    assert!(
                        told.steps.iter().all(|step| step.candidate != id),
                        "viewer {viewer} post {id}: {told}"
                    );
                }
                (told_fate, expected) => {
                    panic!("viewer {viewer} post {id}: {told_fate:?}, the engine says {expected:?}")
                }
            }
            let kind = match told.outcome {
                Fate::Served { .. } => "served",
                Fate::Removed { .. } => "removed",
                _ => "not found",
            };
            *kinds.entry(kind).or_default() += 1;
            pairs += 1;
        }
    }
    for kind in ["served", "removed", "not found", "unknown"] {
        assert!(kinds.get(kind).copied().unwrap_or(0) >= PAIRS / 50, "{kinds:?}");
    }
    // Filters before and after scoring, and both ways of not being selected.
    assert!(removed_by.len() >= 6, "{removed_by:?}");
    let stranger = product.explain(UserId(USERS + 1), RequestFacts::default(), all_posts[0]).await;
    assert!(matches!(stranger.outcome, Fate::NoTimeline { .. }), "{:?}", stranger.outcome);
}
