//! Counts of one thing (a person, a post, a topic, …), cut many ways and kept sparse.

use super::{
    Carries, Decayed, EngagementKind, EventTraits, EventWeight, Form, Habit, Millis, hour_and_weekday,
};

/// By what engagements are cut. A cut has a code beside: which form, which country, …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Cut {
    /// All of them.
    Any,
    /// By the post's [`Form`].
    Form,
    /// By what the post [`Carries`].
    Carries,
    /// With posts that have a link.
    Link,
    /// With posts whose text is long.
    Long,
    /// By whether who engaged follows the author: 1 or 0.
    Follows,
    /// By the [`Habit`] of who engaged.
    Habit,
    /// By the country of who engaged.
    Country,
    /// By the post's topic.
    Topic,
    /// Of a person: what they gave, not what they received.
    Gave,
    /// The same, by the hour of the day.
    GaveHour,
    /// The same, by the day of the week.
    GaveWeekday,
}

/// Cut, code and kind of a count, in one number: rows of one cut and code lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey(u32);

const KIND_BITS: u32 = 4;
const CODE_BITS: u32 = 16;

impl RowKey {
    /// The key of a cut, its code and a kind.
    pub fn new(cut: Cut, code: u16, kind: EngagementKind) -> Self {
        Self((cut as u32) << (CODE_BITS + KIND_BITS) | u32::from(code) << KIND_BITS | kind.index() as u32)
    }

    /// The key as a number.
    pub fn code(self) -> u32 {
        self.0
    }

    /// The key of a number that [`RowKey::code`] gave.
    pub fn from_code(code: u32) -> Self {
        Self(code)
    }

    /// The kind.
    pub fn kind(self) -> EngagementKind {
        let index = (self.0 & ((1 << KIND_BITS) - 1)) as usize;
        EngagementKind::ALL.get(index).copied().unwrap_or(EngagementKind::Click)
    }
}

/// One count of a [`Tally`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// What is counted.
    pub key: RowKey,
    /// The count.
    pub count: Decayed,
}

/// Counts of one thing: only those that are not 0, ascending by key.
///
/// Keys lie apart from counts: a tally is looked at when it is in no cache, for some keys of hundreds, and all keys fit
/// into as many lines as a few rows.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    keys: Vec<RowKey>,
    /// By position in `keys`.
    counts: Vec<Decayed>,
}

/// Some rows of a tally that are neighbours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows<'a> {
    keys: &'a [RowKey],
    counts: &'a [Decayed],
}

impl<'a> Rows<'a> {
    /// The rows, ascending by key.
    pub fn iter(self) -> impl Iterator<Item = Row> + 'a {
        self.keys.iter().zip(self.counts).map(|(key, count)| Row { key: *key, count: *count })
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.keys.is_empty()
    }

    /// The rows of one cut and code, one for each kind that occurred.
    pub fn of(self, cut: Cut, code: u16) -> Self {
        let first = RowKey::new(cut, code, EngagementKind::ALL[0]);
        let start = rank(self.keys, first);
        let keys = &self.keys[start..];
        let count = keys.iter().take_while(|key| key.0 >> KIND_BITS == first.0 >> KIND_BITS).count();
        Self { keys: &keys[..count], counts: &self.counts[start..start + count] }
    }
}

/// Most keys that are counted rather than searched.
const COUNTED: usize = 256;

/// How many keys are below one; keys ascend.
///
/// Each step of a binary search waits for memory before it knows the next one; counting reads all keys at once.
pub(crate) fn rank<K: Copy + Ord>(keys: &[K], key: K) -> usize {
    if keys.len() > COUNTED {
        return keys.partition_point(|other| *other < key);
    }
    keys.iter().map(|other| u32::from(*other < key)).sum::<u32>() as usize
}

/// Makes room for some items more, and for an eighth beyond them: most things never see another kind.
pub(crate) fn make_room<T>(items: &mut Vec<T>, more: usize) {
    if items.capacity() - items.len() < more {
        items.reserve_exact(more + items.len() / 8);
    }
}

