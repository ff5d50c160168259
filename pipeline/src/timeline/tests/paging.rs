//! Cursors, sort indexes, and what a reader sees who scrolls.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::{ALL, LIST, World, ids, plain, world, world_of};
use crate::domain::{ListId, PostId, TimelineKind, UserId};
use crate::mixing::Item;
use crate::sealed::Key;
use crate::testing::{Answer, VIEWER, post, reply, repost};
use crate::timeline::{CursorKind, Direction, Instruction, Timeline, TimelineError, TimelineRequest};

/// Scrolls down to the end, at most so many pages.
async fn scroll(world: &World, kind: TimelineKind, count: usize, pages: usize) -> Vec<Timeline> {
    let mut all = Vec::new();
    let mut request = TimelineRequest { count: Some(count), ..TimelineRequest::new(kind, VIEWER) };
    while all.len() < pages {
        let page = world.get(request.clone()).await;
        let next = page.cursor(CursorKind::Bottom).map(str::to_owned);
        let ends = page.instructions.iter().any(|instruction| {
            matches!(instruction, Instruction::TerminateTimeline { direction: Direction::Bottom })
        });
        assert_eq!(next.is_none(), ends, "a page ends the timeline or leads on");
        all.push(page);
        let Some(next) = next else { return all };
        request.cursor = Some(next);
    }
    all
}

fn once(pages: &[Timeline]) -> BTreeSet<PostId> {
    let all: Vec<PostId> = pages.iter().flat_map(ids).collect();
    let distinct: BTreeSet<PostId> = all.iter().copied().collect();
    assert_eq!(all.len(), distinct.len(), "no post comes twice");
    distinct
}

#[tokio::test]
async fn twenty_pages_repeat_and_skip_nothing_in_any_timeline() {
    for kind in ALL {
        // 10 authors × 42 posts = 420 for Following and For You: 20 pages of 20 and one to spare.
        let world = world_of(plain(), 42, &[], Answer::Rows);
        let eligible = |post: &crate::domain::Post| match kind {
            TimelineKind::ForYou | TimelineKind::Following => (10..20).contains(&post.author.0),
            TimelineKind::List(_) => (12..17).contains(&post.author.0),
            _ => [18, 19].contains(&post.author.0) && post.exclusive_author.is_some(),
        };
        let expected: BTreeSet<PostId> =
            world.stores.all_posts().iter().filter(|post| eligible(post)).map(|post| post.id).collect();
        let count = expected.len() / 20;
        let pages = scroll(&world, kind, count, 30).await;
        assert_eq!(once(&pages), expected, "{kind}");
        assert!(pages.len() >= 20, "{kind}: {} pages", pages.len());
        if kind.is_chronological() {
            let order: Vec<PostId> = pages.iter().flat_map(ids).collect();
            assert!(order.is_sorted_by(|a, b| a > b), "{kind}: newest first over all pages");
        }
    }
}

#[tokio::test]
async fn conversations_reposts_and_posts_that_come_meanwhile_do_not_break_the_scroll() {
    let world = world_of(plain(), 10, &[], Answer::Rows);
    let all = world.stores.all_posts();
    let of = |author: u64, place: usize| {
        all.iter().rev().filter(|post| post.author == UserId(author)).nth(place).expect("a post").clone()
    };
    // Replies to posts further down, two of them to one post; reposts of posts further down; a reply to a stranger.
    let (root, other) = (of(10, 8), of(11, 6));
    for post in [
        reply(12, 3, &root),
        reply(13, 4, &root),
        reply(14, 5, &other),
        repost(15, 6, &of(12, 9)),
        reply(16, 7, &of(25, 0)),
    ] {
        world.stores.add(&post, 3);
    }
    let mut seen = Vec::new();
    let mut request =
        TimelineRequest { count: Some(7), ..TimelineRequest::new(TimelineKind::Following, VIEWER) };
    let started = world.stores.all_posts();
    for page in 0.. {
        let timeline = world.get(request.clone()).await;
        seen.extend(ids(&timeline));
        let Some(next) = timeline.cursor(CursorKind::Bottom) else { break };
        request.cursor = Some(next.to_owned());
        world.clock.advance(Duration::from_secs(7 * 60));
        world.stores.add(&post(17, 0).tap(|post| post.id = PostId(post.id.0 + 1_000 + page)), 1);
    }
    let distinct: HashSet<PostId> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "nothing twice, however long the reader takes");
    let reposted = of(12, 9).id;
    let eligible = |post: &&crate::domain::Post| {
        (10..20).contains(&post.author.0)
            && post.in_reply_to.is_none_or(|to| (10..20).contains(&to.author.0))
            && post.id != reposted
            && post.exclusive_author.is_none_or(|author| [18, 19].contains(&author.0))
    };
    let missing: Vec<_> =
        started.iter().filter(eligible).filter(|post| !distinct.contains(&post.id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!distinct.contains(&reposted), "shown behind its repost already");
}

