//! Counts of engagements by person, post, topic, community, language and country, and who gave what to whom.
//!
//! Nothing is kept that did not happen. What a person gave is one sorted array of rows by author and kind of post, from
//! which a request computes everything about the viewer and every author, topic or language in one pass; everything else
//! is a [`Tally`] by its key.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};

use super::shards::{ShardedMap, ShardedSlots};
use super::user_index::UserIndex;
use crate::domain::{
    Cell, Decayed, Engagement, EngagementKind, EventTraits, EventWeight, Millis, PostId, Rows, Tally,
    TallyKind, make_room, rank,
};

/// Most rows of what one person gave that are kept; the array is cut when it is an eighth longer.
pub(super) const MAX_GIVEN: usize = 2_048;

const DAY_MS: i64 = 86_400_000;

/// What one person did, in one way, with posts of one author that are alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenRow {
    /// The author's slot.
    pub(super) author: u32,
    pub(super) topic: u16,
    pub(super) language: u16,
    pub(super) cell: Cell,
    pub(super) kind: EngagementKind,
    pub(super) count: Decayed,
}

impl GivenRow {
    fn key(&self) -> (u32, u16, u16, Cell, EngagementKind) {
        (self.author, self.topic, self.language, self.cell, self.kind)
    }
}

/// Who takes part in an engagement, as slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    /// Who engaged.
    pub(super) user: u32,
    /// Who wrote the post.
    pub(super) author: u32,
}

/// An engagement with all that it is counted by.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) engagement: Engagement,
    pub(super) slots: Slots,
    pub(super) traits: EventTraits,
    /// Where the author is at home.
    pub(super) community: Option<u32>,
    pub(super) weight: EventWeight,
}

impl Counted {
    fn count(&self, tally: &mut Tally, of: TallyKind) {
        tally.count(of, self.engagement.kind, &self.traits, self.engagement.at, &self.weight);
    }
}

/// Counts engagements in the tallies of something that many of them share.
fn record_by<K: Copy + Ord + std::hash::Hash>(
    tallies: &ShardedMap<K, Tally>,
    of: TallyKind,
    all: &[Counted],
    key: impl Fn(&Counted) -> Option<K>,
) {
    let keyed = all.iter().enumerate().filter_map(|(place, one)| Some((key(one)?, place)));
    let mut order: Vec<(K, usize)> = keyed.collect();
    order.sort_unstable();
    for alike in order.chunk_by(|a, b| a.0 == b.0) {
        tallies.update(alike[0].0, |tally| {
            alike.iter().for_each(|(_, place)| all[*place].count(tally, of));
        });
    }
}

/// What one person gave.
///
/// Authors lie apart from rows too: a thousand authors of a request are asked what they gave to its viewer, and most gave
/// nothing.
#[derive(Debug, Default)]
struct GivenRows {
    /// Ascending by key.
    rows: Vec<GivenRow>,
    /// By position in `rows`.
    authors: Vec<u32>,
}

impl GivenRows {
    fn new(mut rows: Vec<GivenRow>) -> Self {
        rows.sort_unstable_by_key(GivenRow::key);
        Self { authors: rows.iter().map(|row| row.author).collect(), rows }
    }

    /// Where the rows of an author are, or belong.
    fn places(&self, author: u32) -> Range<usize> {
        let start = rank(&self.authors, author);
        let count = self.authors[start..].iter().take_while(|other| **other == author).count();
        start..start + count
    }

    fn add(&mut self, one: &Counted, index: &UserIndex) {
        let empty = GivenRow {
            author: one.slots.author,
            topic: one.traits.post.topic,
            language: one.traits.post.language,
            cell: one.traits.post.cell,
            kind: one.engagement.kind,
            count: Decayed::default(),
        };
        let (key, places) = (empty.key(), self.places(empty.author));
        let place = places.start + self.rows[places].partition_point(|row| row.key() < key);
        if self.rows.get(place).is_none_or(|row| row.key() != key) {
            make_room(&mut self.rows, 1);
            make_room(&mut self.authors, 1);
            self.rows.insert(place, empty);
            self.authors.insert(place, empty.author);
        }
        self.rows[place].count.add(&one.weight);
        if self.rows.len() > MAX_GIVEN + MAX_GIVEN / 8 {
            self.cut(index);
        }
    }

    /// Takes out the rows of which the newest event's day is longest ago, of equal ones those of fewer events, until few
    /// enough are left.
    fn cut(&mut self, index: &UserIndex) {
        let mut rows = std::mem::take(&mut self.rows);
        index.with_ids(|id_of| {
            // Slots may be others after a restart: what is cut must not depend on them.
            let rest = |row: &GivenRow| (id_of(row.author), row.topic, row.language, row.cell, row.kind);
            rows.sort_unstable_by(|a, b| b.count.cmp_by_day(&a.count).then_with(|| rest(a).cmp(&rest(b))));
        });
        rows.truncate(MAX_GIVEN);
        *self = Self::new(rows);
    }

    /// Takes out rows that are over; whether there were any.
    fn forget(&mut self, is_over: impl Fn(&GivenRow) -> bool) -> bool {
        let has_any = self.rows.iter().any(&is_over);
        if has_any {
            let rows = std::mem::take(&mut self.rows);
            *self = Self::new(rows.into_iter().filter(|row| !is_over(row)).collect());
        }
        has_any
    }
}

