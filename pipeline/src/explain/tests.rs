//! Explanations against the engine's own account of the same request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Answered, Fate, StepSeen};
use crate::config::PipelineConfig;
use crate::domain::stores::{Relation, SocialGraph};
use crate::domain::{ManualClock, ModelInputs, PostId, RequestFacts, ScorerClient, SourceKind, UserId};
use crate::engine::StageKind;
use crate::features::{Registry, families};
use crate::products::{ForYou, for_you};
use crate::sealed::Key;
use crate::testing::{Answer, HashModel, MemoryStores, NOW, VIEWER, config, post};

struct World {
    stores: Arc<MemoryStores>,
    clock: Arc<ManualClock>,
    product: ForYou,
}

/// The viewer follows 10..20; everybody of 10..30 has five posts of the last hours.
fn world(config: &PipelineConfig) -> World {
    let stores = MemoryStores::with_users((1..=1).chain(10..30));
    (10..20).for_each(|author| stores.relate(Relation::Follow, VIEWER.0, author));
    for author in 10..30 {
        (0..5).for_each(|place| stores.add(&post(author, 10 + 60 * place + author), (author * place) as u32));
    }
    let registry = Arc::new(Registry::new(families::all(&stores.stores())).expect("the families fit"));
    let model = HashModel::new(registry.request_columns(ModelInputs::PRODUCTION), Answer::Rows);
    let clock = Arc::new(ManualClock::new(NOW));
    let client = model as Arc<dyn ScorerClient>;
    let product = for_you(config, &stores.stores(), registry, client, clock.clone(), &Key::new([0; 32]))
        .expect("declared rightly");
    World { stores, clock, product }
}

#[tokio::test]
async fn a_served_post_is_explained_with_everything_that_made_its_score() {
    let world = world(&config());
    let request = RequestFacts { request_id: 7, ..RequestFacts::default() };
    let (served, _) = world.product.serve(VIEWER, request).await.expect("served");
    world.product.engine().drain().await;
    for (position, post) in served.posts.iter().enumerate() {
        let told = world.product.explain_served(VIEWER, 7, post.id).await.expect("is known");
        assert_eq!(told.outcome, Fate::Served { position, shown_as: post.id });
        let scoring = told.scoring.as_ref().expect("was scored");
        assert_eq!((scoring.score, scoring.source), (post.score, SourceKind::InNetwork));
        let product: f64 = scoring.factors.iter().map(|factor| factor.value).product();
        let expected = scoring.model_score.expect("was scored") * product;
        assert!((scoring.score - expected).abs() <= 8.0 * f64::EPSILON * expected.abs());
        assert_eq!(scoring.probabilities.len(), 10);
        let found =
            told.sources.iter().find(|source| source.pipeline == "in_network_posts").expect("declared");
        assert!(matches!(found.answer, Answered::Found { of: 50, .. }), "{found:?}");
        let names: usize = told.features.iter().map(|family| family.values.len()).sum();
        assert_eq!(names, 2117 + 59 + 600);
        assert!(told.is_replay && told.to_string().contains("served at position"));
        serde_json::to_string(&told).expect("is serialisable");
    }
}

#[tokio::test]
async fn asking_changes_nothing() {
    let world = world(&config());
    let id = post(10, 20).id;
    let first = world.product.explain(VIEWER, RequestFacts::default(), id).await;
    world.product.engine().drain().await;
    assert_eq!(world.product.explain(VIEWER, RequestFacts::default(), id).await, first);
    let untouched = self::world(&config());
    let (a, _) = world.product.serve(VIEWER, RequestFacts::default()).await.expect("served");
    let (b, _) = untouched.product.serve(VIEWER, RequestFacts::default()).await.expect("served");
    assert_eq!(a, b);
}

