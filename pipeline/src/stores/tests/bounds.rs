//! Weeks of use leave behind what the limits allow, in memory and on disk, and a restart finds the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};

use super::{HOUR_MS, NOW, post, users};
use crate::domain::{
    Clock, Dismissal, Engagement, EngagementKind, Feedback, FeedbackKind, ManualClock, Millis, PageKind,
    Platform, PostId, ServedResponse, UserId,
};
use crate::stores::{Embedded, StoreOptions};

const DAY_MS: i64 = 24 * HOUR_MS;
const USERS: u64 = 9;

fn open(journal: &Path, clock: &Arc<ManualClock>) -> Arc<Embedded> {
    let options = StoreOptions { fold_after: 500, ..StoreOptions::default() };
    Arc::new(Embedded::open(users(USERS), journal, clock.clone(), options).expect("opens"))
}

/// Rows of a table of numbered rows.
fn rows(journal: &Path, name: &str) -> u64 {
    let database = redb::Database::open(journal).expect("opens");
    let transaction = database.begin_read().expect("reads");
    if name == "history" {
        let table = TableDefinition::<(u64, u64), &[u8]>::new(name);
        return transaction.open_table(table).expect("is there").len().expect("counts");
    }
    transaction.open_table(TableDefinition::<u64, &[u8]>::new(name)).expect("is there").len().expect("counts")
}

/// A day of one viewer: served, seen, visited, said and taken back, liked; also posts that are deleted or never were.
fn live(stores: &Arc<Embedded>, viewer: UserId, now: Millis) {
    let all = Arc::clone(stores).stores();
    for hour in 0..12 {
        let at = Millis(now.0 + hour * HOUR_MS);
        let ids = (0..35).map(|place| (PostId(PostId::at(at).0 + place), None)).collect::<Vec<_>>();
        let seen: Vec<PostId> = ids.iter().map(|(id, _)| *id).collect();
        let response =
            ServedResponse { at, page: PageKind::Initial, posts: ids, ..ServedResponse::default() };
        all.history.record_served(viewer, Platform::Web, response).expect("records");
        all.history.record_impressions(viewer, &seen, at).expect("records");
        all.history.record_visit(viewer, at).expect("records");
    }
    for step in 0..10 {
        let kind = FeedbackKind::Post;
        let said = Feedback { viewer, at: now, kind, about: UserId(1 + step % USERS), post: None };
        all.feedback.record_feedback(said).expect("records");
        all.feedback.withdraw_feedback(said).expect("withdraws");
    }
    all.feedback
        .record_dismissal(Dismissal { viewer, module: "people".to_owned(), at: now })
        .expect("records");
    let written = post(viewer.0, NOW.0 - now.0, viewer.0);
    let deleted = post(viewer.0, NOW.0 - now.0, 100 + viewer.0);
    for one in [&written, &deleted] {
        all.posts.insert(one.clone()).expect("the id is free");
    }
    all.posts.delete(deleted.id).expect("deletes");
    let never_written = PostId(PostId::at(now).0 + 1_000 + viewer.0);
    let like = |post: PostId| {
        let (user, author, kind) = (UserId(1 + viewer.0 % USERS), viewer, EngagementKind::Favorite);
        Engagement { user, post, author, kind, at: now }
    };
    all.engagements.record(&[written.id, deleted.id, never_written].map(like)).expect("records");
}

#[test]
fn weeks_of_use_leave_what_the_limits_allow() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let clock = Arc::new(ManualClock::new(NOW));
    let mut stores = open(&journal, &clock);
    let (mut most_entries, mut most_posts) = (0, 0);
    for day in 0..70 {
        let now = Millis(NOW.0 + day * DAY_MS);
        clock.set(now);
        // Every day somebody else: most stay away most of the time, and one never comes back.
        let viewer = if day == 0 { UserId(USERS) } else { UserId(1 + day as u64 % (USERS - 1)) };
        live(&stores, viewer, now);
        stores.sweep().expect("sweeps");
        most_entries = most_entries.max(stores.memory.history.len());
        most_posts = most_posts.max(stores.memory.aggregates.posts());
        if day % 16 == 15 {
            drop(stores);
            stores = open(&journal, &clock);
        }
    }
    // 30 days of 12 responses, 2 days of 12 lists of impressions, 10 visits for each of the viewers of 30 days.
    assert!(most_entries <= 31 * 12 + 3 * 12 + 9 * 10, "{most_entries} entries of history");
    // Three posts a day, for the week that posts are kept.
    assert!(most_posts <= 3 * 8, "counts of {most_posts} posts");
    assert!(
        stores.memory.embeddings.live.len() <= 3 * 8,
        "{} embeddings",
        stores.memory.embeddings.live.len()
    );
    let history = |stores: &Arc<Embedded>| {
        let all = Arc::clone(stores).stores();
        let of = |viewer: u64| {
            let viewer = UserId(viewer);
            let served = all.history.served(viewer, Platform::Web, Millis(0));
            let seen = all.history.impressions(viewer, Millis(0), usize::MAX);
            let said = (all.feedback.feedback(viewer, Millis(0)), all.feedback.dismissals(viewer, Millis(0)));
            (served, seen, all.history.visits(viewer), said)
        };
        (1..=USERS).map(of).collect::<Vec<_>>()
    };
    let before = history(&stores);
    let (served, seen, visits, _) = &before[USERS as usize - 1];
    assert!(served.is_empty() && seen.is_empty() && visits.is_empty(), "who never came back is forgotten");
    let horizon = clock.now() - Duration::from_millis(30 * DAY_MS as u64);
    assert!(before.iter().flat_map(|viewer| &viewer.0).all(|response| response.at >= horizon));
    let entries = stores.memory.history.len() as u64;
    drop(stores);
    assert_eq!(rows(&journal, "history"), entries, "what memory forgot is gone from disk");
    // 70 days of 20 rows were written; what is left says next to nothing.
    assert!(rows(&journal, "feedback") <= (USERS - 1) * 64 + 64, "{} rows", rows(&journal, "feedback"));
    let stores = open(&journal, &clock);
    assert_eq!(history(&stores), before);
    // Then nobody comes for as long as anything is kept.
    clock.advance(Duration::from_millis(155 * DAY_MS as u64));
    stores.sweep().expect("sweeps");
    assert_eq!(stores.memory.history.len(), 0);
    drop(stores);
    for table in ["history", "feedback", "dismissals"] {
        assert_eq!(rows(&journal, table), 0, "{table}");
    }
}

#[test]
fn who_says_much_keeps_the_newest_thousand() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let clock = Arc::new(ManualClock::new(NOW));
    let said = |stores: &Arc<Embedded>| Arc::clone(stores).stores().feedback.feedback(UserId(1), Millis(0));
    let stores = open(&journal, &clock);
    for step in 0..1_100 {
        let (kind, about) = (FeedbackKind::NotRelevant, UserId(2));
        let at = Millis(NOW.0 + step);
        let post = Some(PostId(step as u64));
        let feedback = Feedback { viewer: UserId(1), at, kind, about, post };
        Arc::clone(&stores).stores().feedback.record_feedback(feedback).expect("records");
    }
    let kept = said(&stores);
    assert_eq!((kept.len(), kept[0].at), (1_000, Millis(NOW.0 + 100)));
    drop(stores);
    assert_eq!(said(&open(&journal, &clock)), kept);
}