impl Tally {
    /// A tally of rows, one for each key.
    pub fn from_rows(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable_by_key(|row| row.key);
        Self {
            keys: rows.iter().map(|row| row.key).collect(),
            counts: rows.iter().map(|row| row.count).collect(),
        }
    }

    /// Counts an event under a key.
    pub fn add(&mut self, key: RowKey, event: &EventWeight) {
        self.add_all(&[key], event);
    }

    /// Counts an event under some keys, which ascend.
    pub fn add_all(&mut self, keys: &[RowKey], event: &EventWeight) {
        keys.chunks(MAX_CUTS).for_each(|keys| self.add_some(keys, event));
    }

    /// The same for at most [`MAX_CUTS`] keys.
    fn add_some(&mut self, keys: &[RowKey], event: &EventWeight) {
        // Place of each key, and of those that are not there where they belong.
        let (mut places, mut missing) = ([0; MAX_CUTS], [(0, RowKey(0)); MAX_CUTS]);
        let (mut found, mut absent) = (0, 0);
        let mut from = 0;
        for key in keys {
            // What the first key's look brought near is searched for the others.
            from = match from {
                0 => rank(&self.keys, *key),
                from => from + self.keys[from..].partition_point(|other| other < key),
            };
            if self.keys.get(from) == Some(key) {
                places[found] = from;
                found += 1;
            } else {
                missing[absent] = (from, *key);
                absent += 1;
            }
        }
        for place in &places[..found] {
            self.counts[*place].add(event);
        }
        if absent > 0 {
            self.insert(&missing[..absent], event);
        }
    }

    /// Adds rows of one event each, at their places among those that are there.
    fn insert(&mut self, rows: &[(usize, RowKey)], event: &EventWeight) {
        let mut first = Decayed::default();
        first.add(event);
        let mut end = self.keys.len();
        make_room(&mut self.keys, rows.len());
        make_room(&mut self.counts, rows.len());
        self.keys.resize(end + rows.len(), RowKey(0));
        self.counts.resize(end + rows.len(), first);
        // From the back, so that each row is moved once, to where it stays.
        for (before, (place, key)) in rows.iter().enumerate().rev() {
            self.keys.copy_within(*place..end, place + before + 1);
            self.counts.copy_within(*place..end, place + before + 1);
            self.keys[place + before] = *key;
            self.counts[place + before] = first;
            end = *place;
        }
    }

    /// Counts an engagement under every cut of it that a thing of this kind has.
    pub fn count(
        &mut self,
        of: TallyKind,
        kind: EngagementKind,
        traits: &EventTraits,
        at: Millis,
        event: &EventWeight,
    ) {
        let mut keys = [RowKey(0); MAX_CUTS];
        let mut len = 0;
        cuts_of(of, traits, at, |cut, code| {
            keys[len] = RowKey::new(cut, code, kind);
            len += 1;
        });
        self.add_all(&keys[..len], event);
    }

    /// All rows, ascending by key.
    pub fn rows(&self) -> Rows<'_> {
        Rows { keys: &self.keys, counts: &self.counts }
    }
}

/// A thing that engagements are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TallyKind {
    /// A person, as the author.
    Author,
    /// A person, as the one who engages.
    Engager,
    /// A post.
    Post,
    /// A topic.
    Topic,
    /// The community where the author is at home.
    Community,
    /// The post's language.
    Language,
    /// The country of who engages.
    Country,
}

/// Most cuts of one event.
const MAX_CUTS: usize = 8;

