//! The whole product over a generated world: what must hold for every viewer, checked without the funnel's own code.
#![cfg(feature = "stores")]

mod common;

use std::collections::HashSet;
use std::sync::Arc;

use common::HashModel;
use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::stores::{Relation, Stores};
use maskrank_pipeline::domain::{
    ManualClock, ModelInputs, Post, PostId, RequestFacts, SensitiveMedia, UserId,
};
use maskrank_pipeline::engine::EngineConfig;
use maskrank_pipeline::features::{Registry, families};
use maskrank_pipeline::products::TimelineResponse;
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::timeline::{Home, HomeParts};
use maskrank_pipeline::world::{LoadedWorld, WorldConfig};

const USERS: u32 = 1_000;
const POSTS: u32 = 10_000;

fn open() -> (Home, Stores) {
    let config = WorldConfig::sized(USERS, POSTS);
    let clock = Arc::new(ManualClock::new(config.now));
    let world = LoadedWorld::generate(config).expect("a world");
    let embedded = Embedded::in_memory(world.base, clock.clone(), StoreOptions::default()).expect("stores");
    let stores = Arc::new(embedded).stores();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    let model = Arc::new(HashModel(registry.request_columns(ModelInputs::PRODUCTION)));
    let parts = HomeParts {
        stores: stores.clone(),
        ads: world.ads.into(),
        registry,
        client: model,
        recommender: None,
        clock,
        key: Key::new([0; 32]),
    };
    let config = PipelineConfig { engine: EngineConfig::patient(), ..PipelineConfig::default() };
    (Home::new(config, parts).expect("declared"), stores)
}

async fn serve(home: &Home, viewer: UserId) -> TimelineResponse {
    let (response, _) = home.for_you().serve(viewer, RequestFacts::default()).await.expect("served");
    home.drain().await;
    assert!(response.missing.is_empty(), "viewer {viewer}: {:?}", response.missing);
    response
}

fn stored(stores: &Stores, id: PostId) -> Arc<Post> {
    stores.posts.get(id).expect("what is served is stored").0
}

/// The post, what it passes on and what that quotes.
fn shown(stores: &Stores, id: PostId) -> Vec<Arc<Post>> {
    let post = stored(stores, id);
    let content = post.repost_of.map_or_else(|| Arc::clone(&post), |original| stored(stores, original.id));
    let quoted = content.quotes.and_then(|quoted| stores.posts.get(quoted.id)).map(|(post, _)| post);
    [Some(post), Some(content), quoted].into_iter().flatten().collect()
}

#[tokio::test]
async fn no_viewer_meets_whom_or_what_they_must_not() {
    let (home, stores) = open();
    let mut served = 0;
    for viewer in (1..=u64::from(USERS)).step_by(7).map(UserId) {
        let response = serve(&home, viewer).await;
        let settings = stores.users.settings(viewer).expect("the viewer exists");
        let mut originals = HashSet::new();
        for post in &response.posts {
            served += 1;
            let parts = shown(&stores, post.id);
            assert!(originals.insert(parts[1].id), "viewer {viewer}: post {} twice", parts[1].id);
            for part in &parts {
                let author = part.author;
                let between = |relation, from, to| stores.graph.has(relation, from, to);
                assert!(!between(Relation::Block, viewer, author), "viewer {viewer} blocks {author}");
                assert!(!between(Relation::Block, author, viewer), "{author} blocks viewer {viewer}");
                assert!(!between(Relation::Mute, viewer, author), "viewer {viewer} mutes {author}");
                let account = stores.users.get(author).expect("the author exists");
                assert!(!account.is_withdrawn, "{author} is withdrawn");
                let may_see =
                    !account.is_protected || author == viewer || between(Relation::Follow, viewer, author);
                assert!(may_see, "{author} is protected from viewer {viewer}");
                let hidden = settings.sensitive_media == SensitiveMedia::Hide && part.labels.is_sensitive();
                assert!(!hidden, "viewer {viewer} hides sensitive media: post {}", part.id);
                assert!(!settings.muted_conversations.contains(&part.conversation), "a muted conversation");
            }
            assert!(parts.iter().take(2).all(|part| part.author != viewer), "viewer {viewer}: an own post");
        }
    }
    assert!(served > 1_000, "the world is worth the test: {served} posts");
}

#[tokio::test]
async fn two_equal_worlds_give_equal_timelines() {
    let (first, _) = open();
    let (second, _) = open();
    for viewer in (1..=u64::from(USERS)).step_by(101).map(UserId) {
        assert_eq!(serve(&first, viewer).await, serve(&second, viewer).await, "viewer {viewer}");
    }
}

#[tokio::test]
async fn blocking_or_muting_an_author_changes_the_next_timeline() {
    let (home, stores) = open();
    let mut tried = 0;
    for (viewer, relation) in (1..40).map(UserId).zip([Relation::Block, Relation::Mute].into_iter().cycle()) {
        let Some(author) = serve(&home, viewer).await.posts.first().map(|post| post.author_id) else {
            continue;
        };
        stores.graph.set(relation, viewer, author, true).expect("stored");
        let next = serve(&home, viewer).await;
        let met =
            next.posts.iter().any(|post| shown(&stores, post.id).iter().any(|part| part.author == author));
        assert!(!met, "viewer {viewer} meets {author} after {relation:?}");
        tried += 1;
    }
    assert!(tried > 20, "enough viewers had a timeline: {tried}");
}
