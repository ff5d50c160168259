//! What each store promises.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{HOUR_MS, NOW, in_memory, post};
use crate::domain::stores::{List, Relation, StoreError, Stores, TallyKey};
use crate::domain::{
    Cut, Dismissal, Engagement, EngagementKind, Feedback, FeedbackKind, ListId, Millis, PostId,
    SensitiveMedia, User, UserId, ViewerSettings,
};

fn stores() -> Stores {
    in_memory().0.stores()
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Refused { .. }))
}

fn engagement(user: u64, post: PostId, author: u64, kind: EngagementKind, at: Millis) -> Engagement {
    Engagement { user: UserId(user), post, author: UserId(author), kind, at }
}

#[test]
fn a_relation_shows_from_both_ends_and_only_in_its_direction() {
    let stores = stores();
    for relation in Relation::ALL {
        stores.graph.set(relation, UserId(1), UserId(2), true).expect("both exist");
        stores.graph.set(relation, UserId(1), UserId(2), true).expect("twice changes nothing");
        assert!(stores.graph.has(relation, UserId(1), UserId(2)), "{relation:?}");
        assert!(!stores.graph.has(relation, UserId(2), UserId(1)), "{relation:?}");
        assert_eq!(stores.graph.targets(relation, UserId(1)).as_slice(), [UserId(2)]);
        assert_eq!(stores.graph.sources(relation, UserId(2)).as_slice(), [UserId(1)]);
        stores.graph.set(relation, UserId(1), UserId(2), false).expect("ends");
        assert!(stores.graph.targets(relation, UserId(1)).is_empty());
        assert!(stores.graph.sources(relation, UserId(2)).is_empty());
    }
}

#[test]
fn a_block_ends_follows_in_both_directions_and_lifting_it_brings_none_back() {
    let stores = stores();
    for (from, to) in [(1, 2), (2, 1), (1, 3)] {
        stores.graph.set(Relation::Follow, UserId(from), UserId(to), true).expect("both exist");
    }
    for holds in [true, false] {
        stores.graph.set(Relation::Block, UserId(1), UserId(2), holds).expect("both exist");
        assert_eq!(stores.graph.targets(Relation::Follow, UserId(1)).as_slice(), [UserId(3)]);
        assert!(stores.graph.targets(Relation::Follow, UserId(2)).is_empty());
    }
}

#[test]
fn nobody_relates_to_themselves_or_to_who_is_not_there() {
    let stores = stores();
    assert!(is_refused(stores.graph.set(Relation::Follow, UserId(1), UserId(1), true)));
    assert!(is_refused(stores.graph.set(Relation::Follow, UserId(1), UserId(77), true)));
    assert!(is_refused(stores.graph.set(Relation::Mute, UserId(77), UserId(1), true)));
    assert!(stores.graph.sources(Relation::Follow, UserId(77)).is_empty());
    let user = User { id: UserId(77), ..User::default() };
    stores.users.put(user).expect("put");
    stores.graph.set(Relation::Follow, UserId(1), UserId(77), true).expect("now they exist");
    assert_eq!(stores.graph.sources(Relation::Follow, UserId(77)).as_slice(), [UserId(1)]);
}