/// Shows every cut and code under which an event counts for a thing of a kind, in the order of their keys: at most eight.
pub fn cuts_of(kind: TallyKind, traits: &EventTraits, at: Millis, mut show: impl FnMut(Cut, u16)) {
    let cell = traits.post.cell;
    let form = match cell.form() {
        Form::Original => 0,
        Form::Reply => 1,
        Form::Quote => 2,
    };
    let carries = match cell.carries() {
        Carries::Text => 0,
        Carries::Photo => 1,
        Carries::Video => 2,
    };
    if kind == TallyKind::Engager {
        let (hour, weekday) = hour_and_weekday(at);
        show(Cut::Gave, 0);
        show(Cut::GaveHour, hour);
        show(Cut::GaveWeekday, weekday);
        return;
    }
    show(Cut::Any, 0);
    if matches!(kind, TallyKind::Author | TallyKind::Country) {
        show(Cut::Form, form);
    }
    if matches!(kind, TallyKind::Author | TallyKind::Country | TallyKind::Topic) {
        show(Cut::Carries, carries);
    }
    if matches!(kind, TallyKind::Author | TallyKind::Country) {
        if cell.has_link() {
            show(Cut::Link, 0);
        }
        if cell.is_long() {
            show(Cut::Long, 0);
        }
    }
    if matches!(kind, TallyKind::Post | TallyKind::Community) {
        show(Cut::Follows, u16::from(traits.follows));
    }
    if kind == TallyKind::Post {
        show(Cut::Habit, habit_code(traits.habit));
    }
    if matches!(kind, TallyKind::Post | TallyKind::Author | TallyKind::Topic) && traits.country != 0 {
        show(Cut::Country, traits.country);
    }
    if kind == TallyKind::Author && traits.post.topic != 0 {
        show(Cut::Topic, traits.post.topic);
    }
}

/// The code of a habit under [`Cut::Habit`].
pub fn habit_code(habit: Habit) -> u16 {
    habit as u16
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Cell, PostTraits};

    proptest! {
        #[test]
        fn events_count_once_under_each_key_wherever_it_falls(
            events in prop::collection::vec(prop::collection::btree_set(0..600_u32, 0..40), 0..30),
        ) {
            let event = EventWeight::at(Millis(1_700_000_000_000));
            let (mut tally, mut twin) = (Tally::default(), BTreeMap::<RowKey, Decayed>::new());
            for keys in events {
                let keys: Vec<RowKey> = keys.into_iter().map(RowKey).collect();
                tally.add_all(&keys, &event);
                keys.iter().for_each(|key| twin.entry(*key).or_default().add(&event));
                let expected: Vec<Row> = twin.iter().map(|(key, count)| Row { key: *key, count: *count }).collect();
                prop_assert_eq!(tally.rows().iter().collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn cuts_of_any_event_are_few_and_in_the_order_of_their_keys() {
        let kinds = [
            TallyKind::Author,
            TallyKind::Engager,
            TallyKind::Post,
            TallyKind::Topic,
            TallyKind::Community,
            TallyKind::Language,
            TallyKind::Country,
        ];
        for cell in (0..=u8::MAX).map(Cell::from_code) {
            let post = PostTraits { cell, topic: 3, language: 4 };
            let traits = EventTraits { post, follows: true, habit: Habit::Heavy, country: 9 };
            for kind in kinds {
                let mut keys = Vec::new();
                cuts_of(kind, &traits, Millis(1_700_000_000_000), |cut, code| {
                    keys.push(RowKey::new(cut, code, EngagementKind::Favorite));
                });
                assert!(keys.len() <= MAX_CUTS && keys.is_sorted(), "{kind:?}: {keys:?}");
            }
        }
    }

    #[test]
    fn rows_of_a_cut_lie_together_and_know_their_kinds() {
        let mut tally = Tally::default();
        let event = EventWeight::at(Millis(1_700_000_000_000));
        let mut keys = Vec::new();
        for cut in [Cut::Topic, Cut::Any, Cut::Country] {
            for code in [0, 7, u16::MAX] {
                for kind in [EngagementKind::Report, EngagementKind::Favorite] {
                    tally.add(RowKey::new(cut, code, kind), &event);
                    keys.push((cut, code, kind));
                }
            }
        }
        for (cut, code, kind) in keys {
            let rows = tally.rows().of(cut, code);
            assert_eq!(rows.iter().count(), 2);
            assert!(rows.iter().any(|row| row.key.kind() == kind && row.count.total() == 1));
        }
        assert!(tally.rows().of(Cut::Form, 0).is_empty());
        assert!(Rows::default().of(Cut::Any, 0).is_empty());
    }
}
