//! Timelines as callers see them, over a small world.

mod conversations;
mod feedback;
mod golden;
mod mixing;
mod paging;
mod random_readers;
mod random_worlds;
mod safety;

use std::sync::Arc;

use super::{Content, Entry, Home, ItemContent, PostItem, Timeline, TimelineRequest};
use crate::config::PipelineConfig;
use crate::domain::stores::{List, ListStore, Relation};
use crate::domain::{Ad, ListId, ManualClock, PostId, TimelineKind, UserId};
use crate::testing::{Answer, MemoryStores, VIEWER, home, post};

/// A small world and all timelines over it.
pub(super) struct World {
    pub(super) stores: Arc<MemoryStores>,
    pub(super) home: Home,
    pub(super) clock: Arc<ManualClock>,
}

pub(super) const LIST: ListId = ListId(77);

/// The kinds of timelines of the small world.
pub(super) const ALL: [TimelineKind; 4] =
    [TimelineKind::ForYou, TimelineKind::Following, TimelineKind::List(LIST), TimelineKind::Subscribed];

/// Posts alone: no ads, modules, previews.
pub(super) fn plain() -> PipelineConfig {
    let mut config = crate::testing::config();
    config.mixing.people.follow = false;
    config.mixing.people.subscribe = false;
    config.mixing.previews.enabled = false;
    config
}

/// The viewer follows 10..20; 20..30 are strangers. A list has 12..17 as its members, and the viewer subscribes to 18 and
/// 19. Everybody has `posts` posts, twelve minutes apart.
pub(super) fn world_of(config: PipelineConfig, posts: u64, ads: &[Ad], answer: Answer) -> World {
    let stores = MemoryStores::with_users((1..=1).chain(10..30));
    (10..20).for_each(|author| stores.relate(Relation::Follow, VIEWER.0, author));
    [18, 19].iter().for_each(|&author| stores.relate(Relation::Subscribe, VIEWER.0, author));
    let members = (12..17).map(UserId).collect();
    let list = List { id: LIST, owner: VIEWER, name: "some".to_owned(), members, ..List::default() };
    ListStore::put(&*stores, list).expect("kept");
    for author in 10..30 {
        for place in 0..posts {
            let mut post = post(author, 1 + 12 * place + author % 10);
            // Every other post of those whom the viewer subscribes to is for subscribers.
            post.exclusive_author =
                ([18, 19].contains(&author) && place.is_multiple_of(2)).then_some(UserId(author));
            stores.add(&post, (author * place % 17) as u32);
        }
    }
    let (home, _, clock) = home(config, &stores, ads, answer);
    World { stores, home, clock }
}

pub(super) fn world() -> World {
    world_of(plain(), 5, &[], Answer::Rows)
}

impl World {
    /// A page, with all its side effects done.
    pub(super) async fn get(&self, request: TimelineRequest) -> Timeline {
        let timeline = self.home.timeline(request).await.expect("a timeline");
        self.home.drain().await;
        assert!(timeline.missing.is_empty(), "{:?}", timeline.missing);
        timeline
    }

    pub(super) async fn first(&self, kind: TimelineKind) -> Timeline {
        self.get(TimelineRequest::new(kind, VIEWER)).await
    }
}

/// All posts that a page shows as its own, in order, those of conversations included.
pub(super) fn posts(timeline: &Timeline) -> Vec<&PostItem> {
    timeline.entries().flat_map(of_entry).collect()
}

fn of_entry(entry: &Entry) -> Vec<&PostItem> {
    match &entry.content {
        Content::Post(post) => vec![post],
        Content::Module(module) => module
            .items
            .iter()
            .filter_map(|item| match &item.content {
                ItemContent::Post(post) => Some(&**post),
                ItemContent::User { .. } => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn ids(timeline: &Timeline) -> Vec<PostId> {
    posts(timeline).into_iter().map(|post| post.id).collect()
}

/// What stands at each place: the first word of the entry's id, and of posts `post`.
pub(super) fn shape(timeline: &Timeline) -> Vec<&'static str> {
    let kind = |entry: &Entry| match &entry.content {
        Content::Post(_) => "post",
        Content::Ad(_) => "ad",
        Content::Preview(_) => "preview",
        Content::Module(module) => match module.display {
            super::Display::VerticalConversation => "conversation",
            super::Display::Vertical => module.client_event.component,
        },
        Content::Prompt(_) => "prompt",
        Content::Cursor { .. } => "cursor",
    };
    timeline.entries().map(kind).collect()
}
