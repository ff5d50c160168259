//! What a person gave is bounded by age and by count, and a restart finds the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{HOUR_MS, NOW, users};
use crate::domain::stores::Stores;
use crate::domain::{Decayed, Engagement, EngagementKind, ManualClock, Millis, PostId, User, UserId};
use crate::stores::aggregates::MAX_GIVEN;
use crate::stores::{Embedded, StoreOptions};

const DAY_MS: i64 = 24 * HOUR_MS;
const USERS: u64 = 9;

fn open(journal: &Path, clock: &Arc<ManualClock>, fold_after: usize) -> Arc<Embedded> {
    let options = StoreOptions { fold_after, ..StoreOptions::default() };
    Arc::new(Embedded::open(users(USERS), journal, clock.clone(), options).expect("opens"))
}

fn event(user: u64, author: u64, kind: EngagementKind, at: Millis) -> Engagement {
    // No such post: its traits are the default ones, so a row is an author and a kind.
    Engagement { user: UserId(user), post: PostId(7), author: UserId(author), kind, at }
}

/// What a person gave by author and kind, with all its bits.
fn given(stores: &Stores, user: u64) -> BTreeMap<(u64, EngagementKind), [u8; Decayed::BYTES]> {
    let mut rows = BTreeMap::new();
    stores.aggregates.visit_given(UserId(user), &mut |given| {
        let old = rows.insert((given.author.0, given.kind), given.count.to_bytes());
        assert!(old.is_none(), "each row once");
    });
    rows
}

/// The number of events in a count's bytes.
fn total(bytes: &[u8; Decayed::BYTES]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[test]
fn rows_go_when_nothing_was_added_for_three_hundred_days() {
    for fold_after in [40, usize::MAX] {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("state.redb");
        let clock = Arc::new(ManualClock::new(NOW));
        let mut stores = open(&journal, &clock, fold_after);
        // By user, author and kind: the last day, and how many events there were.
        let mut twin = BTreeMap::<(u64, u64, EngagementKind), (i64, u32)>::new();
        for step in 0..90_u64 {
            let day = 7 * step as i64;
            let now = Millis(NOW.0 + day * DAY_MS);
            clock.set(now);
            let mut events = Vec::new();
            for place in 0..6 {
                // The last user gives for some weeks and never comes back; most pairs meet seldom.
                let user = if step < 4 { USERS } else { 1 + (step * 5 + place) % (USERS - 1) };
                let author = 1 + (user + step / 30 + place) % USERS;
                let kind = EngagementKind::ALL[((step / 20 + place) % 5) as usize];
                events.push(event(user, author, kind, now));
                let row = twin.entry((user, author, kind)).or_default();
                *row = (day, row.1 + 1);
            }
            let all = Arc::clone(&stores).stores();
            all.engagements.record(&events).expect("records");
            stores.sweep().expect("sweeps");
            twin.retain(|_, (last, _)| *last >= day - 300);
            if step % 15 == 14 {
                let before: Vec<_> = (1..=USERS).map(|user| given(&all, user)).collect();
                drop((all, stores));
                stores = open(&journal, &clock, fold_after);
                let all = Arc::clone(&stores).stores();
                let after: Vec<_> = (1..=USERS).map(|user| given(&all, user)).collect();
                assert_eq!(before, after, "folding after {fold_after}, day {day}");
                for (user, rows) in (1..).zip(after) {
                    let got: Vec<_> = rows.iter().map(|(key, bytes)| (*key, total(bytes))).collect();
                    let of_user = twin.iter().filter(|((of, ..), _)| *of == user);
                    let expected: Vec<_> =
                        of_user.map(|((_, author, kind), row)| ((*author, *kind), row.1)).collect();
                    assert_eq!(got, expected, "user {user}, folding after {fold_after}, day {day}");
                }
            }
        }
        let all = Arc::clone(&stores).stores();
        assert!(given(&all, USERS).is_empty(), "who never came back gave nothing any more");
        assert!(!twin.is_empty());
    }
}

#[test]
fn of_many_rows_those_of_the_newest_days_stay() {
    const AUTHORS: u64 = 260;
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let clock = Arc::new(ManualClock::new(NOW));
    let stores = open(&journal, &clock, usize::MAX).stores();
    // Accounts come in falling order: after a restart, when they are read in rising order, their places are others.
    let ids = (0..AUTHORS).map(|number| 1_000 + number);
    for id in ids.clone().rev() {
        stores.users.put(User { id: UserId(id), ..User::default() }).expect("puts");
    }
    let kinds = EngagementKind::ALL;
    let pairs: Vec<_> = ids.flat_map(|id| kinds.map(|kind| (id, kind))).collect();
    // By author and kind: the last day, and how many events there were.
    let mut twin = BTreeMap::<(u64, EngagementKind), (i64, u32)>::new();
    let (mut most, mut events) = (0, Vec::new());
    // In an order that mixes authors; a row in ten is met again much later, and eleven days have hundreds each.
    for (place, step) in (0..pairs.len()).map(|step| (step * 1_009 % pairs.len(), step)) {
        let (again, _) = pairs[step / 10];
        for (author, kind) in [pairs[place], (again, EngagementKind::Click)] {
            let at = Millis(NOW.0 - 11 * DAY_MS + (step / 350) as i64 * DAY_MS);
            events.push(event(1, author, kind, at));
            let row = twin.entry((author, kind)).or_default();
            *row = (row.0.max(at.0.div_euclid(DAY_MS)), row.1 + 1);
            if twin.len() > MAX_GIVEN + MAX_GIVEN / 8 {
                let mut order: Vec<_> = twin.iter().map(|(key, row)| (row.0, row.1, *key)).collect();
                order.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then(a.2.cmp(&b.2)));
                twin =
                    order.into_iter().take(MAX_GIVEN).map(|(day, total, key)| (key, (day, total))).collect();
            }
            most = most.max(twin.len());
        }
    }
    assert!(most > MAX_GIVEN, "{most} rows");
    events.chunks(97).for_each(|part| stores.engagements.record(part).expect("records"));
    let before = given(&stores, 1);
    let got: Vec<_> = before.iter().map(|(key, bytes)| (*key, total(bytes))).collect();
    assert_eq!(got, twin.iter().map(|(key, row)| (*key, row.1)).collect::<Vec<_>>());
    drop(stores);
    assert_eq!(given(&open(&journal, &clock, usize::MAX).stores(), 1), before);
}
