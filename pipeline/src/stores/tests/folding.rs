//! Engagements that were folded are as if they were all there still.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::NOW;
use crate::domain::stores::{Stores, TallyKey};
use crate::domain::{
    Clock, DecayTable, Engagement, EngagementKind, ManualClock, Media, Millis, Post, PostCounts, PostId,
    TopicId, User, UserId, ViewerSettings,
};
use crate::stores::{Base, Embedded, StoreOptions};

const DAY_MS: i64 = 24 * 3_600_000;
const USERS: u64 = 9;
/// Engagements of a day.
const DAILY: u64 = 60;
const FOLD_AFTER: usize = 100;

/// Users who have communities, and nothing else.
fn base() -> Base {
    let mut base = Base::new(Some(NOW));
    for id in 1..=USERS {
        let user =
            User { id: UserId(id), country: ["de", "fr"][id as usize % 2].to_owned(), ..User::default() };
        base.add_user(user, ViewerSettings::default()).expect("ids are unique");
    }
    for id in 1..=USERS {
        let communities = [(id as u32 % 4, 1.0), (4 + id as u32 % 3, 0.37)];
        base.add_embeddings(UserId(id), Default::default(), &communities).expect("the user is there");
    }
    base
}

fn open(journal: &Path, clock: &Arc<ManualClock>, fold_after: usize) -> Stores {
    let options = StoreOptions { fold_after, ..StoreOptions::default() };
    Arc::new(Embedded::open(base(), journal, clock.clone(), options).expect("opens")).stores()
}

/// One day of posts, engagements and deletes, the same for the same day.
fn live(stores: &Stores, day: u64, posts: &[Vec<PostId>]) {
    let start = NOW.0 + day as i64 * DAY_MS;
    for (place, &id) in posts[day as usize].iter().enumerate() {
        let post = Post {
            id,
            author: UserId(1 + (day + place as u64) % USERS),
            created_at: id.made_at(),
            conversation: id,
            topic: Some(TopicId(place as u64 % 3)),
            media: Media { video_ms: (place == 1).then_some(5_000), ..Media::default() },
            text: "words".repeat(1 + 40 * (place % 2)),
            ..Post::default()
        };
        stores.posts.insert(post).expect("the id is free");
    }
    let mut random = day.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for step in 0..DAILY {
        // Posts of today and of the five days before.
        let of = &posts[day.saturating_sub(draw(6)) as usize];
        let post = of[draw(of.len() as u64) as usize];
        let author = stores.posts.get(post).map_or(UserId(1), |(post, _)| post.author);
        let kind = EngagementKind::ALL[draw(4) as usize];
        let at = Millis(start + DAY_MS / 2 + step as i64 * 60_000);
        let event = Engagement { user: UserId(1 + draw(USERS)), post, author, kind, at };
        stores.engagements.record(&[event]).expect("records");
    }
    if day % 3 == 2 {
        stores.posts.delete(posts[day as usize - 1][0]).expect("deletes");
    }
}

/// Everything that engagements change, as text with the bits of its numbers.
fn everything(stores: &Stores, now: Millis, posts: &[Vec<PostId>]) -> Vec<String> {
    let decay = DecayTable::new(now);
    let mut lines = Vec::new();
    let users: Vec<UserId> = (1..=USERS).map(UserId).collect();
    let kept: Vec<PostId> =
        posts.iter().flatten().copied().filter(|id| stores.posts.get(*id).is_some()).collect();
    for &user in &users {
        stores.aggregates.visit_given(user, &mut |given| {
            let count = given.count.values(&decay).map(f32::to_bits);
            lines.push(format!(
                "{user} gave {} {} {:?} {:?} {count:?}",
                given.author, given.topic, given.cell, given.kind
            ));
        });
        lines.push(format!("{user} did {:?}", stores.engagements.of_user(user, usize::MAX)));
    }
    let mut keys: Vec<TallyKey> = users.iter().map(|user| TallyKey::Person(*user)).collect();
    keys.extend(kept.iter().map(|post| TallyKey::Post(*post)));
    keys.extend((0..8).map(TallyKey::Topic));
    keys.extend((0..8).map(TallyKey::Community));
    keys.extend(["de", "fr"].map(|country| TallyKey::Country(crate::domain::country_code(country))));
    keys.push(TallyKey::Language(0));
    stores.aggregates.visit_tallies(&keys, &mut |place, rows| {
        for row in rows.iter() {
            lines.push(format!("{place} {:?} {:?}", row.key, row.count.values(&decay).map(f32::to_bits)));
        }
    });
    for &post in &kept {
        lines.push(format!(
            "{post} has {:?}",
            stores.posts.get(post).map(|(_, counts): (_, PostCounts)| counts)
        ));
        lines.push(format!("{post} is near {:?}", stores.embeddings.post_communities(post)));
        lines.push(format!("{post} met {:?}", stores.engagements.of_post(post, usize::MAX)));
    }
    for community in 0..8 {
        stores.retrieval.visit_posts(community, Millis(0), &mut |post, share| {
            lines.push(format!("{community} has {post} {}", share.to_bits()));
        });
    }
    stores.retrieval.visit_popular_videos(&mut |post, score| {
        if kept.contains(&post) {
            lines.push(format!("video {post} {}", score.to_bits()));
        }
        ControlFlow::Continue(())
    });
    lines
}