#[test]
fn posts_are_shown_newest_first_until_the_visitor_breaks() {
    let stores = stores();
    for (age, number) in [(5, 1), (1, 2), (3, 3), (3, 4)] {
        stores.posts.insert(post(1, age * HOUR_MS, number)).expect("new");
    }
    stores.posts.insert(post(2, 0, 5)).expect("new");
    let mut texts = Vec::new();
    stores.posts.visit_by_author(UserId(1), &mut |post, _| {
        texts.push(post.text.clone());
        if texts.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(texts, ["post 2", "post 4", "post 3"]);
}

#[test]
fn a_taken_id_is_refused_and_a_deleted_one_stays_deleted() {
    let stores = stores();
    let first = post(1, 0, 1);
    stores.posts.insert(first.clone()).expect("new");
    assert!(is_refused(stores.posts.insert(first.clone())));
    assert_eq!(stores.posts.get(first.id).map(|(post, _)| post.text.clone()).as_deref(), Some("post 1"));
    assert!(stores.posts.delete(first.id).expect("deletes"));
    assert!(!stores.posts.delete(first.id).expect("deletes"));
    assert!(stores.posts.get(first.id).is_none());
    assert!(is_refused(stores.posts.insert(first)));
}

#[test]
fn posts_outlive_their_retention_by_nothing() {
    let (embedded, clock) = in_memory();
    let stores = embedded.clone().stores();
    let old = post(1, 6 * 24 * HOUR_MS, 1);
    stores.posts.insert(old.clone()).expect("new");
    clock.advance(Duration::from_millis(24 * HOUR_MS as u64));
    assert!(stores.posts.get(old.id).is_some(), "seven days to the millisecond");
    clock.advance(Duration::from_millis(1));
    assert!(stores.posts.get(old.id).is_none());
    stores.posts.visit_by_author(UserId(1), &mut |post, _| panic!("{} is still shown", post.id));
    assert_eq!(embedded.sizes().1, 1);
    embedded.sweep().expect("sweeps");
    assert_eq!(embedded.sizes().1, 0);
}

#[test]
fn engagements_reach_graph_counts_posts_and_communities() {
    let stores = stores();
    let liked = post(2, HOUR_MS, 1);
    stores.posts.insert(liked.clone()).expect("new");
    let events = [
        engagement(1, liked.id, 2, EngagementKind::Favorite, NOW),
        engagement(3, liked.id, 2, EngagementKind::Reply, Millis(NOW.0 - 1)),
        engagement(3, liked.id, 2, EngagementKind::Favorite, Millis(NOW.0 - 25 * HOUR_MS)),
    ];
    stores.engagements.record(&events).expect("records");
    let (_, counts) = stores.posts.get(liked.id).expect("is there");
    assert_eq!((counts.favorites, counts.replies, counts.reposts, counts.quotes), (2, 1, 0, 0));
    let users: Vec<_> = stores.engagements.of_post(liked.id, 10).iter().map(|edge| edge.user.0).collect();
    assert_eq!(users, [1, 3], "newest first, and nothing from before the last 24 hours");
    assert_eq!(stores.engagements.of_user(UserId(3), 10).len(), 1);
    assert_eq!(stores.engagements.of_post(liked.id, 1).len(), 1);
    let keys = [TallyKey::Post(liked.id), TallyKey::Person(UserId(2)), TallyKey::Person(UserId(4))];
    let mut favorites = Vec::new();
    stores.aggregates.visit_tallies(&keys, &mut |position, rows| {
        favorites.push((position, rows.of(Cut::Any, 0).iter().next().map(|row| row.count.total())));
    });
    assert_eq!(favorites, [(0, Some(2)), (1, Some(2))]);
    let mut given = Vec::new();
    stores.aggregates.visit_given(UserId(1), &mut |row| given.push((row.author, row.count.total())));
    assert_eq!(given, [(UserId(2), 1)]);
    let mut reciprocal = Vec::new();
    let both = [UserId(2), UserId(1)];
    stores.aggregates.visit_given_to(UserId(2), &both, &mut |position, _| reciprocal.push(position));
    assert_eq!(reciprocal, [1]);
}

#[test]
fn settings_belong_to_accounts_and_survive_their_replacement() {
    let stores = stores();
    let settings = ViewerSettings {
        sensitive_media: SensitiveMedia::Show,
        muted_keywords: vec!["derby".to_owned()],
        ..ViewerSettings::default()
    };
    stores.users.put_settings(UserId(4), settings.clone()).expect("exists");
    assert!(is_refused(stores.users.put_settings(UserId(77), settings.clone())));
    let user = User { id: UserId(4), name: "New Name".to_owned(), ..User::default() };
    stores.users.put(user).expect("put");
    assert_eq!(stores.users.get(UserId(4)).map(|user| user.name.clone()).as_deref(), Some("New Name"));
    assert_eq!(stores.users.settings(UserId(4)).as_deref(), Some(&settings));
    assert!(stores.users.get(UserId(77)).is_none() && stores.users.settings(UserId(77)).is_none());
}

#[test]
fn a_users_lists_are_the_owned_ones_then_the_subscribed_ones() {
    let stores = stores();
    let list = |id, owner, subscribers: &[u64]| List {
        id: ListId(id),
        owner: UserId(owner),
        subscribers: subscribers.iter().map(|&user| UserId(user)).collect(),
        ..List::default()
    };
    for entry in [list(1, 5, &[6]), list(2, 6, &[5]), list(3, 5, &[5]), list(4, 7, &[5])] {
        stores.lists.put(entry).expect("put");
    }
    let ids = |limit| stores.lists.of_user(UserId(5), limit).iter().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!(ids(10), [1, 3, 2, 4]);
    assert_eq!(ids(3), [1, 3, 2]);
    // Who is no longer in the replacement is no longer a reader.
    stores.lists.put(list(4, 7, &[])).expect("put");
    stores.lists.put(list(1, 8, &[])).expect("put");
    assert_eq!(ids(10), [3, 2]);
    assert_eq!(stores.lists.get(ListId(1)).map(|list| list.owner), Some(UserId(8)));
}

#[test]
fn feedback_and_dismissals_come_back_oldest_first() {
    let stores = stores();
    for age in [3, 1, 2] {
        let at = Millis(NOW.0 - age * HOUR_MS);
        let viewer = UserId(1);
        let feedback = Feedback { viewer, kind: FeedbackKind::Post, about: UserId(2), post: None, at };
        stores.feedback.record_feedback(feedback).expect("records");
        let dismissal = Dismissal { viewer, module: "who-to-follow".to_owned(), at };
        stores.feedback.record_dismissal(dismissal).expect("records");
    }
    let ages = |times: Vec<Millis>| times.iter().map(|at| (NOW.0 - at.0) / HOUR_MS).collect::<Vec<_>>();
    let since = Millis(NOW.0 - 2 * HOUR_MS);
    let feedback = |since| stores.feedback.feedback(UserId(1), since).iter().map(|entry| entry.at).collect();
    assert_eq!(ages(feedback(Millis(0))), [3, 2, 1]);
    assert_eq!(ages(feedback(since)), [2, 1]);
    let dismissals = stores.feedback.dismissals(UserId(1), since).iter().map(|entry| entry.at).collect();
    assert_eq!(ages(dismissals), [2, 1]);
    assert!(stores.feedback.feedback(UserId(2), Millis(0)).is_empty());
}