/// All counts.
#[derive(Debug, Default)]
pub(super) struct Aggregates {
    /// By the slot of who engaged, ascending by author and the rest.
    given: ShardedSlots<GivenRows>,
    /// The horizon of the last look for rows that are over.
    given_since: AtomicI64,
    people: ShardedSlots<Tally>,
    posts: ShardedMap<u64, Tally>,
    topics: ShardedMap<u16, Tally>,
    communities: ShardedMap<u32, Tally>,
    languages: ShardedMap<u16, Tally>,
    countries: ShardedMap<u16, Tally>,
}

impl Aggregates {
    /// Counts engagements.
    ///
    /// What many have in common, a topic or a language, is changed once for all of them, in their order: readers are kept
    /// from it once.
    pub(super) fn record(&self, all: &[Counted], index: &UserIndex) {
        for one in all {
            self.given.update(one.slots.user, |given| given.add(one, index));
            self.people.update(one.slots.author, |tally| one.count(tally, TallyKind::Author));
            self.people.update(one.slots.user, |tally| one.count(tally, TallyKind::Engager));
            self.posts.update(one.engagement.post.0, |tally| one.count(tally, TallyKind::Post));
        }
        let is_known = |code: u16| (code != 0).then_some(code);
        record_by(&self.topics, TallyKind::Topic, all, |one| is_known(one.traits.post.topic));
        record_by(&self.communities, TallyKind::Community, all, |one| one.community);
        record_by(&self.languages, TallyKind::Language, all, |one| Some(one.traits.post.language));
        record_by(&self.countries, TallyKind::Country, all, |one| is_known(one.traits.country));
    }

    /// What the person at a slot gave.
    pub(super) fn given<T>(&self, slot: u32, look: impl FnOnce(&[GivenRow]) -> T) -> T {
        self.given.with(slot, |given| look(given.map_or(&[], |given| &given.rows)))
    }

    /// The part of it that went to the author at a slot.
    pub(super) fn given_to<T>(&self, slot: u32, author: u32, look: impl FnOnce(&[GivenRow]) -> T) -> T {
        self.given.with(slot, |given| match given {
            Some(given) => look(&given.rows[given.places(author)]),
            None => look(&[]),
        })
    }

    pub(super) fn person(&self, slot: u32, look: impl FnOnce(Rows<'_>)) {
        self.people.with(slot, |tally| show(tally, look));
    }

    pub(super) fn post(&self, post: PostId, look: impl FnOnce(Rows<'_>)) {
        self.posts.with(&post.0, |tally| show(tally, look));
    }

    pub(super) fn topic(&self, topic: u16, look: impl FnOnce(Rows<'_>)) {
        self.topics.with(&topic, |tally| show(tally, look));
    }

    pub(super) fn community(&self, community: u32, look: impl FnOnce(Rows<'_>)) {
        self.communities.with(&community, |tally| show(tally, look));
    }

    pub(super) fn language(&self, language: u16, look: impl FnOnce(Rows<'_>)) {
        self.languages.with(&language, |tally| show(tally, look));
    }

    pub(super) fn country(&self, country: u16, look: impl FnOnce(Rows<'_>)) {
        self.countries.with(&country, |tally| show(tally, look));
    }

    /// Replaces what the person at a slot gave.
    pub(super) fn put_given(&self, slot: u32, rows: Vec<GivenRow>) {
        // Slots, by which rows are sorted, may be others than when the rows were written down.
        self.given.update(slot, |given| *given = GivenRows::new(rows));
    }

    pub(super) fn put_person(&self, slot: u32, tally: Tally) {
        self.people.update(slot, |old| *old = tally);
    }

    pub(super) fn put_post(&self, post: PostId, tally: Tally) {
        self.posts.insert(post.0, tally);
    }

    pub(super) fn put_topic(&self, topic: u16, tally: Tally) {
        self.topics.insert(topic, tally);
    }

    pub(super) fn put_community(&self, community: u32, tally: Tally) {
        self.communities.insert(community, tally);
    }

    pub(super) fn put_language(&self, language: u16, tally: Tally) {
        self.languages.insert(language, tally);
    }

    pub(super) fn put_country(&self, country: u16, tally: Tally) {
        self.countries.insert(country, tally);
    }

    /// Forgets rows of what people gave that nothing was added to since a moment, and names whose they were, by slot.
    /// Rows know days, so it looks once a day.
    pub(super) fn forget_given(&self, since: Millis) -> Vec<u32> {
        let day = Millis(since.0 - since.0.rem_euclid(DAY_MS));
        let mut slots = Vec::new();
        if self.given_since.swap(day.0, Ordering::Relaxed) == day.0 {
            return slots;
        }
        let is_over = |row: &GivenRow| row.count.is_before(day);
        self.given.for_each(|slot, given| {
            if given.forget(is_over) {
                slots.push(slot);
            }
        });
        slots
    }

    /// Forgets the counts of posts that are gone; what their authors and readers have of them stays.
    pub(super) fn forget(&self, gone: &[PostId]) {
        gone.iter().for_each(|post| _ = self.posts.remove(&post.0));
    }

    /// Forgets the counts of posts that are over.
    pub(super) fn forget_posts(&self, is_over: impl Fn(u64) -> bool) {
        self.posts.for_each_shard(|shard| shard.retain(|post, _| !is_over(*post)));
    }

    /// Number of posts that have counts.
    #[cfg(test)]
    pub(super) fn posts(&self) -> usize {
        self.posts.len()
    }
}

/// Shows the rows of a tally that is there.
fn show(tally: Option<&Tally>, look: impl FnOnce(Rows<'_>)) {
    if let Some(tally) = tally {
        look(tally.rows());
    }
}