/// Changes a value on its way.
trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
impl Tap for crate::domain::Post {}

#[tokio::test]
async fn a_gap_cursor_fills_exactly_the_gap() {
    for kind in [TimelineKind::Following, TimelineKind::List(LIST)] {
        let world = world_of(plain(), 2, &[], Answer::Rows);
        let request = |cursor: Option<&str>, count| TimelineRequest {
            cursor: cursor.map(str::to_owned),
            count: Some(count),
            ..TimelineRequest::new(kind, VIEWER)
        };
        let first = world.get(request(None, 5)).await;
        let known: BTreeSet<PostId> = ids(&first).into_iter().collect();
        assert!(first.cursor(CursorKind::Gap).is_none());
        // Twelve new posts, of which the page of newer ones shows five.
        world.clock.advance(Duration::from_secs(3600));
        let new: Vec<_> = (0..12)
            .map(|place| {
                let mut new = post(12 + place % 5, 0);
                new.id =
                    PostId(PostId::at(crate::testing::NOW + Duration::from_secs(60 * (1 + place))).0 + place);
                new.created_at = new.id.made_at();
                new.conversation = new.id;
                world.stores.add(&new, 0);
                new.id
            })
            .collect();
        let newer = world.get(request(first.cursor(CursorKind::Top), 5)).await;
        let newest: Vec<PostId> = new.iter().rev().copied().collect();
        assert_eq!(ids(&newer), newest[..5], "{kind}");
        assert!(newer.cursor(CursorKind::Bottom).is_none(), "the gap cursor stands in its place");
        let mut filled = Vec::new();
        let mut cursor = newer.cursor(CursorKind::Gap).map(str::to_owned);
        while let Some(gap) = cursor {
            let middle = world.get(request(Some(&gap), 4)).await;
            filled.extend(ids(&middle));
            cursor = middle.cursor(CursorKind::Gap).map(str::to_owned);
        }
        assert_eq!(filled, newest[5..], "{kind}: neither more nor less");
        assert!(filled.iter().all(|id| !known.contains(id)));
        // Nothing new: an empty page whose top cursor leads to the same place.
        let nothing = world.get(request(newer.cursor(CursorKind::Top), 5)).await;
        assert_eq!(ids(&nothing), []);
        assert!(nothing.cursor(CursorKind::Gap).is_none() && nothing.cursor(CursorKind::Top).is_some());
    }
}

#[tokio::test]
async fn what_comes_to_an_empty_timeline_is_found_by_the_top_cursor_alone() {
    for (kind, author) in
        [(TimelineKind::Following, 12), (TimelineKind::List(LIST), 12), (TimelineKind::Subscribed, 18)]
    {
        let world = world_of(plain(), 0, &[], Answer::Rows);
        let empty = world.first(kind).await;
        assert_eq!(ids(&empty), [], "{kind}");
        world.clock.advance(Duration::from_secs(60));
        let mut new = post(author, 0);
        new.id = PostId::at(crate::testing::NOW + Duration::from_secs(30));
        new.created_at = new.id.made_at();
        new.conversation = new.id;
        new.exclusive_author = (author == 18).then_some(new.author);
        world.stores.add(&new, 0);
        let mut found = Vec::new();
        for cursor in [CursorKind::Bottom, CursorKind::Top] {
            let Some(cursor) = empty.cursor(cursor) else { continue };
            found.push(ids(&world.get(TimelineRequest::new(kind, VIEWER).at(cursor)).await));
        }
        assert_eq!(found, [vec![], vec![new.id]], "{kind}: older posts, newer posts");
    }
}

#[tokio::test]
async fn forged_foreign_and_cut_cursors_are_refused() {
    let world = world();
    let page = world.first(TimelineKind::Following).await;
    let cursor = page.cursor(CursorKind::Bottom).expect("a cursor").to_owned();
    let stranger = Key::new([9; 32]).seal("cursor/following/1", &[1; 34]);
    for (kind, viewer, text) in [
        (TimelineKind::Following, 10, cursor.clone()),
        (TimelineKind::ForYou, 1, cursor.clone()),
        (TimelineKind::List(LIST), 1, cursor.clone()),
        (TimelineKind::Following, 1, cursor[1..].to_owned()),
        (TimelineKind::Following, 1, cursor[..cursor.len() - 1].to_owned()),
        (TimelineKind::Following, 1, format!("{cursor}{cursor}")),
        (TimelineKind::Following, 1, stranger),
        (TimelineKind::Following, 1, String::new()),
        (TimelineKind::Following, 1, "A".repeat(100_000)),
        (TimelineKind::Following, 1, "\u{202e}cursor".to_owned()),
    ] {
        let request = TimelineRequest::new(kind, UserId(viewer)).at(text);
        let refused = world.home.timeline(request).await;
        assert!(matches!(refused, Err(TimelineError::BadCursor)), "{kind} {viewer}: {refused:?}");
    }
    let own = TimelineRequest::new(TimelineKind::Following, VIEWER).at(cursor);
    world.get(own).await;
}

