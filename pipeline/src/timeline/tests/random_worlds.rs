//! Scrolls through worlds made by chance, while posts come and go and people are blocked between the pages.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{ALL, LIST, World, ids, plain, posts, world_of};
use crate::domain::stores::{PostStore, Relation, SocialGraph};
use crate::domain::{Clock, Millis, Post, PostId, TimelineKind, UserId};
use crate::testing::{Answer, NOW, VIEWER, post, quote, reply, repost};
use crate::timeline::{CursorKind, PostItem, Timeline, TimelineRequest};

#[derive(Clone, Copy, Debug)]
enum Form {
    Original,
    Reply,
    Repost,
    Quote,
}

/// A post to be written: by whom, and of which of those before it, counted around.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    author: u64,
    form: Form,
    of: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Write(Draft),
    Delete(usize),
    /// A post becomes a newer version of itself.
    Edit(usize),
    Wait(u64),
    Part(Relation, u64),
    /// An account blocks the viewer.
    Shut(u64),
}

pub(super) fn draft() -> impl Strategy<Value = Draft> {
    let form = prop_oneof![
        3 => Just(Form::Original),
        1 => Just(Form::Reply),
        1 => Just(Form::Repost),
        1 => Just(Form::Quote),
    ];
    // 10 to 19 are followed, 12 to 16 on the list, 18 and 19 subscribed to.
    (10..22_u64, form, any::<usize>()).prop_map(|(author, form, of)| Draft { author, form, of })
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => draft().prop_map(Event::Write),
        4 => any::<usize>().prop_map(Event::Delete),
        2 => any::<usize>().prop_map(Event::Edit),
        2 => (1..900_u64).prop_map(Event::Wait),
        1 => (10..20_u64).prop_map(|who| Event::Part(Relation::Block, who)),
        1 => (10..20_u64).prop_map(|who| Event::Part(Relation::Mute, who)),
        1 => (10..20_u64).prop_map(Event::Shut),
    ]
}

/// A world, and what happened in it.
pub(super) struct Story {
    pub(super) world: World,
    /// Everything that was ever written.
    pub(super) written: Vec<Post>,
    /// Posts that others refer to.
    referred: BTreeSet<PostId>,
    /// Posts that are gone, by themselves or for a newer version.
    deleted: BTreeSet<PostId>,
    parted: BTreeSet<UserId>,
}

impl Story {
    pub(super) fn begin(drafts: &[Draft]) -> Self {
        let mut config = plain();
        // All of an author's posts count, also those in a row.
        config.fetch.in_network.max_consecutive_per_author = usize::MAX;
        let mut story = Self {
            world: world_of(config, 0, &[], Answer::Rows),
            written: Vec::new(),
            referred: BTreeSet::new(),
            deleted: BTreeSet::new(),
            parted: BTreeSet::new(),
        };
        for (place, &draft) in drafts.iter().enumerate() {
            let before = Duration::from_secs(300 * (drafts.len() - place) as u64);
            story.write(draft, NOW - before);
        }
        story
    }

    fn write(&mut self, Draft { author, form, of }: Draft, at: Millis) -> PostId {
        let about = self.written.get(of % self.written.len().max(1));
        let about = about.filter(|about| !about.is_repost() && !self.deleted.contains(&about.id)).cloned();
        let mut made = match (form, &about) {
            (Form::Original, _) | (_, None) => post(author, 0),
            (Form::Reply, Some(about)) => reply(author, 0, about),
            (Form::Repost, Some(about)) => repost(author, 0, about),
            (Form::Quote, Some(about)) => quote(author, 0, about),
        };
        made.id = PostId(PostId::at(at).0 + self.written.len() as u64);
        made.created_at = at;
        if made.in_reply_to.is_none() {
            made.conversation = made.id;
        }
        let refers = [made.in_reply_to, made.repost_of, made.quotes].into_iter().flatten();
        let is_plain = refers.map(|about| self.referred.insert(about.id)).count() == 0;
        // What those write whom the viewer subscribes to is for subscribers.
        made.exclusive_author = (is_plain && [18, 19].contains(&author)).then_some(UserId(author));
        self.world.stores.add(&made, 1);
        self.written.push(made);
        self.written.last().map(|made| made.id).expect("just written")
    }

    fn edit(&mut self, which: usize) {
        let old = self.written[which % self.written.len()].clone();
        if old.is_repost() || self.deleted.contains(&old.id) {
            return;
        }
        self.world.clock.advance(Duration::from_millis(10));
        let at = self.world.clock.now();
        let mut new = old.clone();
        new.id = PostId(PostId::at(at).0 + self.written.len() as u64);
        new.created_at = at;
        if new.in_reply_to.is_none() {
            new.conversation = new.id;
        }
        self.world.stores.edit(old.id, new.clone()).expect("edited");
        self.deleted.insert(old.id);
        self.written.push(new);
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Write(draft) => {
                self.world.clock.advance(Duration::from_millis(10));
                self.write(draft, self.world.clock.now());
            }
            Event::Delete(which) => {
                let id = self.written[which % self.written.len()].id;
                self.world.stores.delete(id).expect("deleted");
                self.deleted.insert(id);
            }
            Event::Edit(which) => self.edit(which),
            Event::Wait(seconds) => self.world.clock.advance(Duration::from_secs(seconds)),
            Event::Part(relation, who) => {
                self.world.stores.set(relation, VIEWER, UserId(who), true).expect("set");
                self.parted.insert(UserId(who));
            }
            Event::Shut(who) => {
                self.world.stores.set(Relation::Block, UserId(who), VIEWER, true).expect("set");
                self.parted.insert(UserId(who));
            }
        }
    }

    /// Whether a timeline is for this post: a plain one that nothing came of, by somebody of the timeline.
    pub(super) fn is_due(&self, kind: TimelineKind, post: &Post) -> bool {
        let is_plain = post.in_reply_to.is_none() && post.repost_of.is_none() && post.quotes.is_none();
        let is_of_timeline = match kind {
            TimelineKind::ForYou | TimelineKind::Following => (10..20).contains(&post.author.0),
            TimelineKind::List(_) => (12..17).contains(&post.author.0),
            _ => post.exclusive_author.is_some(),
        };
        is_plain
            && is_of_timeline
            && !self.referred.contains(&post.id)
            && !self.deleted.contains(&post.id)
            && !self.parted.contains(&post.author)
    }

    /// What no page may show now.
    pub(super) fn check(&self, kind: TimelineKind, page: &Timeline) {
        for shown in posts(page) {
            assert!(!self.deleted.contains(&shown.id), "{kind}: {} was deleted", shown.id);
            assert!(!self.deleted.contains(&shown.post.id), "{kind}: {} shows a deleted post", shown.id);
            let met = people(shown).find(|person| self.parted.contains(person));
            assert_eq!(met, None, "{kind}: {} shows somebody blocked or muted", shown.id);
        }
    }
}

