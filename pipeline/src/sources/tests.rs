//! Each source by what it finds.

use std::collections::HashSet;
use std::sync::Arc;

use super::*;
use crate::config::InNetworkConfig;
use crate::domain::{
    CachedPost, Candidate, CandidateKind, Feature, Post, PostId, Query, RealGraphScores, SourceKind,
    SuggestKind, UserId, ViewerSettings, ViewerState,
};
use crate::engine::{Scope, Source};
use crate::testing::{MemoryStores, NOW, VIEWER, hours, post, query, reference, reply, repost, run, users};

async fn fetch(source: &dyn Source<Query, Candidate>, query: &Query, quality: f64) -> Vec<Candidate> {
    let run = run();
    source.fetch(query, Scope { quality, earlier: &[], run: &run }).await.expect("fetched")
}

fn in_network(stores: &Arc<MemoryStores>, config: InNetworkConfig) -> InNetwork {
    InNetwork { posts: stores.clone(), config }
}

/// Ids of what was found, source posts aside.
fn found(candidates: &[Candidate]) -> HashSet<PostId> {
    candidates
        .iter()
        .filter(|candidate| !candidate.is_source_post)
        .map(|candidate| candidate.post_id)
        .collect()
}

#[tokio::test]
async fn in_network_takes_the_kinds_it_is_asked_for_from_followed_accounts() {
    let stores = MemoryStores::with_users([]);
    let parent = post(11, 300);
    let elsewhere = post(30, 310);
    let posts = [
        post(10, 10),
        reply(10, 20, &parent),
        reply(10, 30, &elsewhere),
        repost(10, 40, &elsewhere),
        Post { directed_at: Some(UserId(30)), ..post(10, 50) },
        Post { directed_at: Some(UserId(11)), ..post(10, 60) },
        post(30, 70),
        reply(10, 80, &post(10, 90)),
    ];
    posts.iter().for_each(|post| stores.add(post, 0));
    let query = query(&[10, 11]);
    use CandidateKind::{ExtendedReply, Original, Reply, Repost};
    for (kinds, expected) in [
        (vec![Original], &[0, 5][..]),
        (vec![Reply], &[1, 7]),
        (vec![ExtendedReply], &[2]),
        (vec![Repost], &[3]),
        (vec![Original, Reply, ExtendedReply, Repost], &[0, 1, 2, 3, 5, 7]),
    ] {
        let config =
            InNetworkConfig { kinds: kinds.clone(), max_consecutive_per_author: 99, ..Default::default() };
        let candidates = fetch(&in_network(&stores, config), &query, 1.0).await;
        let expected: HashSet<_> = expected.iter().map(|&index: &usize| posts[index].id).collect();
        assert_eq!(found(&candidates), expected, "{kinds:?}");
        let extended = candidates.iter().filter(|candidate| candidate.is_extended_reply).count();
        assert_eq!(extended, usize::from(kinds.contains(&ExtendedReply)), "{kinds:?}");
    }
}

#[tokio::test]
async fn in_network_looks_back_as_far_as_the_viewers_state_says() {
    let stores = MemoryStores::with_users([]);
    let posts =
        [post(10, 1), post(10, 24 * 60), post(10, 24 * 60 + 1), post(10, 48 * 60), post(10, 48 * 60 + 1)];
    posts.iter().for_each(|post| stores.add(post, 0));
    let future = Post { created_at: NOW + hours(1), id: PostId::at(NOW + hours(1)), ..post(10, 0) };
    stores.add(&future, 0);
    for (state, count) in [(ViewerState::HeavyTweeter, 2), (ViewerState::New, 4)] {
        let mut query = query(&[10]);
        query.facts.settings = Arc::new(ViewerSettings { state, ..ViewerSettings::default() }).into();
        let config = InNetworkConfig { max_consecutive_per_author: 99, ..Default::default() };
        let candidates = fetch(&in_network(&stores, config), &query, 1.0).await;
        assert_eq!(found(&candidates), posts[..count].iter().map(|post| post.id).collect(), "{state:?}");
    }
}

#[tokio::test]
async fn in_network_leaves_out_what_was_seen_and_reposts_that_are_turned_off() {
    let stores = MemoryStores::with_users([]);
    let (seen, fresh, shared) = (post(10, 10), post(11, 20), post(30, 300));
    let off = repost(10, 30, &shared);
    [&seen, &fresh, &off].into_iter().for_each(|post| stores.add(post, 0));
    let mut query = query(&[10, 11]);
    query.facts.impressions = Feature::Value([seen.id].into_iter().collect());
    query.facts.reposts_off = Feature::Value(users(&[10]));
    let candidates = fetch(&in_network(&stores, InNetworkConfig::default()), &query, 1.0).await;
    assert_eq!(found(&candidates), [fresh.id].into());
}

