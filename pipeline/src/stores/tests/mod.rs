//! Tests of the embedded stores through their traits.

mod behaviour;
mod bounds;
mod concurrency;
mod folding;
mod given;
mod history;
mod hostile;
mod layouts;
mod refusals;
mod replay;
mod versions;

use std::path::Path;
use std::sync::Arc;

use crate::domain::{ManualClock, Millis, Post, PostId, User, UserId, ViewerSettings};
use crate::stores::{Base, Embedded, StoreOptions};

/// The present of these tests.
pub(super) const NOW: Millis = Millis(1_700_000_000_000);

/// One hour.
pub(super) const HOUR_MS: i64 = 3_600_000;

/// A base of users 1 to `users` and nothing else.
pub(super) fn users(users: u64) -> Base {
    let mut base = Base::new(Some(NOW));
    for id in 1..=users {
        let user = User { id: UserId(id), screen_name: format!("user{id}"), ..User::default() };
        base.add_user(user, ViewerSettings::default()).expect("ids are unique");
    }
    base
}

/// Stores of users 1 to 9 without a file, and their clock.
pub(super) fn in_memory() -> (Arc<Embedded>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(NOW));
    let stores = Embedded::in_memory(users(9), clock.clone(), StoreOptions::default()).expect("opens");
    (Arc::new(stores), clock)
}

/// Stores of users 1 to 9 over a journal.
pub(super) fn on_disk(journal: &Path) -> Arc<Embedded> {
    let clock = Arc::new(ManualClock::new(NOW));
    Arc::new(Embedded::open(users(9), journal, clock, StoreOptions::default()).expect("opens"))
}

/// A post of an author, `age_ms` before the present.
pub(super) fn post(author: u64, age_ms: i64, number: u64) -> Post {
    let created_at = Millis(NOW.0 - age_ms);
    let id = PostId(PostId::at(created_at).0 + number);
    Post {
        id,
        author: UserId(author),
        created_at,
        text: format!("post {number}"),
        conversation: id,
        ..Post::default()
    }
}
