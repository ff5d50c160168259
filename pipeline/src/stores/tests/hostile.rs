//! Journals that were damaged, or written by nobody: an error that says so, or stores that hold what is still readable.

use std::path::Path;
use std::sync::Arc;

use redb::TableDefinition;

use super::{NOW, post, users};
use crate::domain::{
    Engagement, EngagementKind, ManualClock, PageKind, Platform, PostId, ServedResponse, UserId,
};
use crate::stores::{Embedded, StoreOptions};

/// Opens a journal, and reads a little of everything when it opens. Returns what was said when it does not.
fn open_and_read(journal: &Path) -> Result<(), String> {
    let clock = Arc::new(ManualClock::new(NOW));
    let options = StoreOptions { fold_after: 8, ..StoreOptions::default() };
    let stores = match Embedded::open(users(9), journal, clock, options) {
        Ok(stores) => Arc::new(stores).stores(),
        Err(error) => return Err(error.to_string()),
    };
    for user in (1..=9).map(UserId) {
        stores.posts.visit_by_author(user, &mut |post, _| {
            stores.posts.newest_version(post.id);
            std::ops::ControlFlow::Continue(())
        });
        stores.history.served(user, Platform::Web, NOW);
        stores.aggregates.visit_given(user, &mut |given| assert!(given.count.is_sound()));
    }
    Ok(())
}

/// A journal with something in every table.
fn write_journal(journal: &Path) {
    let clock = Arc::new(ManualClock::new(NOW));
    let options = StoreOptions { fold_after: 8, ..StoreOptions::default() };
    let stores = Arc::new(Embedded::open(users(9), journal, clock, options).expect("opens")).stores();
    let posts: Vec<_> = (0..6).map(|number| post(1 + number % 3, 60_000 * number as i64, number)).collect();
    for one in &posts {
        stores.posts.insert(one.clone()).expect("new");
    }
    for step in 0..40_u64 {
        let one = &posts[step as usize % posts.len()];
        let kind = EngagementKind::ALL[step as usize % EngagementKind::ALL.len()];
        let event =
            Engagement { user: UserId(1 + step % 9), post: one.id, author: one.author, kind, at: NOW };
        stores.engagements.record(&[event]).expect("records");
    }
    stores.posts.edit(posts[5].id, post(3, 0, 77)).expect("edits");
    let shown = ServedResponse {
        at: NOW,
        page: PageKind::Initial,
        posts: vec![(posts[0].id, None)],
        ..ServedResponse::default()
    };
    stores.history.record_served(UserId(1), Platform::Web, shown).expect("records");
    stores.history.flush().expect("flushes");
}

#[test]
fn a_damaged_journal_opens_or_is_refused_by_name_but_nothing_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    write_journal(&journal);
    assert_eq!(open_and_read(&journal), Ok(()));
    let whole = std::fs::read(&journal).expect("reads");
    let damaged = folder.path().join("damaged.redb");
    let mut refused = 0;
    let mut check = |bytes: &[u8], what: &str| {
        std::fs::write(&damaged, bytes).expect("writes");
        if let Err(problem) = open_and_read(&damaged) {
            assert!(problem.starts_with("journal: "), "{what}: {problem}");
            refused += 1;
        }
    };
    for kept in [1, 9, 100, 4_096, 8_192, whole.len() / 2, whole.len() - 4_096, whole.len() - 1] {
        check(&whole[..kept], &format!("cut to {kept} bytes"));
    }
    let used = whole.iter().rposition(|byte| *byte != 0).map_or(whole.len(), |last| last + 1);
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    };
    for round in 0..150 {
        let mut bytes = whole.clone();
        // One bit, or a stretch of a page; a third of them in the head, which tells the rest.
        let at = next() as usize % if round % 3 == 0 { 4_096 } else { used };
        if round % 2 == 0 {
            bytes[at] ^= 1 << (next() & 7);
        } else {
            let end = bytes.len().min(at + next() as usize % 64 + 1);
            bytes[at..end].iter_mut().for_each(|byte| *byte = next() as u8);
        }
        check(&bytes, &format!("round {round} at {at}"));
    }
    assert!(refused >= 8, "{refused} were refused");
}

/// Writes one row into a table of a good journal, and says what opening it says.
fn with_row<K: redb::Key + 'static, V: redb::Value + 'static>(
    table: TableDefinition<'_, K, V>,
    key: K::SelfType<'_>,
    value: V::SelfType<'_>,
) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    write_journal(&journal);
    let database = redb::Database::open(&journal).expect("opens");
    let transaction = database.begin_write().expect("begins");
    transaction.open_table(table).expect("is there").insert(key, value).expect("inserts");
    transaction.commit().expect("commits");
    drop(database);
    open_and_read(&journal).expect_err("is refused")
}

#[test]
fn rows_that_no_store_wrote_are_refused_by_table_and_row() {
    let versions = TableDefinition::<u64, u64>::new("versions");
    let folded = TableDefinition::<(u8, u64), &[u8]>::new("folded");
    let posts = TableDefinition::<u64, &[u8]>::new("posts");
    let history = TableDefinition::<(u64, u64), &[u8]>::new("history");
    let events = TableDefinition::<u64, &[u8]>::new("engagement_groups");
    let not_numbers = [f32::NAN.to_le_bytes(); 12].concat();
    let not_a_score = f64::NAN.to_le_bytes();
    let video = post(1, 0, 0).id.0;
    for (problem, said) in [
        (with_row(versions, 7, 7), ["versions", "not newer"]),
        (with_row(versions, 7, 6), ["versions", "not newer"]),
        (with_row(folded, (1, 3), &not_numbers[..30]), ["folded", "do not read"]),
        (with_row(folded, (0, 3), &not_numbers), ["folded", "do not read"]),
        (with_row(folded, (200, 3), &[]), ["folded", "do not read"]),
        (with_row(folded, (8, video), &not_a_score), ["folded", "do not read"]),
        (with_row(posts, PostId::at(NOW).0, b"{\"id\":"), ["posts", "row"]),
        (with_row(posts, PostId::at(NOW).0, &[0xff; 40]), ["posts", "row"]),
        (with_row(history, (1, 2), b"[]"), ["history", "row"]),
        (with_row(events, 1 << 40, &[0; 41]), ["engagement_groups", "do not read"]),
        (with_row(events, 1 << 40, &[0; 43]), ["engagement_groups", "do not read"]),
        (with_row(events, 1 << 40, &[]), ["engagement_groups", "do not read"]),
        (with_row(events, u64::MAX, &[0; 42]), ["engagement_groups", "do not read"]),
    ] {
        for word in said {
            assert!(problem.contains(word), "{word}: {problem}");
        }
    }
}
