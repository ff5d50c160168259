//! What was acknowledged is there after the stores are opened again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::{HOUR_MS, NOW, on_disk, post, users};
use crate::domain::stores::{List, Relation, Stores};
use crate::domain::{
    Dismissal, Engagement, EngagementKind, Feedback, FeedbackKind, ListId, ManualClock, Millis, PostCounts,
    PostId, User, UserId, ViewerSettings,
};
use crate::stores::{Embedded, StoreOptions};

/// One write, small enough that collisions are common.
#[derive(Clone, Debug)]
enum Change {
    Relation(usize, u64, u64, bool),
    Insert(u64, u64),
    Delete(u64),
    Engage(u64, u64, usize),
    Rename(u64, String),
    Mute(u64, String),
    Feedback(u64, u64),
    TakeBack(u64, u64),
    Dismiss(u64),
    Undismiss(u64),
    List(u64, u64, Vec<u64>),
    Reopen,
}

fn change() -> impl Strategy<Value = Change> {
    let user = || 1..=9_u64;
    prop_oneof![
        4 => (0..5_usize, user(), user(), any::<bool>()).prop_map(|(r, a, b, on)| Change::Relation(r, a, b, on)),
        4 => (user(), 0..12_u64).prop_map(|(author, number)| Change::Insert(author, number)),
        2 => (0..12_u64).prop_map(Change::Delete),
        4 => (user(), 0..12_u64, 0..14_usize).prop_map(|(user, number, kind)| Change::Engage(user, number, kind)),
        1 => (user(), "[a-z]{1,5}").prop_map(|(user, name)| Change::Rename(user, name)),
        1 => (user(), "[a-z]{1,5}").prop_map(|(user, word)| Change::Mute(user, word)),
        1 => (user(), user()).prop_map(|(viewer, about)| Change::Feedback(viewer, about)),
        1 => (user(), user()).prop_map(|(viewer, about)| Change::TakeBack(viewer, about)),
        1 => user().prop_map(Change::Dismiss),
        1 => user().prop_map(Change::Undismiss),
        1 => (0..4_u64, user(), prop::collection::vec(user(), 0..4)).prop_map(|(id, owner, m)| Change::List(id, owner, m)),
        1 => Just(Change::Reopen),
    ]
}

/// What the stores should hold, in the plainest form.
#[derive(Debug, Default)]
struct Twin {
    relations: BTreeSet<(usize, u64, u64)>,
    posts: BTreeMap<PostId, (u64, u32)>,
    deleted: BTreeSet<PostId>,
    engagements: BTreeMap<u64, usize>,
    names: BTreeMap<u64, String>,
    keywords: BTreeMap<u64, String>,
    feedback: BTreeMap<u64, Vec<u64>>,
    dismissals: BTreeMap<u64, usize>,
    lists: BTreeMap<u64, (u64, Vec<u64>)>,
}

fn id_of(number: u64) -> PostId {
    post(1, HOUR_MS, number).id
}

