//! History: order, limits, and what is left of it on disk.

use std::time::{Duration, Instant};

use super::{HOUR_MS, NOW, in_memory, on_disk};
use crate::domain::{Millis, PageKind, Platform, PostId, ServedResponse, UserId};

const VIEWER: UserId = UserId(1);

fn response(request_id: u64, at: Millis, posts: u64) -> ServedResponse {
    let posts = (0..posts).map(|post| (PostId(post), None)).collect();
    ServedResponse { request_id, at, page: PageKind::Initial, posts, ..ServedResponse::default() }
}

#[test]
fn responses_come_newest_first_for_each_platform() {
    let stores = in_memory().0.stores();
    for (request, age) in [(1, 3), (2, 1), (3, 2)] {
        let at = Millis(NOW.0 - age * HOUR_MS);
        stores.history.record_served(VIEWER, Platform::Web, response(request, at, 2)).expect("records");
    }
    stores.history.record_served(VIEWER, Platform::Ios, response(9, NOW, 2)).expect("records");
    let requests = |platform, since| {
        let served = stores.history.served(VIEWER, platform, since);
        served.iter().map(|response| response.request_id).collect::<Vec<_>>()
    };
    assert_eq!(requests(Platform::Web, Millis(0)), [2, 3, 1]);
    assert_eq!(requests(Platform::Web, Millis(NOW.0 - 2 * HOUR_MS)), [2, 3]);
    assert_eq!(requests(Platform::Ios, Millis(0)), [9]);
    assert!(requests(Platform::Android, Millis(0)).is_empty());
}

#[test]
fn responses_beyond_1800_posts_are_dropped_whole_the_oldest_first() {
    let stores = in_memory().0.stores();
    for request in 0..60 {
        let at = Millis(NOW.0 - HOUR_MS + request as i64);
        stores.history.record_served(VIEWER, Platform::Web, response(request, at, 35)).expect("records");
    }
    let served = stores.history.served(VIEWER, Platform::Web, Millis(0));
    // 51 · 35 = 1785 fits, 52 · 35 = 1820 does not.
    assert_eq!((served.len(), served[0].request_id, served[50].request_id), (51, 59, 9));
}

#[test]
fn impressions_are_unique_newest_first_and_limited() {
    let stores = in_memory().0.stores();
    let seen = |posts: &[u64], at: Millis| {
        let posts: Vec<_> = posts.iter().map(|&post| PostId(post)).collect();
        stores.history.record_impressions(VIEWER, &posts, at).expect("records");
    };
    seen(&[1, 2], Millis(NOW.0 - 2));
    seen(&[3, 1], Millis(NOW.0 - 1));
    seen(&[], NOW);
    let impressions = |since, limit| {
        stores.history.impressions(VIEWER, since, limit).iter().map(|post| post.0).collect::<Vec<_>>()
    };
    assert_eq!(impressions(Millis(0), 10), [3, 1, 2]);
    assert_eq!(impressions(Millis(0), 2), [3, 1]);
    assert_eq!(impressions(Millis(NOW.0 - 1), 10), [3, 1]);
    for first in (0..12_000).step_by(1_000) {
        seen(&(first..first + 1_000).collect::<Vec<_>>(), NOW);
    }
    assert_eq!(impressions(Millis(0), 100_000).len(), 5_000);
}

#[test]
fn the_last_ten_visits_are_kept() {
    let stores = in_memory().0.stores();
    (0..15).for_each(|step| stores.history.record_visit(VIEWER, Millis(NOW.0 + step)).expect("records"));
    let visits: Vec<_> = stores.history.visits(VIEWER).iter().map(|at| at.0 - NOW.0).collect();
    assert_eq!(visits, [14, 13, 12, 11, 10, 9, 8, 7, 6, 5]);
}

#[test]
fn what_fell_out_of_a_limit_is_gone_from_disk_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    for round in 0..2 {
        let stores = on_disk(&journal).stores();
        for step in 0..30 {
            stores.history.record_visit(VIEWER, Millis(NOW.0 + round * 100 + step)).expect("records");
        }
    }
    let stores = on_disk(&journal).stores();
    let visits: Vec<_> = stores.history.visits(VIEWER).iter().map(|at| at.0 - NOW.0).collect();
    assert_eq!(visits, [129, 128, 127, 126, 125, 124, 123, 122, 121, 120]);
    drop(stores);
    // Exactly the ten that count are on disk, not the sixty that were.
    let database = redb::Database::open(&journal).expect("opens");
    let transaction = redb::ReadableDatabase::begin_read(&database).expect("reads");
    let table = redb::TableDefinition::<(u64, u64), &[u8]>::new("history");
    let rows =
        redb::ReadableTableMetadata::len(&transaction.open_table(table).expect("is there")).expect("counts");
    assert_eq!(rows, 10);
}

#[test]
fn a_group_is_on_disk_within_100_ms_without_anybody_asking() {
    let folder = tempfile::tempdir().expect("a folder");
    let stores = on_disk(&folder.path().join("state.redb")).stores();
    stores.history.record_visit(VIEWER, NOW).expect("records");
    // Flushing waits for what is not yet written: after the delay there is nothing left to wait for but itself. The
    // group's own commit is seen by the copy below.
    std::thread::sleep(Duration::from_millis(100));
    let copy = folder.path().join("copy.redb");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(20) {
        std::fs::copy(folder.path().join("state.redb"), &copy).expect("copies");
        if on_disk(&copy).stores().history.visits(VIEWER) == [NOW] {
            return;
        }
        // A busy machine may take longer than 100 ms for the thread to run at all.
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the visit was not written without a flush");
}