fn rows(journal: &Path) -> (u64, u64) {
    let database = redb::Database::open(journal).expect("opens");
    let transaction = database.begin_read().expect("reads");
    let events = TableDefinition::<u64, &[u8]>::new("engagement_groups");
    let folded = TableDefinition::<(u8, u64), &[u8]>::new("folded");
    let events = transaction.open_table(events).expect("is there");
    let bytes = |row: Result<(_, redb::AccessGuard<&[u8]>), _>| row.expect("reads").1.value().len() as u64;
    let events = events.iter().expect("reads").map(bytes).sum::<u64>() / 42;
    (events, transaction.open_table(folded).expect("is there").len().expect("counts"))
}

#[test]
fn a_journal_that_is_folded_stays_small_and_starts_as_one_that_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let [small, whole] = ["small", "whole"].map(|name| folder.path().join(name));
    let clock = Arc::new(ManualClock::new(NOW));
    const DAYS: u64 = 42;
    let day_of_posts = |day: u64| -> Vec<PostId> {
        let at = Millis(NOW.0 + day as i64 * DAY_MS);
        (0..4).map(|number| PostId(PostId::at(at).0 + number)).collect()
    };
    let posts: Vec<Vec<PostId>> = (0..DAYS).map(day_of_posts).collect();
    let mut stores = [open(&small, &clock, FOLD_AFTER), open(&whole, &clock, usize::MAX)];
    let mut sizes = Vec::new();
    for day in 0..DAYS {
        clock.set(Millis(NOW.0 + (day as i64 + 1) * DAY_MS - 1));
        stores.iter().for_each(|stores| live(stores, day, &posts));
        if day % 14 != 13 {
            continue;
        }
        let before = stores.each_ref().map(|stores| everything(stores, clock.now(), &posts));
        assert!(before[0].len() > 500, "{} lines to compare", before[0].len());
        drop(stores);
        let (events, sums) = rows(&small);
        // What came since the last fold, and what the graph needed then: a day.
        assert!(events <= FOLD_AFTER as u64 + 2 * DAILY, "{events} engagements after day {day}");
        assert_eq!(rows(&whole).0, (day + 1) * DAILY);
        sizes.push((sums, std::fs::metadata(&small).expect("is there").len()));
        stores = [open(&small, &clock, FOLD_AFTER), open(&whole, &clock, usize::MAX)];
        let after = stores.each_ref().map(|stores| everything(stores, clock.now(), &posts));
        for (name, lines) in [("folded", &after[0]), ("not folded", &after[1])] {
            for (got, expected) in lines.iter().zip(&before[1]) {
                assert_eq!(got, expected, "{name}, after day {day}");
            }
            assert_eq!(lines.len(), before[1].len(), "{name}, after day {day}");
        }
        assert_eq!(before[0], before[1], "while open, after day {day}");
    }
    // Sums of posts go with the posts; those of people, topics and the like were all there by the first measurement.
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    assert!(last.0 <= first.0 + first.0 / 4, "{sizes:?}");
    assert!(last.1 <= 2 * first.1, "{sizes:?}");
}
