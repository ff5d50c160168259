//! Each filter by what it keeps and removes.

mod visibility;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::{
    AuthorFacts, Conversation, Cursor, Feature, Feedback, FeedbackKind, Post, PostId, Query, SafetyLabels,
    SensitiveMedia, SocialProof, SuggestKind, TopicId, User, UserId, ViewerSettings,
};
use crate::engine::{Filter, Verdict};
use crate::testing::{
    MemoryStores, NOW, VIEWER, candidate, hours, post, query, quote, reference, reply, repost, stranger,
    users,
};

/// Which of the candidates a filter keeps, by position; everything when it does not apply.
fn kept(filter: &dyn Filter<Query, Candidate>, query: &Query, candidates: &[Candidate]) -> Vec<usize> {
    if !filter.enabled(query, candidates) {
        return (0..candidates.len()).collect();
    }
    let verdicts = filter.judge(query, candidates);
    assert_eq!(verdicts.len(), candidates.len(), "one verdict each");
    (0..candidates.len()).filter(|&index| verdicts[index] == Verdict::Keep).collect()
}

fn user(id: u64) -> User {
    User { id: UserId(id), screen_name: format!("user{id}"), ..User::default() }
}

/// A candidate that is hydrated with its original, its quoted post, and plain accounts.
fn hydrated(own: &Post, original: Option<&Post>, quoted: Option<&Post>) -> Candidate {
    let mut hydrated = candidate(own);
    let account = |post: &Post| Arc::new(user(post.author.0));
    hydrated.original = Feature::Value(original.cloned().map(Arc::new));
    hydrated.quoted = Feature::Value(quoted.cloned().map(Arc::new));
    hydrated.authors = Feature::Value(AuthorFacts {
        author: Some(account(own)),
        original_author: original.map(account),
        quoted_author: quoted.map(account),
    });
    hydrated
}

fn edit_author(candidate: &mut Candidate, edit: impl FnOnce(&mut User)) {
    if let Feature::Value(AuthorFacts { author: Some(author), .. }) = &mut candidate.authors {
        edit(Arc::make_mut(author));
    }
}

#[test]
fn posts_older_than_the_limit_go_by_the_time_in_their_id() {
    let filter = Age { max_age: hours(48) };
    let posts = [post(10, 1), post(10, 48 * 60), post(10, 48 * 60 + 1)].map(|post| candidate(&post));
    assert_eq!(kept(&filter, &query(&[]), &posts), [0, 1]);
}

#[test]
fn own_posts_go_and_others_reposts_of_them() {
    let own = post(VIEWER.0, 5);
    let other = post(11, 5);
    let posts = [&own, &repost(10, 4, &own), &repost(10, 3, &other), &other].map(candidate);
    assert_eq!(kept(&OwnPosts, &query(&[]), &posts), [2, 3]);
}

#[test]
fn of_several_reposts_the_first_wins_and_a_post_wins_over_its_reposts() {
    let (shown, hidden) = (post(10, 60), post(11, 60));
    let posts = [
        &repost(12, 5, &hidden),
        &repost(13, 4, &hidden),
        &repost(14, 3, &shown),
        &shown,
        &post(15, 2),
        &repost(16, 1, &hidden),
    ]
    .map(candidate);
    assert_eq!(kept(&RepostDuplicates, &query(&[]), &posts), [0, 3, 4]);
}

#[test]
fn seen_posts_go_also_behind_a_repost() {
    let (seen, fresh) = (post(10, 60), post(11, 60));
    let posts = [&seen, &repost(12, 5, &seen), &fresh, &repost(12, 4, &fresh)].map(candidate);
    let mut query = query(&[]);
    assert_eq!(kept(&PreviouslySeen, &query, &posts), [0, 1, 2, 3], "nothing known");
    query.facts.impressions = Feature::Value([seen.id].into_iter().collect());
    assert_eq!(kept(&PreviouslySeen, &query, &posts), [2, 3]);
}

#[test]
fn served_posts_go_from_older_pages_only() {
    let (served, fresh) = (post(10, 60), post(11, 60));
    let posts = [&served, &repost(12, 5, &served), &fresh].map(candidate);
    let mut query = query(&[]);
    query.facts.served = Feature::Value([served.id].into_iter().collect());
    for (cursor, expected) in [
        (None, &[0, 1, 2][..]),
        (Some(Cursor::Top { newest: PostId(1) }), &[0, 1, 2]),
        (Some(Cursor::Bottom { oldest: PostId(1) }), &[2]),
    ] {
        query.request.cursor = cursor;
        assert_eq!(kept(&PreviouslyServed, &query, &posts), expected, "{cursor:?}");
    }
}