fn people(shown: &PostItem) -> impl Iterator<Item = UserId> {
    let people = [
        Some(shown.post.author.id),
        shown.quoted.as_ref().map(|quoted| quoted.author.id),
        shown.reposted_by.as_ref().map(|person| person.id),
    ];
    people.into_iter().flatten()
}

async fn scroll(kind: TimelineKind, drafts: &[Draft], count: usize, between: &[Vec<Event>]) {
    let mut story = Story::begin(drafts);
    let at_first = story.written.clone();
    let mut request = TimelineRequest { count: Some(count), ..TimelineRequest::new(kind, VIEWER) };
    let mut seen: BTreeSet<PostId> = BTreeSet::new();
    for number in 0.. {
        assert!(number <= 2 * drafts.len() + 50, "{kind}: the timeline has no end");
        let page = story.world.get(request.clone()).await;
        story.check(kind, &page);
        for id in ids(&page) {
            assert!(seen.insert(id), "{kind}: {id} comes twice, the second time on page {number}");
        }
        let Some(next) = page.cursor(CursorKind::Bottom) else { break };
        request.cursor = Some(next.to_owned());
        for &event in between.get(number).map(Vec::as_slice).unwrap_or_default() {
            story.happen(event);
        }
    }
    let due = at_first.iter().filter(|post| story.is_due(kind, post));
    let skipped: Vec<PostId> = due.map(|post| post.id).filter(|id| !seen.contains(id)).collect();
    assert_eq!(skipped, [], "{kind}: eligible all the time, never shown");
}

async fn fill_gap(kind: TimelineKind, old: usize, new: usize, counts: [usize; 3], deletions: &[usize]) {
    let by_member = |place: usize| Draft { author: 12 + place as u64 % 5, form: Form::Original, of: 0 };
    let drafts: Vec<Draft> = (0..old).map(by_member).collect();
    let mut story = Story::begin(&drafts);
    let request = |cursor: Option<&str>, count| TimelineRequest {
        cursor: cursor.map(str::to_owned),
        count: Some(count),
        ..TimelineRequest::new(kind, VIEWER)
    };
    let first = story.world.get(request(None, counts[0])).await;
    let top = first.cursor(CursorKind::Top).expect("a cursor").to_owned();
    let come: Vec<PostId> = (0..new)
        .map(|place| {
            story.world.clock.advance(Duration::from_secs(1));
            story.write(by_member(place), story.world.clock.now())
        })
        .collect();
    let newer = story.world.get(request(Some(&top), counts[1])).await;
    let mut shown = ids(&newer);
    let mut gone = BTreeSet::new();
    let mut cursor = newer.cursor(CursorKind::Gap).map(str::to_owned);
    let mut deletions = deletions.iter();
    while let Some(gap) = cursor {
        if let Some(which) = deletions.next() {
            let id = come[which % come.len()];
            story.world.stores.delete(id).expect("deleted");
            if !shown.contains(&id) {
                gone.insert(id);
            }
        }
        // Newer than the gap: not a part of it.
        story.happen(Event::Write(by_member(0)));
        let middle = story.world.get(request(Some(&gap), counts[2])).await;
        shown.extend(ids(&middle));
        cursor = middle.cursor(CursorKind::Gap).map(str::to_owned);
        assert!(shown.len() <= come.len(), "{kind}: more than the gap");
    }
    let expected: Vec<PostId> = come.into_iter().rev().filter(|id| !gone.contains(id)).collect();
    assert_eq!(shown, expected, "{kind}: neither more nor less, newest first");
}

pub(super) fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future);
}

proptest! {
    // A case is dozens of requests.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_scroll_repeats_and_skips_nothing_and_shows_nobody_parted_with(
        kind in prop::sample::select(ALL.to_vec()),
        drafts in vec(draft(), 1..60),
        count in 1..8_usize,
        between in vec(vec(event(), 0..4), 0..20),
    ) {
        block_on(scroll(kind, &drafts, count, &between));
    }

    #[test]
    fn a_gap_is_filled_exactly_whatever_comes_and_goes(
        kind in prop::sample::select(vec![TimelineKind::Following, TimelineKind::List(LIST)]),
        old in 1..20_usize,
        new in 1..30_usize,
        counts in [1..8_usize, 1..8, 1..8],
        deletions in vec(any::<usize>(), 0..10),
    ) {
        block_on(fill_gap(kind, old, new, counts, &deletions));
    }
}
