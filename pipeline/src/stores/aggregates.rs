//! Counts of engagements by person, post, topic, community, language and country, and who gave what to whom.
//!
//! Nothing is kept that did not happen. What a person gave is one sorted array of rows by author and kind of post, from
//! which a request computes everything about the viewer and every author, topic or language in one pass; everything else
//! is a [`Tally`] by its key.

use super::shards::{ShardedMap, ShardedSlots};
use crate::domain::{
    Cell, Decayed, Engagement, EngagementKind, EventTraits, EventWeight, PostId, Row, Tally, TallyKind,
};

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

/// All counts.
#[derive(Debug, Default)]
pub(super) struct Aggregates {
    /// By the slot of who engaged, ascending by author and the rest.
    given: ShardedSlots<Vec<GivenRow>>,
    people: ShardedSlots<Tally>,
    posts: ShardedMap<u64, Tally>,
    topics: ShardedMap<u16, Tally>,
    communities: ShardedMap<u32, Tally>,
    languages: ShardedMap<u16, Tally>,
    countries: ShardedMap<u16, Tally>,
}

impl Aggregates {
    /// Counts an engagement. `community` is where the author is at home.
    pub(super) fn record(
        &self,
        engagement: &Engagement,
        slots: Slots,
        traits: &EventTraits,
        community: Option<u32>,
    ) {
        let (kind, at) = (engagement.kind, engagement.at);
        let event = EventWeight::at(at);
        let add = |tally: &mut Tally, of: TallyKind| tally.count(of, kind, traits, at, &event);
        self.given.update(slots.user, |rows| {
            let empty = GivenRow {
                author: slots.author,
                topic: traits.post.topic,
                language: traits.post.language,
                cell: traits.post.cell,
                kind,
                count: Decayed::default(),
            };
            let key = empty.key();
            let place = rows.partition_point(|row| row.key() < key);
            if rows.get(place).is_none_or(|row| row.key() != key) {
                rows.reserve_exact(1 + rows.len() / 8);
                rows.insert(place, empty);
            }
            rows[place].count.add(&event);
        });
        self.people.update(slots.author, |tally| add(tally, TallyKind::Author));
        self.people.update(slots.user, |tally| add(tally, TallyKind::Engager));
        self.posts.update(engagement.post.0, |tally| add(tally, TallyKind::Post));
        if traits.post.topic != 0 {
            self.topics.update(traits.post.topic, |tally| add(tally, TallyKind::Topic));
        }
        if let Some(community) = community {
            self.communities.update(community, |tally| add(tally, TallyKind::Community));
        }
        self.languages.update(traits.post.language, |tally| add(tally, TallyKind::Language));
        if traits.country != 0 {
            self.countries.update(traits.country, |tally| add(tally, TallyKind::Country));
        }
    }

    /// What the person at a slot gave.
    pub(super) fn given<T>(&self, slot: u32, look: impl FnOnce(&[GivenRow]) -> T) -> T {
        self.given.with(slot, |rows| look(rows.map(Vec::as_slice).unwrap_or_default()))
    }

    /// The part of it that went to the author at a slot.
    pub(super) fn given_to<T>(&self, slot: u32, author: u32, look: impl FnOnce(&[GivenRow]) -> T) -> T {
        self.given(slot, |rows| {
            let start = rows.partition_point(|row| row.author < author);
            let count = rows[start..].iter().take_while(|row| row.author == author).count();
            look(&rows[start..start + count])
        })
    }

    pub(super) fn person(&self, slot: u32, look: impl FnOnce(&[Row])) {
        self.people.with(slot, |tally| show(tally, look));
    }

    pub(super) fn post(&self, post: PostId, look: impl FnOnce(&[Row])) {
        self.posts.with(&post.0, |tally| show(tally, look));
    }

    pub(super) fn topic(&self, topic: u16, look: impl FnOnce(&[Row])) {
        self.topics.with(&topic, |tally| show(tally, look));
    }

    pub(super) fn community(&self, community: u32, look: impl FnOnce(&[Row])) {
        self.communities.with(&community, |tally| show(tally, look));
    }

    pub(super) fn language(&self, language: u16, look: impl FnOnce(&[Row])) {
        self.languages.with(&language, |tally| show(tally, look));
    }

    pub(super) fn country(&self, country: u16, look: impl FnOnce(&[Row])) {
        self.countries.with(&country, |tally| show(tally, look));
    }

    /// Replaces what the person at a slot gave.
    pub(super) fn put_given(&self, slot: u32, mut rows: Vec<GivenRow>) {
        // Slots, by which rows are sorted, may be others than when the rows were written down.
        rows.sort_unstable_by_key(GivenRow::key);
        self.given.update(slot, |given| *given = rows);
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
fn show(tally: Option<&Tally>, look: impl FnOnce(&[Row])) {
    if let Some(tally) = tally {
        look(tally.rows());
    }
}
