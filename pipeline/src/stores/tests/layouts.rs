//! Journals of the layout before this one, in which each engagement had a row of its own.

use std::path::Path;
use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use super::{NOW, post, users};
use crate::domain::stores::{Stores, TallyKey};
use crate::domain::{Engagement, EngagementKind, ManualClock, UserId};
use crate::stores::{Embedded, StoreOptions};

type Single = (u64, u64, u64, u8, i64, bool, u64);
const SINGLE: TableDefinition<u64, Single> = TableDefinition::new("engagements_with_traits");
const GROUPS: TableDefinition<u64, &[u8]> = TableDefinition::new("engagement_groups");
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// What engagements made of the stores, as text with the bits of its numbers.
fn everything(stores: &Stores) -> Vec<String> {
    let mut lines = Vec::new();
    for user in (1..=9).map(UserId) {
        stores.aggregates.visit_given(user, &mut |given| {
            lines.push(format!("{user} gave {} {:?} {:?}", given.author, given.kind, given.count.to_bytes()));
        });
        lines.push(format!("{user} did {:?}", stores.engagements.of_user(user, usize::MAX)));
        stores.aggregates.visit_tallies(&[TallyKey::Person(user)], &mut |_, rows| {
            lines.extend(rows.iter().map(|row| format!("{user}: {:?} {:?}", row.key, row.count.to_bytes())));
        });
    }
    for number in 0..3 {
        let counts = stores.posts.get(post(3, 60_000, number).id).map(|(_, counts)| counts);
        lines.push(format!("post {number} has {counts:?}"));
    }
    lines
}

/// Stores that fold after so many engagements.
fn open(journal: &Path, fold_after: usize) -> Stores {
    let options = StoreOptions { fold_after, ..StoreOptions::default() };
    let clock = Arc::new(ManualClock::new(NOW));
    Arc::new(Embedded::open(users(9), journal, clock, options).expect("opens")).stores()
}

/// Writes the rows of engagements as the layout before had them; numbers have gaps where some are gone.
fn make_old(journal: &Path, gap: u64) -> usize {
    let database = redb::Database::open(journal).expect("opens");
    let transaction = database.begin_write().expect("begins");
    let mut count = 0;
    {
        let groups = transaction.open_table(GROUPS).expect("is there");
        let mut single = transaction.open_table(SINGLE).expect("opens");
        let numbered = |number: u64| number + gap * (number / 5);
        for group in groups.iter().expect("reads") {
            let (first, row) = group.expect("reads");
            for (place, bytes) in (0..).zip(row.value().chunks_exact(42)) {
                let word =
                    |at: usize| u64::from_le_bytes(bytes[8 * at..8 * at + 8].try_into().expect("eight"));
                let number = numbered(first.value() + place);
                let row = (word(0), word(1), word(2), bytes[40], word(3) as i64, bytes[41] == 1, word(4));
                single.insert(number, row).expect("inserts");
                count += 1;
            }
        }
        let mut meta = transaction.open_table(META).expect("is there");
        meta.insert("layout", 1).expect("inserts");
        let through = meta.get("folded_through").expect("reads").map_or(0, |value| value.value());
        meta.insert("folded_through", numbered(through)).expect("inserts");
    }
    transaction.delete_table(GROUPS).expect("deletes");
    transaction.commit().expect("commits");
    count
}

#[test]
fn a_journal_of_single_engagements_opens_as_it_was_and_takes_more() {
    // Folds leave engagements that are in the sums beside some that are not.
    for (gap, fold_after) in [(0, usize::MAX), (1, usize::MAX), (0, 50), (1, 50)] {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("state.redb");
        let record = |stores: &Stores, steps: std::ops::Range<u64>| {
            for step in steps {
                let (one, kind) = (post(3, 60_000, step % 4), EngagementKind::ALL[(step % 14) as usize]);
                let user = UserId(1 + step % 9);
                let event = Engagement { user, post: one.id, author: UserId(3), kind, at: NOW };
                stores.engagements.record(&vec![event; 1 + step as usize % 3]).expect("records");
            }
        };
        let stores = open(&journal, fold_after);
        (0..2).for_each(|number| stores.posts.insert(post(3, 60_000, number)).expect("new"));
        record(&stores, 0..30);
        // Counted from here on.
        stores.posts.insert(post(3, 60_000, 2)).expect("new");
        record(&stores, 30..60);
        let before = everything(&stores);
        drop(stores);
        assert_eq!(make_old(&journal, gap), 120);
        let stores = open(&journal, fold_after);
        assert_eq!(everything(&stores), before, "gaps of {gap}, folds after {fold_after}");
        record(&stores, 60..70);
        let more = everything(&stores);
        assert_ne!(more, before);
        drop(stores);
        assert_eq!(everything(&open(&journal, fold_after)), more, "gaps of {gap}, opened again");
        let database = Arc::new(redb::Database::open(&journal).expect("opens"));
        let meta = database.begin_read().expect("reads").open_table(META).expect("is there");
        assert_eq!(meta.get("layout").expect("reads").map(|value| value.value()), Some(2));
    }
}