#[tokio::test]
async fn unknown_viewers_lists_and_counts_are_refused() {
    let world = world();
    let list = TimelineKind::List(ListId(5));
    let refused = world.home.timeline(TimelineRequest::new(list, VIEWER)).await;
    assert!(matches!(refused, Err(TimelineError::UnknownList(ListId(5)))), "{refused:?}");
    world.stores.change(11, |user| user.is_withdrawn = true);
    for viewer in [2, 11] {
        let refused = world.home.timeline(TimelineRequest::new(TimelineKind::ForYou, UserId(viewer))).await;
        assert!(matches!(refused, Err(TimelineError::UnknownViewer(id)) if id.0 == viewer), "{refused:?}");
    }
    for count in [0, 501, usize::MAX] {
        let request =
            TimelineRequest { count: Some(count), ..TimelineRequest::new(TimelineKind::ForYou, VIEWER) };
        let refused = world.home.timeline(request).await;
        assert!(
            matches!(&refused, Err(error) if error.kind() == "bad_parameter" && error.is_callers()),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn sort_indexes_count_down_and_leave_room_for_cursors() {
    let world = world();
    let request = TimelineRequest { count: Some(3), ..TimelineRequest::new(TimelineKind::Following, VIEWER) };
    let answer = world.home.answer(request.clone()).await.expect("served");
    // Three entries from 100 down: 100, 99, 98; top cursor 101 with 10101; bottom cursor 97 with 95.
    let mut served = crate::engine::Served {
        query: answer.mixed.served.query.clone(),
        selected: answer.mixed.served.selected.clone(),
        removed: Vec::new(),
    };
    std::sync::Arc::make_mut(&mut served.query).request.sort_from = Some(100);
    let marshaller = crate::timeline::Marshaller {
        users: world.stores.clone(),
        key: Key::new([7; 32]),
        config: plain().mixing,
    };
    let timeline = marshaller.timeline(&served);
    let indexes: Vec<i64> = timeline.entries().map(|entry| entry.sort_index).collect();
    assert_eq!(indexes, [101, 100, 99, 98, 97]);
    let key = Key::new([7; 32]);
    let codec = crate::timeline::CursorCodec { key: &key, viewer: VIEWER, timeline: TimelineKind::Following };
    for (kind, expected) in [(CursorKind::Top, 10_101), (CursorKind::Bottom, 95)] {
        let place = codec.decode(timeline.cursor(kind).expect("a cursor")).expect("its own");
        assert_eq!(place.sort_from, expected, "{kind:?}");
    }
    // Without entries: top one above, bottom at the first index.
    served.selected.clear();
    let empty: Vec<i64> = marshaller.timeline(&served).entries().map(|entry| entry.sort_index).collect();
    assert_eq!(empty, [101, 100]);
    // Over pages they keep counting down, cursors included.
    let mut last = i64::MAX;
    for page in scroll(&world, TimelineKind::Following, 3, 5).await {
        let entries: Vec<_> = page.entries().collect();
        assert!(entries.iter().all(|entry| entry.sort_index < last), "{entries:?}");
        assert!(entries.is_sorted_by(|a, b| a.sort_index > b.sort_index));
        last = entries.last().expect("a cursor").sort_index;
    }
}

#[tokio::test]
async fn a_page_whose_posts_a_rule_removes_still_leads_on() {
    let world = world_of(plain(), 3, &[], Answer::Rows);
    use crate::domain::stores::UserStore;
    let settings = crate::domain::ViewerSettings {
        muted_keywords: (10..18).map(|author| format!("post of {author}")).collect(),
        ..Default::default()
    };
    world.stores.put_settings(VIEWER, settings).expect("kept");
    let pages = scroll(&world, TimelineKind::Following, 4, 30).await;
    assert_eq!(once(&pages).len(), 6, "what 18 and 19 wrote");
    let answer =
        world.home.answer(TimelineRequest::new(TimelineKind::Following, VIEWER)).await.expect("served");
    assert!(answer.mixed.served.selected.iter().all(|item| matches!(item, Item::Post(_))));
}