#[test]
fn exclusive_posts_are_for_subscribers_and_replies_among_them_for_nobody() {
    let parent = post(10, 60);
    let exclusive = |post: Post| Post { exclusive_author: Some(UserId(10)), ..post };
    let first = exclusive(post(10, 50));
    let posts = [
        hydrated(&first, None, None),
        hydrated(&exclusive(reply(11, 5, &parent)), None, None),
        hydrated(&repost(12, 4, &first), Some(&first), None),
        hydrated(&quote(13, 3, &first), None, Some(&first)),
        hydrated(&post(14, 2), None, None),
    ];
    assert_eq!(kept(&SubscriptionReplies, &query(&[]), &posts), [0, 2, 3, 4]);
    let mut query = query(&[]);
    assert_eq!(kept(&Subscriptions, &query, &posts), [4]);
    query.facts.subscriptions = Feature::Value(users(&[10]));
    assert_eq!(kept(&Subscriptions, &query, &posts), [0, 1, 2, 3, 4]);
    query.facts.subscriptions = Feature::Failed(None);
    assert_eq!(kept(&Subscriptions, &query, &posts), [4], "not known is not subscribed");
}

#[test]
fn see_fewer_removes_by_the_way_a_post_came() {
    let filter = FeedbackFatigue { max_age: hours(14 * 24) };
    let original = post(10, 60);
    let with_proof = |liked: &[u64], followed: &[u64]| {
        let mut liked_post = stranger(&post(20, 30));
        liked_post.social_proof = Feature::Value(SocialProof {
            liked_by: liked.iter().copied().map(UserId).collect(),
            followed_by: followed.iter().copied().map(UserId).collect(),
            ..SocialProof::default()
        });
        liked_post
    };
    let posts = [
        candidate(&original),
        candidate(&repost(11, 5, &original)),
        candidate(&repost(12, 4, &post(13, 50))),
        with_proof(&[14], &[]),
        with_proof(&[14, 15], &[]),
        with_proof(&[], &[16]),
        with_proof(&[15], &[16]),
        candidate(&post(12, 3)),
    ];
    let mut query = query(&[]);
    let about = |kind, about, days: u64| Feedback {
        viewer: VIEWER,
        kind,
        about: UserId(about),
        post: None,
        at: NOW - hours(24 * days),
    };
    for (feedback, expected) in [
        (about(FeedbackKind::Post, 10, 1), &[2, 3, 4, 5, 6, 7][..]),
        (about(FeedbackKind::Repost, 12, 1), &[0, 1, 3, 4, 5, 6, 7]),
        (about(FeedbackKind::Favorite, 14, 1), &[0, 1, 2, 4, 5, 6, 7]),
        (about(FeedbackKind::Follow, 16, 1), &[0, 1, 2, 3, 4, 6, 7]),
        (about(FeedbackKind::Post, 10, 14), &[0, 1, 2, 3, 4, 5, 6, 7]),
    ] {
        query.facts.feedback = Feature::Value(vec![feedback].into());
        assert_eq!(kept(&filter, &query, &posts), expected, "{feedback:?}");
    }
}

#[test]
fn posts_that_are_gone_and_reposts_of_such_go() {
    let original = post(10, 60);
    let mut gone = candidate(&post(11, 5));
    gone.post = Feature::Failed(None);
    let posts = [
        gone,
        hydrated(&repost(12, 4, &original), None, None),
        hydrated(&repost(13, 3, &original), Some(&original), None),
        hydrated(&post(14, 2), None, None),
    ];
    assert_eq!(kept(&Hydrated, &query(&[]), &posts), [2, 3]);
}

#[test]
fn strangers_need_social_proof() {
    let proven = |edit: fn(&mut SocialProof)| {
        let mut proof = SocialProof::default();
        edit(&mut proof);
        let mut candidate = stranger(&post(20, 5));
        candidate.social_proof = Feature::Value(proof);
        candidate
    };
    let mut verified = hydrated(&post(21, 5), None, None);
    verified.in_network = Feature::Value(false);
    verified.suggest = SuggestKind::SimilarContent;
    edit_author(&mut verified, |user| user.verification.gold = true);
    let mut listed = stranger(&post(22, 5));
    listed.suggest = SuggestKind::RankedList;
    let mut unknown = stranger(&post(23, 5));
    unknown.in_network = Feature::Missing;
    let posts = [
        candidate(&post(10, 5)),
        stranger(&post(19, 5)),
        proven(|proof| proof.liked_by.push(UserId(10))),
        proven(|proof| proof.followed_by.push(UserId(10))),
        proven(|proof| proof.topic = Some(TopicId(1))),
        proven(|proof| proof.reposted_by.push(UserId(10))),
        stranger(&reply(24, 5, &post(25, 9))),
        verified,
        listed,
        unknown,
    ];
    let scored = SocialContext { rule: ProofRule { replies: true, topics: true, verified_authors: false } };
    assert_eq!(kept(&scored, &query(&[]), &posts), [0, 2, 3, 4, 6, 8, 9]);
    let shown = SocialContext { rule: ProofRule { replies: false, topics: true, verified_authors: true } };
    assert_eq!(kept(&shown, &query(&[]), &posts), [0, 2, 3, 4, 7, 8, 9]);
}

