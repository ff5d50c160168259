//! Each hydrator by what it finds.

use std::sync::Arc;

use super::*;
use crate::domain::stores::{EngagementGraph, Relation};
use crate::domain::{
    Candidate, Engagement, EngagementKind, Feature, Post, PostId, Query, SourceKind, SuggestKind, UserId,
};
use crate::engine::{Failure, Hydrator};
use crate::testing::{
    MemoryStores, NOW, VIEWER, candidate, post, query, quote, reply, repost, stranger, users,
};

/// Hydrates as the engine does.
async fn hydrate<H: Hydrator<Query, Candidate>>(
    hydrator: &H,
    query: &Query,
    mut candidates: Vec<Candidate>,
) -> Vec<Candidate> {
    match hydrator.hydrate(query, &candidates).await {
        Ok(found) => {
            assert_eq!(found.len(), candidates.len(), "one answer each");
            for (candidate, answer) in candidates.iter_mut().zip(found) {
                match answer {
                    Ok(value) => hydrator.apply(candidate, Ok(value)),
                    Err(failure) => hydrator.apply(candidate, Err(&failure)),
                }
            }
        }
        Err(failure) => candidates.iter_mut().for_each(|candidate| hydrator.apply(candidate, Err(&failure))),
    }
    candidates
}

#[tokio::test]
async fn the_network_is_the_viewer_and_whom_they_follow() {
    let original = post(30, 90);
    let posts =
        [post(10, 1), post(VIEWER.0, 1), post(30, 1), repost(10, 2, &original), repost(30, 2, &post(10, 3))];
    let unknown =
        || posts.iter().map(|post| Candidate { in_network: Feature::Missing, ..candidate(post) }).collect();
    let flags = |candidates: Vec<Candidate>| {
        candidates.iter().map(|c| c.in_network.value().copied()).collect::<Vec<_>>()
    };
    let hydrated = hydrate(&InNetworkFlag, &query(&[10]), unknown()).await;
    assert_eq!(flags(hydrated), [true, true, false, true, false].map(Some), "the poster counts");
    let mut blind = query(&[]);
    blind.facts.following = Feature::Failed(None);
    let hydrated = hydrate(&InNetworkFlag, &blind, unknown()).await;
    assert!(hydrated.iter().all(|candidate| candidate.in_network.is_failed()));
}

#[tokio::test]
async fn related_posts_are_what_is_passed_on_and_what_that_quotes() {
    let stores = MemoryStores::with_users([]);
    let quoted = post(30, 300);
    let original = quote(31, 200, &quoted);
    let shared = repost(10, 10, &original);
    [&quoted, &original, &shared].into_iter().for_each(|post| stores.add(post, post.author.0 as u32));
    let by_id = |id| Candidate::new(id, UserId(10), SourceKind::Cached, SuggestKind::RankedTimeline);
    let hydrated =
        hydrate(&RelatedPosts { posts: stores }, &query(&[]), vec![by_id(shared.id), by_id(PostId(7))]).await;
    let id_of =
        |post: &Feature<Option<Arc<Post>>>| post.value().and_then(|post| post.as_ref().map(|post| post.id));
    assert_eq!(hydrated[0].post.value().map(|post| post.id), Some(shared.id));
    assert_eq!(
        (id_of(&hydrated[0].original), id_of(&hydrated[0].quoted)),
        (Some(original.id), Some(quoted.id))
    );
    assert_eq!(hydrated[0].counts.favorites, 31, "of what a reader sees");
    assert!(hydrated[1].post.is_failed(), "a post that is gone");
}

#[tokio::test]
async fn authors_are_the_poster_the_original_and_the_quoted() {
    let stores = MemoryStores::with_users([10, 31, 30]);
    let quoted = post(30, 300);
    let original = quote(31, 200, &quoted);
    let mut shared = candidate(&repost(10, 10, &original));
    shared.original = Feature::Value(Some(Arc::new(original)));
    let hydrated =
        hydrate(&Authors { users: stores }, &query(&[]), vec![shared, candidate(&post(99, 1))]).await;
    let ids = |candidate: &Candidate| {
        let facts = candidate.authors.value().expect("hydrated");
        [&facts.author, &facts.original_author, &facts.quoted_author]
            .map(|user| user.as_ref().map(|user| user.id.0))
    };
    assert_eq!(ids(&hydrated[0]), [Some(10), Some(31), Some(30)]);
    assert_eq!(ids(&hydrated[1]), [None; 3], "an account that is not there");
}

