//! The whole funnel over a small world.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::TimelineResponse;
use crate::config::PipelineConfig;
use crate::domain::stores::{FeedbackStore, HistoryStore, Relation, SocialGraph};
use crate::domain::{
    Candidate, Cursor, Feedback, FeedbackKind, ManualClock, PostId, Query, RequestFacts, ScorerClient,
    SourceKind, SuggestKind, UserId,
};
use crate::engine::{CandidatePipeline, FailOpen, Failure, FailureKind, Scope, StageKind, Status};
use crate::features::{FeaturePlan, Registry, families};
use crate::testing::{
    Answer, HashModel, MemoryStores, NOW, VIEWER, config, home, hours, id_before, post, quote, reply, repost,
};
use crate::timeline::Home;

struct World {
    stores: Arc<MemoryStores>,
    clock: Arc<ManualClock>,
    model: Arc<HashModel>,
    home: Home,
}

/// The viewer follows 10..20; everybody of 10..30 has five posts of the last hours.
fn world_with(config: &PipelineConfig, answer: Answer) -> World {
    let stores = MemoryStores::with_users((1..=1).chain(10..30));
    (10..20).for_each(|author| stores.relate(Relation::Follow, VIEWER.0, author));
    for author in 10..30 {
        (0..5).for_each(|place| stores.add(&post(author, 10 + 60 * place + author), (author * place) as u32));
    }
    let (home, model, clock) = home(config.clone(), &stores, &[], answer);
    World { stores, clock, model, home }
}

fn world() -> World {
    world_with(&config(), Answer::Rows)
}

impl World {
    async fn serve(&self) -> TimelineResponse {
        self.serve_with(RequestFacts::default()).await
    }

    async fn serve_with(&self, request: RequestFacts) -> TimelineResponse {
        let (response, _) = self.home.for_you().serve(VIEWER, request).await.expect("the request survives");
        self.home.engine().drain().await;
        response
    }

    /// So much later that nothing cached is used any more.
    async fn serve_fresh(&self) -> TimelineResponse {
        self.clock.advance(Duration::from_secs(181));
        self.serve().await
    }
}

fn authors(response: &TimelineResponse) -> HashSet<u64> {
    response.posts.iter().map(|post| post.author_id.0).collect()
}

#[tokio::test]
async fn a_timeline_holds_posts_of_followed_accounts_best_first() {
    let response = world().serve().await;
    assert_eq!(response.viewer, VIEWER);
    assert_eq!(response.posts.len(), 35);
    assert!(authors(&response).iter().all(|author| (10..20).contains(author)), "{:?}", authors(&response));
    assert!(response.posts.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert!(
        response.posts.iter().all(|post| post.source == SourceKind::InNetwork && !post.reasons.is_empty())
    );
    assert!(response.missing.is_empty(), "{:?}", response.missing);
}

#[tokio::test]
async fn the_same_world_and_moment_give_the_same_timeline() {
    assert_eq!(world().serve().await, world().serve().await);
}

#[tokio::test]
async fn a_second_request_uses_the_scores_of_the_first() {
    let world = world();
    let first = world.serve().await;
    world.clock.advance(Duration::from_secs(60));
    let second = world.serve().await;
    assert_eq!(
        world.model.calls.load(std::sync::atomic::Ordering::Relaxed),
        1,
        "50 posts are cached: no source is asked"
    );
    let ids = |response: &TimelineResponse| response.posts.iter().map(|post| post.id).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second));
    world.clock.advance(Duration::from_secs(121));
    world.serve().await;
    assert_eq!(
        world.model.calls.load(std::sync::atomic::Ordering::Relaxed),
        2,
        "after three minutes they are not used"
    );
}

#[tokio::test]
async fn blocks_and_mutes_act_on_the_next_request_reposts_and_quotes_included() {
    for relation in [Relation::Block, Relation::Mute] {
        for (from, to) in [(VIEWER.0, 25), (25, VIEWER.0)] {
            if relation == Relation::Mute && from != VIEWER.0 {
                continue;
            }
            let world = world();
            let original = post(25, 500);
            world.stores.add(&original, 10);
            let through = [repost(10, 20, &original), quote(11, 21, &original)];
            through.iter().for_each(|post| world.stores.add(post, 1_000_000));
            let shown = |response: &TimelineResponse| {
                through.iter().filter(|post| response.posts.iter().any(|served| served.id == post.id)).count()
            };
            assert_eq!(
                shown(
                    &world
                        .serve_with(RequestFacts { max_results: Some(100), ..RequestFacts::default() })
                        .await
                ),
                2
            );
            world.stores.set(relation, UserId(from), UserId(to), true).expect("set");
            let request = RequestFacts { max_results: Some(100), ..RequestFacts::default() };
            assert_eq!(shown(&world.serve_with(request).await), 0, "{relation:?} {from} {to}");
        }
    }
}