#[tokio::test]
async fn what_was_served_is_explained_as_it_was_although_time_and_the_viewer_went_on() {
    let world = world(&config());
    let request = RequestFacts { request_id: 3, ..RequestFacts::default() };
    let (served, _) = world.product.serve(VIEWER, request.clone()).await.expect("served");
    world.product.engine().drain().await;
    world.clock.advance(Duration::from_secs(3_600));
    world.stores.set(Relation::Follow, VIEWER, served.posts[0].author_id, false).expect("set");
    let seen =
        RequestFacts { seen: served.posts.iter().map(|post| post.id).collect(), ..RequestFacts::default() };
    world.product.serve(VIEWER, seen).await.expect("served");
    world.product.engine().drain().await;
    for (position, post) in served.posts.iter().enumerate() {
        let told = world.product.explain_served(VIEWER, 3, post.id).await.expect("is known");
        assert_eq!(told.outcome, Fate::Served { position, shown_as: post.id });
        assert_eq!(told.now, NOW);
        let now = world.product.explain(VIEWER, RequestFacts::default(), post.id).await;
        assert!(!matches!(now.outcome, Fate::Served { .. }), "seen since: {:?}", now.outcome);
    }
    assert!(world.product.explain_served(VIEWER, 99, served.posts[0].id).await.is_none());
    assert!(world.product.explain_served(UserId(10), 3, served.posts[0].id).await.is_none());
}

#[tokio::test]
async fn a_post_that_is_not_there_is_explained_too() {
    let world = world(&config());
    let explain = async |viewer: u64, id: PostId| {
        world.product.explain(UserId(viewer), RequestFacts::default(), id).await
    };
    let stranger = explain(1, post(25, 35).id).await;
    assert_eq!(stranger.outcome, Fate::NotFound);
    let in_network = &stranger.sources[1];
    let why = "the viewer does not follow its author".to_owned();
    assert_eq!((in_network.source, &in_network.answer), ("in_network", &Answered::PassedOver { why }));
    assert!(stranger.features.is_empty() && stranger.scoring.is_none());
    assert_eq!(explain(1, PostId(5)).await.outcome, Fate::Unknown);
    assert!(matches!(explain(999, PostId(5)).await.outcome, Fate::NoTimeline { .. }));

    world.stores.relate(Relation::Mute, 1, 12);
    let muted = explain(1, post(12, 22).id).await;
    let Fate::Removed { pipeline, stage, component, .. } = muted.outcome else {
        panic!("{:?}", muted.outcome)
    };
    assert_eq!((pipeline, stage, component), ("scored_posts", StageKind::Filter, "author_visibility"));
}

#[tokio::test]
async fn places_and_ranks_are_those_among_all_candidates_of_a_step() {
    let world = world(&config());
    let mut steps = BTreeMap::<_, Vec<StepSeen>>::new();
    for author in 10..20 {
        for place in 0..5 {
            let id = post(author, 10 + 60 * place + author).id;
            let told = world.product.explain(VIEWER, RequestFacts::default(), id).await;
            let found = told.sources.iter().find(|source| source.source == "in_network").expect("declared");
            let Answered::Found { place, of: 50, .. } = found.answer else { panic!("{found:?}") };
            let at_source = told.steps.iter().find(|step| step.component == "in_network").expect("was seen");
            assert_eq!(at_source.place, place);
            for step in told.steps {
                steps.entry((step.pipeline, step.stage.name(), step.component)).or_default().push(step);
            }
        }
    }
    let mut by_score = 0;
    for (step, seen) in steps {
        let mut places: Vec<usize> = seen.iter().map(|one| one.place).collect();
        places.sort_unstable();
        if seen.iter().any(|one| one.of != seen.len()) {
            continue;
        }
        // All that were there were asked about.
        assert_eq!(places, (0..seen.len()).collect::<Vec<_>>(), "{step:?}");
        for one in &seen {
            let better = seen.iter().filter(|other| other.score > one.score).count();
            assert_eq!(one.rank, better, "{step:?}: {one:?}");
        }
        by_score += usize::from(seen.iter().any(|one| one.rank > 0));
    }
    assert!(by_score >= 3, "{by_score} steps with scores that differ");
}