#[tokio::test]
async fn conversations_are_followed_up_to_the_root_or_the_limit() {
    let stores = MemoryStores::with_users([]);
    let mut thread = vec![post(10, 500)];
    for place in 0..6 {
        let next = reply(11 + place, 400 - 10 * place, thread.last().expect("a post"));
        thread.push(next);
    }
    thread.iter().for_each(|post| stores.add(post, 0));
    let leaf = candidate(thread.last().expect("a post"));
    for (max_ancestors, count) in [(10, 6), (3, 3), (0, 0)] {
        let hydrator = Conversations { posts: stores.clone(), max_ancestors };
        let hydrated = hydrate(&hydrator, &query(&[]), vec![leaf.clone()]).await;
        let ancestors = &hydrated[0].conversation.value().expect("hydrated").ancestors;
        let expected: Vec<_> =
            thread.iter().rev().skip(1).take(count).map(|post| (post.id, post.author)).collect();
        assert_eq!(*ancestors, expected, "at most {max_ancestors}");
    }
}

#[tokio::test]
async fn proof_names_followed_accounts_that_the_viewer_does_not_avoid() {
    let stores = MemoryStores::with_users([]);
    let liked = post(30, 60);
    for (user, kind) in [
        (10, EngagementKind::Favorite),
        (11, EngagementKind::Favorite),
        (12, EngagementKind::Favorite),
        (40, EngagementKind::Favorite),
        (30, EngagementKind::Favorite),
        (10, EngagementKind::Repost),
        (13, EngagementKind::Reply),
        (13, EngagementKind::Click),
    ] {
        let engagement = Engagement { user: UserId(user), post: liked.id, author: UserId(30), kind, at: NOW };
        stores.record(&[engagement]).expect("recorded");
    }
    [12, 13, 40].into_iter().for_each(|follower| stores.relate(Relation::Follow, follower, 30));
    let mut query = query(&[10, 11, 12, 13, 30]);
    query.facts.muting = Feature::Value(users(&[12]));
    let hydrator =
        SocialProofs { engagements: stores.clone(), graph: stores, max_engagements: 100, max_named: 10 };
    let near = candidate(&post(10, 5));
    let mut of_author_followed = candidate(&liked);
    of_author_followed.source = SourceKind::Similar;
    let hydrated = hydrate(&hydrator, &query, vec![stranger(&liked), near, of_author_followed]).await;
    let proof = hydrated[0].social_proof.value().expect("hydrated");
    let sorted = |people: &[UserId]| {
        let mut ids: Vec<u64> = people.iter().map(|user| user.0).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(&proof.liked_by), [10, 11], "neither muted nor strangers nor the author");
    assert_eq!((sorted(&proof.reposted_by), sorted(&proof.replied_by)), (vec![10], vec![13]));
    assert_eq!(sorted(&proof.followed_by), [13]);
    assert!(hydrated[1].social_proof.value().expect("hydrated").liked_by.is_empty(), "needs none");
}

#[test]
fn a_failure_leaves_each_hydrators_default() {
    let failure = Failure::failed("store", "down");
    let mut candidate = stranger(&post(30, 5));
    let stores = MemoryStores::with_users([]);
    RelatedPosts { posts: stores.clone() }.apply(&mut candidate, Err(&failure));
    Authors { users: stores.clone() }.apply(&mut candidate, Err(&failure));
    Conversations { posts: stores.clone(), max_ancestors: 1 }.apply(&mut candidate, Err(&failure));
    SocialProofs { engagements: stores.clone(), graph: stores, max_engagements: 1, max_named: 1 }
        .apply(&mut candidate, Err(&failure));
    assert!(
        candidate.post.is_failed() && candidate.authors.is_failed() && candidate.conversation.is_failed()
    );
    assert_eq!(
        candidate.social_proof.get(),
        Some(&crate::domain::SocialProof::default()),
        "has its own default"
    );
}