#[tokio::test]
async fn feedback_about_an_author_removes_them_from_the_next_request_and_later_costs_score() {
    let world = world();
    assert!(authors(&world.serve().await).contains(&12));
    let feedback =
        Feedback { viewer: VIEWER, kind: FeedbackKind::Post, about: UserId(12), post: None, at: NOW };
    world.stores.record_feedback(feedback).expect("recorded");
    assert!(!authors(&world.serve().await).contains(&12), "also out of the cache");
}

#[tokio::test]
async fn seen_posts_do_not_come_again() {
    let world = world();
    let first = world.serve().await;
    let seen: Vec<PostId> = first.posts.iter().map(|post| post.id).take(10).collect();
    let request = RequestFacts { seen: seen.clone(), ..RequestFacts::default() };
    for response in [world.serve_with(request).await, world.serve().await, world.serve_fresh().await] {
        assert!(response.posts.iter().all(|post| !seen.contains(&post.id)), "neither now nor later");
    }
}

#[tokio::test]
async fn an_older_page_repeats_nothing_of_the_first() {
    let world = world();
    let first = world.serve().await;
    let oldest = first.posts.iter().map(|post| post.id).min().expect("a page");
    let request = RequestFacts { cursor: Some(Cursor::Bottom { oldest }), ..RequestFacts::default() };
    let second = world.serve_with(request).await;
    let shown: HashSet<_> = first.posts.iter().map(|post| post.id).collect();
    assert_eq!(second.posts.len(), 15, "50 posts in all");
    assert!(second.posts.iter().all(|post| !shown.contains(&post.id)));
}