impl Twin {
    fn apply(&mut self, stores: &Stores, change: Change) {
        match change {
            Change::Relation(relation, from, to, holds) => {
                let result = stores.graph.set(Relation::ALL[relation], UserId(from), UserId(to), holds);
                assert_eq!(result.is_ok(), from != to);
                if from == to {
                    return;
                }
                if holds {
                    self.relations.insert((relation, from, to));
                    if Relation::ALL[relation] == Relation::Block {
                        self.relations.remove(&(Relation::Follow as usize, from, to));
                        self.relations.remove(&(Relation::Follow as usize, to, from));
                    }
                } else {
                    self.relations.remove(&(relation, from, to));
                }
            }
            Change::Insert(author, number) => {
                let is_free =
                    !self.posts.contains_key(&id_of(number)) && !self.deleted.contains(&id_of(number));
                assert_eq!(stores.posts.insert(post(author, HOUR_MS, number)).is_ok(), is_free);
                if is_free {
                    self.posts.insert(id_of(number), (author, 0));
                }
            }
            Change::Delete(number) => {
                let was_there = self.posts.remove(&id_of(number)).is_some();
                self.deleted.insert(id_of(number));
                assert_eq!(stores.posts.delete(id_of(number)).expect("deletes"), was_there);
            }
            Change::Engage(user, number, kind) => {
                let kind = EngagementKind::ALL[kind];
                let author = UserId(self.posts.get(&id_of(number)).map_or(1, |post| post.0));
                let event = Engagement { user: UserId(user), post: id_of(number), author, kind, at: NOW };
                stores.engagements.record(&[event]).expect("records");
                *self.engagements.entry(user).or_default() += 1;
                if let (Some(post), EngagementKind::Favorite) = (self.posts.get_mut(&id_of(number)), kind) {
                    post.1 += 1;
                }
            }
            Change::Rename(user, name) => {
                let account = User { id: UserId(user), name: name.clone(), ..User::default() };
                stores.users.put(account).expect("puts");
                self.names.insert(user, name);
            }
            Change::Mute(user, word) => {
                let settings =
                    ViewerSettings { muted_keywords: vec![word.clone()], ..ViewerSettings::default() };
                stores.users.put_settings(UserId(user), settings).expect("puts");
                self.keywords.insert(user, word);
            }
            Change::Feedback(viewer, about) => {
                let kind = FeedbackKind::Post;
                let feedback =
                    Feedback { viewer: UserId(viewer), kind, about: UserId(about), post: None, at: NOW };
                stores.feedback.record_feedback(feedback).expect("records");
                self.feedback.entry(viewer).or_default().push(about);
            }
            Change::TakeBack(viewer, about) => {
                let kind = FeedbackKind::Post;
                let feedback =
                    Feedback { viewer: UserId(viewer), kind, about: UserId(about), post: None, at: NOW };
                let said = self.feedback.entry(viewer).or_default();
                let was_said = said.contains(&about);
                said.retain(|other| *other != about);
                assert_eq!(stores.feedback.withdraw_feedback(feedback).expect("withdraws"), was_said);
            }
            Change::Undismiss(viewer) => {
                let dismissal = Dismissal { viewer: UserId(viewer), module: "m".to_owned(), at: NOW };
                let count = self.dismissals.entry(viewer).or_default();
                let was_closed = *count > 0;
                *count = count.saturating_sub(1);
                assert_eq!(stores.feedback.withdraw_dismissal(dismissal).expect("withdraws"), was_closed);
            }
            Change::Dismiss(viewer) => {
                let dismissal = Dismissal { viewer: UserId(viewer), module: "m".to_owned(), at: NOW };
                stores.feedback.record_dismissal(dismissal).expect("records");
                *self.dismissals.entry(viewer).or_default() += 1;
            }
            Change::List(id, owner, members) => {
                let users = members.iter().map(|&user| UserId(user)).collect();
                let list = List { id: ListId(id), owner: UserId(owner), members: users, ..List::default() };
                stores.lists.put(list).expect("puts");
                self.lists.insert(id, (owner, members));
            }
            Change::Reopen => {}
        }
    }

