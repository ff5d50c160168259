//! Engagements that cannot have happened are refused, all of their write, and leave nothing behind.

use std::time::Duration;

use super::{HOUR_MS, NOW, in_memory, post};
use crate::domain::stores::StoreError;
use crate::domain::{Clock, Engagement, EngagementKind, Millis, PostId, UserId};

#[test]
fn nobody_nothing_and_the_future_engage_with_nothing() {
    let (embedded, _) = in_memory();
    let stores = embedded.clone().stores();
    let liked = post(3, HOUR_MS, 1);
    stores.posts.insert(liked.clone()).expect("new");
    let good = Engagement {
        user: UserId(1),
        post: liked.id,
        author: UserId(3),
        kind: EngagementKind::Favorite,
        at: NOW,
    };
    let users = embedded.sizes().0;
    for (what, bad) in [
        ("an unknown user", Engagement { user: UserId(u64::MAX), ..good }),
        ("an unknown author", Engagement { author: UserId(0), ..good }),
        ("another author", Engagement { author: UserId(4), ..good }),
        ("a moment to come", Engagement { at: Millis(NOW.0 + 2 * HOUR_MS), ..good }),
        ("the end of time", Engagement { at: Millis(i64::MAX), ..good }),
        ("the beginning of time", Engagement { at: Millis(i64::MIN), ..good }),
        ("a moment before 1970", Engagement { at: Millis(-1), ..good }),
    ] {
        let refused = stores.engagements.record(&[good, bad]);
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{what}: {refused:?}");
    }
    assert!(stores.engagements.of_post(liked.id, 9).is_empty(), "nothing of a refused write is recorded");
    assert_eq!(stores.posts.get(liked.id).map(|(_, counts)| counts.favorites), Some(0));
    assert_eq!(embedded.sizes().0, users, "nobody was added");
    // A clock that was set back a little, twice the same, nothing at all.
    let ahead = Engagement { at: Millis(NOW.0 + HOUR_MS / 2), ..good };
    stores.engagements.record(&[good, good, ahead]).expect("records");
    stores.engagements.record(&[]).expect("records nothing");
    assert_eq!(stores.engagements.of_post(liked.id, 9).len(), 3);
}

#[test]
fn counts_of_posts_that_nobody_can_have_made_yet_are_forgotten() {
    let (embedded, clock) = in_memory();
    let stores = embedded.clone().stores();
    let year = Duration::from_secs(365 * 24 * 3_600);
    let to_come = PostId::at(clock.now() + year);
    for post in [PostId(u64::MAX), to_come, PostId(0), PostId::at(NOW)] {
        let (user, author, kind) = (UserId(1), UserId(3), EngagementKind::Favorite);
        stores.engagements.record(&[Engagement { user, post, author, kind, at: NOW }]).expect("records");
    }
    assert_eq!(embedded.memory.aggregates.posts(), 4);
    embedded.sweep().expect("sweeps");
    assert_eq!(embedded.memory.aggregates.posts(), 1, "the one of today stays");
}