#[tokio::test]
async fn in_network_cuts_by_the_light_rankers_score_times_the_quality_factor() {
    let stores = MemoryStores::with_users([]);
    let posts: Vec<_> = (10..30).map(|author| post(author, 10)).collect();
    posts.iter().enumerate().for_each(|(likes, post)| stores.add(post, likes as u32));
    let following: Vec<u64> = (10..30).collect();
    for (quality, count) in [(1.0, 10), (0.5, 5), (0.0, 1), (f64::NAN, 1)] {
        let config = InNetworkConfig { max_results: 10, ..Default::default() };
        let candidates = fetch(&in_network(&stores, config), &query(&following), quality).await;
        let best: Vec<_> = posts.iter().rev().take(count).map(|post| post.id).collect();
        assert_eq!(candidates.iter().map(|c| c.post_id).collect::<Vec<_>>(), best, "quality {quality}");
    }
}

#[tokio::test]
async fn in_network_searches_the_strongest_ties_when_there_are_too_many() {
    let stores = MemoryStores::with_users([]);
    (10..20).for_each(|author| stores.add(&post(author, 10), 0));
    let mut query = query(&(10..20).collect::<Vec<_>>());
    let ties = RealGraphScores { by_user: [(UserId(17), 0.9), (UserId(13), 0.4)].into_iter().collect() };
    query.facts.real_graph = Arc::new(ties).into();
    let config = InNetworkConfig { max_authors: 3, ..Default::default() };
    let candidates = fetch(&in_network(&stores, config), &query, 1.0).await;
    let authors: HashSet<_> = candidates.iter().map(|candidate| candidate.author_id.0).collect();
    assert_eq!(authors, [17, 13, 10].into());
}

#[tokio::test]
async fn in_network_shows_a_reposted_post_once_and_brings_the_parents_of_replies() {
    let stores = MemoryStores::with_users([]);
    let (shared, parent, native) = (post(30, 400), post(31, 300), post(12, 200));
    let posts = [
        repost(10, 30, &shared),
        repost(11, 20, &shared),
        native.clone(),
        repost(13, 10, &native),
        reply(10, 5, &parent),
        reply(11, 4, &parent),
    ];
    posts.iter().chain([&shared, &parent]).for_each(|post| stores.add(post, 0));
    let query = query(&[10, 11, 12, 13]);
    let candidates = fetch(&in_network(&stores, InNetworkConfig::default()), &query, 1.0).await;
    let expected = [&posts[1], &native, &posts[4], &posts[5]];
    assert_eq!(found(&candidates), expected.into_iter().map(|post| post.id).collect(), "the newest repost");
    let source_posts: Vec<_> = candidates.iter().filter(|c| c.is_source_post).map(|c| c.post_id).collect();
    assert_eq!(source_posts, [reference(&parent).id], "once");
}

#[tokio::test]
async fn backfill_is_the_newest_posts_without_replies() {
    let stores = MemoryStores::with_users([]);
    let mut expected = Vec::new();
    for author in 10..20 {
        for place in 0..10 {
            // Minutes in no order over the authors, some of them the same.
            let minutes = (author * 7 + place * 13) % 97 + place * 100;
            let plain = post(author, minutes);
            stores.add(&plain, 0);
            stores.add(&reply(author, minutes + 1, &post(30, 5_000)), 0);
            expected.push(plain.id);
        }
    }
    (0..5).for_each(|minutes| stores.add(&post(30, minutes), 0));
    expected.sort_unstable();
    expected.reverse();
    let query = query(&(10..20).collect::<Vec<_>>());
    for (limit, quality, count) in [(30, 1.0, 30), (30, 0.5, 15), (1000, 1.0, 100), (0, 1.0, 0)] {
        let source = Backfill { posts: stores.clone(), max_results: limit };
        let candidates = fetch(&source, &query, quality).await;
        let ids: Vec<_> = candidates.iter().map(|candidate| candidate.post_id).collect();
        assert_eq!(ids, expected[..count], "limit {limit}, quality {quality}");
        assert!(
            candidates
                .iter()
                .all(|c| c.source == SourceKind::Backfill && c.suggest == SuggestKind::RankedOrganic)
        );
    }
}

#[tokio::test]
async fn cached_posts_keep_their_score_and_first_source() {
    let mut query = query(&[]);
    assert!(fetch(&Cached, &query, 1.0).await.is_empty(), "nothing known");
    let cached = CachedPost {
        post_id: PostId(5),
        author_id: UserId(10),
        source: SourceKind::Backfill,
        suggest: SuggestKind::RankedOrganic,
        model_score: 0.5,
        probabilities: [0.1; 10],
        scored_at: NOW - hours(1),
    };
    query.facts.cached = Feature::Value(vec![cached.clone()].into());
    let candidates = fetch(&Cached, &query, 1.0).await;
    let candidate = &candidates[0];
    assert_eq!((candidate.source, candidate.first_source()), (SourceKind::Cached, SourceKind::Backfill));
    assert_eq!((candidate.score, candidate.model_score.value()), (0.5, Some(&0.5)));
    assert_eq!(
        (candidate.probabilities.value(), candidate.scored_at),
        (Some(&[0.1; 10]), Some(cached.scored_at))
    );
}

#[tokio::test]
async fn a_viewer_without_followings_finds_nothing() {
    let stores = MemoryStores::with_users([]);
    stores.add(&post(VIEWER.0, 5), 0);
    assert!(fetch(&in_network(&stores, InNetworkConfig::default()), &query(&[]), 1.0).await.is_empty());
    assert!(fetch(&Backfill { posts: stores, max_results: 10 }, &query(&[]), 1.0).await.is_empty());
}
