//! Readers who look for new posts, fill gaps and scroll on, in any order, while the world moves.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::random_worlds::{Draft, Event, Story, block_on, draft, event};
use super::{LIST, of_entry};
use crate::domain::{PostId, TimelineKind};
use crate::testing::VIEWER;
use crate::timeline::{CursorKind, TimelineRequest};

/// What a reader knows: everything on the page, and where it goes on.
struct Reader {
    kind: TimelineKind,
    count: usize,
    story: Story,
    /// What had a place of its own.
    own: BTreeSet<PostId>,
    /// What stood above a reply.
    seen: BTreeSet<PostId>,
    top: Option<String>,
    bottom: Option<String>,
}

/// Where a page leads on.
struct Ends {
    top: Option<String>,
    gap: Option<String>,
    bottom: Option<String>,
}

impl Reader {
    /// Asks for a page and puts it on the screen.
    async fn read(&mut self, cursor: Option<String>) -> Ends {
        let count = Some(self.count);
        let request = TimelineRequest { cursor, count, ..TimelineRequest::new(self.kind, VIEWER) };
        let page = self.story.world.get(request).await;
        self.story.check(self.kind, &page);
        for entry in page.entries() {
            // A reply brings along what it answers, which may be there already: clients show it once.
            if let Some((post, brought_along)) = of_entry(entry).split_last() {
                assert!(self.own.insert(post.id), "{}: {} comes twice", self.kind, post.id);
                self.seen.extend(brought_along.iter().map(|post| post.id));
            }
        }
        let cursor = |kind| page.cursor(kind).map(str::to_owned);
        Ends {
            top: cursor(CursorKind::Top),
            gap: cursor(CursorKind::Gap),
            bottom: cursor(CursorKind::Bottom),
        }
    }

    /// Looks for new posts, and fills the gap that is left, if any.
    async fn refresh(&mut self) {
        let newest = self.read(self.top.clone()).await;
        self.top = newest.top;
        let mut gap = newest.gap;
        while gap.is_some() {
            gap = self.read(gap).await.gap;
        }
    }

    /// Goes on at the bottom; whether there was anywhere to go on.
    async fn scroll(&mut self) -> bool {
        let Some(bottom) = self.bottom.take() else { return false };
        self.bottom = self.read(Some(bottom)).await.bottom;
        true
    }
}

async fn live(kind: TimelineKind, drafts: &[Draft], count: usize, days: &[(bool, Vec<Event>)]) {
    let story = Story::begin(drafts);
    let (own, seen) = (BTreeSet::new(), BTreeSet::new());
    let mut reader = Reader { kind, count, story, own, seen, top: None, bottom: None };
    let first = reader.read(None).await;
    (reader.top, reader.bottom) = (first.top, first.bottom);
    for (looks_for_new, events) in days {
        for &event in events {
            reader.story.happen(event);
        }
        match looks_for_new {
            true => reader.refresh().await,
            false => _ = reader.scroll().await,
        }
    }
    reader.refresh().await;
    while reader.scroll().await {}
    let due = reader.story.written.iter().filter(|post| reader.story.is_due(kind, post));
    let is_there = |id: &PostId| reader.own.contains(id) || reader.seen.contains(id);
    let missed: Vec<PostId> = due.map(|post| post.id).filter(|id| !is_there(id)).collect();
    assert_eq!(missed, [], "{kind}: eligible to the end, never shown");
}

proptest! {
    // A case is dozens of requests.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn new_posts_gaps_and_older_pages_together_show_each_post_once(
        kind in prop::sample::select(vec![TimelineKind::Following, TimelineKind::List(LIST), TimelineKind::Subscribed]),
        drafts in vec(draft(), 1..40),
        count in 1..8_usize,
        days in vec((any::<bool>(), vec(event(), 0..6)), 0..12),
    ) {
        block_on(live(kind, &drafts, count, &days));
    }
}