#[test]
fn source_posts_stay_only_as_parents_of_a_reply() {
    let (parent, lonely) = (post(30, 90), post(31, 90));
    let source = |post: &Post| Candidate { is_source_post: true, ..candidate(post) };
    let posts = [candidate(&reply(10, 5, &parent)), source(&parent), source(&lonely), candidate(&lonely)];
    assert_eq!(kept(&SourcePosts, &query(&[]), &posts), [0, 1, 3]);
}

#[test]
fn listed_authors_and_links_go_from_outside_of_the_network() {
    let listed = post(30, 60);
    let link = Post { urls: vec!["https://example.com/x".to_owned()], ..post(31, 60) };
    let posts = [
        stranger(&listed),
        candidate(&listed),
        stranger(&repost(30, 5, &post(32, 70))),
        stranger(&link),
        candidate(&link),
        stranger(&Post { urls: vec!["https://example.com/xy".to_owned()], ..post(33, 60) }),
    ];
    let authors = CompetitorAuthors { authors: [UserId(30)].into() };
    assert_eq!(kept(&authors, &query(&[]), &posts), [1, 2, 3, 4, 5]);
    let urls = CompetitorUrls { urls: ["https://example.com/x".to_owned()].into() };
    assert_eq!(kept(&urls, &query(&[]), &posts), [0, 1, 2, 4, 5]);
    assert!(!Filter::<Query, Candidate>::enabled(
        &CompetitorAuthors { authors: [].into() },
        &query(&[]),
        &posts
    ));
}

#[test]
fn posts_above_another_candidate_go_also_as_reposts() {
    let (root, middle) = (post(10, 90), post(11, 80));
    let mut leaf = candidate(&reply(12, 5, &middle));
    let above = [reference(&middle), reference(&root)];
    leaf.conversation =
        Feature::Value(Conversation { ancestors: above.map(|post| (post.id, post.author)).to_vec() });
    let posts = [candidate(&root), leaf, candidate(&repost(13, 4, &middle)), candidate(&post(14, 3))];
    assert_eq!(kept(&ConversationDuplicates, &query(&[]), &posts), [1, 3]);
}

#[test]
fn automatic_replies_of_support_accounts_go() {
    let asked = Post { created_at: NOW - hours(1), ..post(30, 60) };
    let stores = MemoryStores::with_users([]);
    stores.add(&asked, 0);
    let filter = SupportReplies { posts: stores, within: Duration::from_secs(60) };
    let answered = |seconds: u64| {
        let answer =
            Post { created_at: asked.created_at + Duration::from_secs(seconds), ..reply(10, 5, &asked) };
        hydrated(&answer, None, None)
    };
    let mut posts = [answered(59), answered(60), answered(1), hydrated(&post(10, 5), None, None)];
    [0, 1, 3].into_iter().for_each(|index| edit_author(&mut posts[index], |user| user.is_support = true));
    assert_eq!(kept(&filter, &query(&[]), &posts), [1, 2, 3]);
}

#[test]
fn no_filter_minds_an_empty_list() {
    let stores = MemoryStores::with_users([]);
    let filters: Vec<Box<dyn Filter<Query, Candidate>>> = vec![
        Box::new(Age { max_age: hours(1) }),
        Box::new(OwnPosts),
        Box::new(RepostDuplicates),
        Box::new(PreviouslySeen),
        Box::new(PreviouslyServed),
        Box::new(SubscriptionReplies),
        Box::new(Subscriptions),
        Box::new(FeedbackFatigue { max_age: hours(1) }),
        Box::new(Hydrated),
        Box::new(AuthorVisibility),
        Box::new(MutedContent),
        Box::new(SensitiveMediaFilter),
        Box::new(OutOfNetworkSafety),
        Box::new(SocialContext { rule: ProofRule::default() }),
        Box::new(SourcePosts),
        Box::new(CompetitorAuthors { authors: [UserId(1)].into() }),
        Box::new(CompetitorUrls { urls: [String::new()].into() }),
        Box::new(ConversationDuplicates),
        Box::new(SupportReplies { posts: stores, within: hours(1) }),
    ];
    for filter in filters {
        assert!(filter.judge(&query(&[]), &[]).is_empty(), "{}", filter.name());
    }
}