#[tokio::test]
async fn visits_and_served_posts_are_recorded_after_the_response() {
    let world = world();
    let response = world.serve().await;
    assert_eq!(world.stores.visits(VIEWER), [NOW]);
    let served = world.stores.served(VIEWER, RequestFacts::default().platform, NOW);
    let ids: Vec<_> = served[0].posts.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, response.posts.iter().map(|post| post.id).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_model_that_fails_hangs_or_miscounts_leaves_the_light_rankers_order() {
    for answer in [Answer::Fails, Answer::Hangs, Answer::TooFew] {
        let world = world_with(&config(), answer);
        let response = world.serve().await;
        assert_eq!(response.posts.len(), 35);
        assert_eq!(response.missing, ["model"]);
    }
}

#[tokio::test]
async fn scores_that_are_not_numbers_sink() {
    let world = world_with(&config(), Answer::SomeNaN);
    let request = RequestFacts { max_results: Some(100), ..RequestFacts::default() };
    let response = world.serve_with(request).await;
    let finite = response.posts.iter().take_while(|post| post.score.is_finite()).count();
    assert!(finite > 0 && finite < response.posts.len(), "{finite} of {}", response.posts.len());
    assert!(response.posts[finite..].iter().all(|post| !post.score.is_finite()));
}

#[tokio::test]
async fn a_viewer_who_follows_nobody_gets_an_empty_timeline_and_a_stranger_none() {
    let world = world();
    let (response, _) =
        world.home.for_you().serve(UserId(29), RequestFacts::default()).await.expect("an empty timeline");
    assert!(response.posts.is_empty());
    let failure =
        world.home.for_you().serve(UserId(999), RequestFacts::default()).await.expect_err("no such viewer");
    assert_eq!(failure.kind, FailureKind::ClosedGate);
}

#[tokio::test]
async fn backfill_comes_for_viewers_who_were_away_and_is_no_duplicate() {
    let mut away = config();
    away.fetch.backfill.enabled = true;
    let world = world_with(&away, Answer::Rows);
    let parent = post(20, 300);
    world.stores.add(&parent, 0);
    let answer = reply(10, 5, &parent);
    world.stores.add(&answer, 0);
    let old =
        crate::domain::Post { id: id_before(hours(30), 10), created_at: NOW - hours(30), ..post(10, 0) };
    world.stores.add(&old, 0);
    let request = RequestFacts { max_results: Some(200), ..RequestFacts::default() };
    let response = world.serve_with(request.clone()).await;
    let ids: Vec<_> = response.posts.iter().map(|post| post.id).collect();
    assert_eq!(ids.len(), ids.iter().collect::<HashSet<_>>().len(), "each post once");
    let backfilled = response.posts.iter().find(|post| post.id == old.id);
    assert_eq!(
        backfilled.map(|post| post.source),
        Some(SourceKind::Backfill),
        "older than the search's window"
    );
    world.clock.advance(Duration::from_secs(181));
    let later = world.serve_with(request).await;
    assert!(later.posts.iter().all(|post| post.id != old.id), "just visited");
}

#[tokio::test]
async fn every_candidate_is_accounted_for_at_every_stage() {
    let world = world();
    let (response, report) =
        world.home.for_you().serve(VIEWER, RequestFacts::default()).await.expect("served");
    let mut expected: usize = report
        .stages
        .iter()
        .filter(|row| row.pipeline == "scored_posts" && row.stage == StageKind::CandidatePipeline)
        .map(|row| row.kept)
        .sum();
    let order =
        [StageKind::MergeSelector, StageKind::Filter, StageKind::PostScoringFilter, StageKind::Selector];
    for stage in order {
        for row in report.of("scored_posts", stage).filter(|row| row.status == Status::Done) {
            assert_eq!(row.entered, expected, "{row:?}");
            assert_eq!(row.entered, row.kept + row.removed, "{row:?}");
            expected = row.kept;
        }
    }
    assert_eq!(expected, 50);
    assert_eq!(response.posts.len(), 35);
}

/// Gives posts that do not exist, twice each, under wrong authors, with scores that are no numbers; and the viewer's own.
struct Garbage;
crate::component!(Garbage, "garbage", "gives rubbish");

#[async_trait::async_trait]
impl crate::engine::Source<Query, Candidate> for Garbage {
    async fn fetch(&self, _: &Query, _: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let mut rubbish = Vec::new();
        for id in [0, 1, u64::MAX, id_before(hours(1), 7).0] {
            for author in [VIEWER, UserId(u64::MAX), UserId(10)] {
                let mut candidate =
                    Candidate::new(PostId(id), author, SourceKind::Similar, SuggestKind::SimilarContent);
                candidate.light_score = f32::NAN;
                candidate.score = f64::INFINITY;
                rubbish.push(candidate);
            }
        }
        Ok(rubbish)
    }
}

#[tokio::test]
async fn a_source_of_rubbish_leaves_the_rest_as_it_was() {
    let serve = async |rubbish: bool| {
        let world = world();
        let stores = world.stores.stores();
        let registry = Arc::new(Registry::new(families::all(&stores)).expect("the families fit"));
        let client = Arc::clone(&world.model) as Arc<dyn ScorerClient>;
        let once = client.request_columns();
        let embeddings = Arc::clone(&stores.embeddings);
        let plan = FeaturePlan::new(registry, client.inputs(), once, embeddings, world.clock.clone())
            .expect("laid out");
        let mut ranking = super::scored_posts(&config(), &stores, Arc::new(plan), client);
        if rubbish {
            let pipeline = CandidatePipeline {
                fail_open: FailOpen::Always,
                ..CandidatePipeline::new("garbage", Arc::new(Garbage))
            };
            ranking.candidate_pipelines.insert(0, pipeline);
        }
        let query = Arc::new(Query::new(VIEWER, NOW, RequestFacts::default()));
        let outcome = ranking.run(&world.home.engine().start(), query).await.expect("the request survives");
        let ids: Vec<_> = outcome.served.selected.iter().map(|c| (c.post_id, c.score.to_bits())).collect();
        (ids, outcome.served.removed.len())
    };
    let (clean, removed) = serve(false).await;
    let (with_rubbish, removed_with) = serve(true).await;
    assert_eq!(clean, with_rubbish);
    assert_eq!(removed_with, removed + 12, "all of it accounted for");
}

#[tokio::test]
async fn authors_served_lately_rank_lower_when_that_is_remembered() {
    let mut remembering = config();
    remembering.heuristics.diversity.memory_half_life_ms = Some(3_600_000);
    for (config, lowers) in [(remembering, true), (config(), false)] {
        let world = world_with(&config, Answer::Rows);
        let diversity = async |author: u64| {
            let response = world.serve_fresh().await;
            let best = response.posts.iter().find(|post| post.author_id.0 == author).expect("is served");
            let factor = best.reasons.iter().find_map(|why| why.strip_prefix("author_diversity x"));
            factor.map_or(1.0, |factor| factor.parse::<f64>().expect("a number"))
        };
        let first = diversity(12).await;
        let second = diversity(12).await;
        assert_eq!(first, 1.0);
        assert_eq!(second < 0.9, lowers, "{second}");
        if lowers {
            world.clock.advance(Duration::from_secs(40 * 3_600));
            // Posts grow too old in the meantime: one that was not there then.
            world.stores.add(&crate::domain::Post { ..recent(&world, 12) }, 0);
            assert_eq!(diversity(12).await, 1.0, "forgotten after forty half-lives");
        }
    }
}

/// A post of `author` of the last minute.
fn recent(world: &World, author: u64) -> crate::domain::Post {
    let at = crate::domain::Clock::now(&*world.clock) - Duration::from_secs(60);
    let id = PostId(PostId::at(at).0 + author);
    crate::domain::Post { id, author: UserId(author), created_at: at, conversation: id, ..Default::default() }
}