    fn compare(&self, stores: &Stores) {
        for (index, relation) in Relation::ALL.into_iter().enumerate() {
            for from in 1..=9 {
                let expected: Vec<_> =
                    (1..=9).filter(|&to| self.relations.contains(&(index, from, to))).collect();
                let got: Vec<_> =
                    stores.graph.targets(relation, UserId(from)).iter().map(|user| user.0).collect();
                assert_eq!(got, expected, "{relation:?} of {from}");
                for to in 1..=9 {
                    let holds = self.relations.contains(&(index, from, to));
                    assert_eq!(stores.graph.sources(relation, UserId(to)).contains(UserId(from)), holds);
                }
            }
        }
        for number in 0..12 {
            let got = stores.posts.get(id_of(number)).map(|(post, counts)| (post.author.0, counts.favorites));
            assert_eq!(got, self.posts.get(&id_of(number)).copied(), "post {number}");
        }
        for user in 1..=9 {
            let id = UserId(user);
            assert_eq!(
                stores.engagements.of_user(id, usize::MAX).len(),
                self.engagements.get(&user).copied().unwrap_or_default()
            );
            let name = stores.users.get(id).map(|user| user.name.clone()).unwrap_or_default();
            assert_eq!(name, self.names.get(&user).cloned().unwrap_or_default());
            let words =
                stores.users.settings(id).map(|settings| settings.muted_keywords.clone()).unwrap_or_default();
            assert_eq!(words, self.keywords.get(&user).cloned().into_iter().collect::<Vec<_>>());
            let about: Vec<_> =
                stores.feedback.feedback(id, Millis(0)).iter().map(|entry| entry.about.0).collect();
            assert_eq!(about, self.feedback.get(&user).cloned().unwrap_or_default());
            let dismissals = stores.feedback.dismissals(id, Millis(0)).len();
            assert_eq!(dismissals, self.dismissals.get(&user).copied().unwrap_or_default());
        }
        for id in 0..4 {
            let got = stores
                .lists
                .get(ListId(id))
                .map(|list| (list.owner.0, list.members.iter().map(|user| user.0).collect::<Vec<_>>()));
            assert_eq!(got, self.lists.get(&id).cloned(), "list {id}");
        }
    }
}

proptest! {
    // Each case commits some dozens of transactions to a disk.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn stores_equal_their_plain_twin_before_and_after_every_opening(
        changes in prop::collection::vec(change(), 1..40),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("state.redb");
        let mut twin = Twin::default();
        let mut stores = on_disk(&journal).stores();
        for change in changes {
            if matches!(change, Change::Reopen) {
                twin.compare(&stores);
                drop(stores);
                stores = on_disk(&journal).stores();
                twin.compare(&stores);
            } else {
                twin.apply(&stores, change);
            }
        }
        twin.compare(&stores);
        drop(stores);
        twin.compare(&on_disk(&journal).stores());
    }
}

#[test]
fn a_deleted_post_stays_deleted_when_an_older_copy_is_loaded_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let loaded = post(3, HOUR_MS, 5);
    let open = |journal: &Path| {
        let mut base = users(9);
        base.add_post(&loaded, PostCounts::default(), &[]).expect("the author is there");
        let clock = Arc::new(ManualClock::new(NOW));
        Arc::new(Embedded::open(base, journal, clock, StoreOptions::default()).expect("opens")).stores()
    };
    let stores = open(&journal);
    assert!(stores.posts.delete(loaded.id).expect("deletes"));
    drop(stores);
    assert!(open(&journal).posts.get(loaded.id).is_none());
}

#[test]
fn an_engagement_from_before_its_post_is_not_counted_under_it_after_a_replay_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let (mut twin, stores) = (Twin::default(), on_disk(&journal).stores());
    for change in [Change::Engage(1, 0, 0), Change::Insert(1, 0), Change::Engage(2, 0, 0)] {
        twin.apply(&stores, change);
    }
    twin.compare(&stores);
    drop(stores);
    twin.compare(&on_disk(&journal).stores());
}

#[test]
fn a_journal_that_is_open_or_is_no_journal_is_refused_with_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let stores = on_disk(&journal);
    let clock = || Arc::new(ManualClock::new(NOW));
    let second = Embedded::open(users(1), &journal, clock(), StoreOptions::default()).err();
    assert!(second.is_some_and(|error| error.to_string().contains("state.redb")));
    drop(stores);
    let other = folder.path().join("other.redb");
    for content in [vec![b'x'; 10_000], b"redb".to_vec()] {
        std::fs::write(&other, content).expect("writes");
        let error = Embedded::open(users(1), &other, clock(), StoreOptions::default()).err();
        assert!(error.is_some_and(|error| error.to_string().contains("other.redb")));
    }
}
