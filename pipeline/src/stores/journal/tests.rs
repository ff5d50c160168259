//! What a transaction writes is what a replay finds.

use std::sync::Arc;

use super::Write;
use super::tables::{Tables, Transaction};
use crate::domain::{
    Engagement, EngagementKind, EventTraits, ManualClock, Millis, Post, PostId, PostTraits, User, UserId,
    ViewerSettings,
};
use crate::stores::memory::Recorded;
use crate::stores::{Base, StoreOptions};

#[test]
fn posts_that_come_and_go_in_the_same_transaction_count_what_comes_between() {
    let now = Millis(1_700_000_000_000);
    let memory = || {
        let mut base = Base::new(Some(now));
        let user = User { id: UserId(1), ..User::default() };
        base.add_user(user, ViewerSettings::default()).expect("new");
        base.into_memory(Arc::new(ManualClock::new(now)), StoreOptions::default())
    };
    let id = PostId::at(now);
    let made = |id: PostId| {
        Box::new(Post {
            id,
            author: UserId(1),
            created_at: id.made_at(),
            conversation: id,
            ..Post::default()
        })
    };
    let like = |post: PostId| {
        let engagement =
            Engagement { user: UserId(1), post, author: UserId(1), kind: EngagementKind::Favorite, at: now };
        let traits = EventTraits::unpack(u64::from(PostTraits::default().cell.code()));
        Write::Engagements(vec![Recorded { engagement, traits, is_counted: true }])
    };
    let (first, second) = (id, PostId(id.0 + 1));
    let writes = || {
        [
            like(first),
            Write::InsertPost(made(first)),
            like(first),
            like(second),
            Write::EditPost { old: first, new: made(second) },
            like(first),
            like(second),
            like(second),
        ]
    };
    let (tables, live) = (Tables::open(None).expect("opens"), memory());
    let put_all = |transaction: &mut Transaction<'_>| {
        for write in writes() {
            transaction.put(&write, &live).map_err(|_| "was refused".to_owned())?;
        }
        Ok(())
    };
    tables.write(put_all).expect("commits");
    for write in writes() {
        live.apply(write);
    }
    let replayed = memory();
    tables.replay(&replayed).expect("replays");
    for memory in [&live, &replayed] {
        assert_eq!(memory.posts.counts_of(first), None);
        assert_eq!(memory.posts.counts_of(second).map(|counts| counts.favorites), Some(2));
    }
    assert_eq!(tables.unfolded(), Ok(6));
}
