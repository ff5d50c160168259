//! What engagements add up to, written down in their place.
//!
//! Of an engagement the graph needs the event for a day; all else that it changes are sums: counts, a post's
//! communities, a video's popularity. Once enough engagements have come, the state of every sum that one of them touched
//! is written under its key, bit for bit, with the number of the last engagement that it contains; engagements up to that
//! number are deleted as soon as the graph does not need them, and a replay counts only those after it. So the journal is
//! bounded by what there is to know, not by how often it changed, and starting again takes the time of one fold's events.
//!
//! The fold is one transaction on the journal's thread, between two groups of writes: memory then is the state after
//! exactly the engagements that are in the table. Sums are of what was loaded and what came since, as memory has them.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::events::{self, ENGAGEMENTS, engagement};
use super::tables::{META, PLAIN_ENGAGEMENTS, text};
use crate::domain::{
    Carries, Cell, Decayed, Engagement, EngagementKind, EventTraits, PostCounts, PostId, Row, RowKey, Rows,
    Tally, UserId,
};
use crate::stores::aggregates::GivenRow;
use crate::stores::memory::Memory;

/// (kind of sum, its key) → its state.
pub(super) const FOLDED: TableDefinition<(u8, u64), &[u8]> = TableDefinition::new("folded");

/// One more than the number of the last engagement that is folded.
const THROUGH: &str = "folded_through";
/// Whether the engagements of the first layout are folded.
const PLAIN: &str = "folded_plain";

/// Kinds of sums, as they are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Kind {
    /// What a user gave.
    Given,
    Person,
    Post,
    Topic,
    Community,
    Language,
    Country,
    /// Communities of a post.
    Appeal,
    /// Popularity of a video.
    Video,
    /// Counts that readers see under a post.
    Counts,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Given,
        Self::Person,
        Self::Post,
        Self::Topic,
        Self::Community,
        Self::Language,
        Self::Country,
        Self::Appeal,
        Self::Video,
        Self::Counts,
    ];

    /// Those that go with a post.
    const OF_POSTS: [Self; 4] = [Self::Post, Self::Appeal, Self::Video, Self::Counts];
}

/// What has been folded.
pub(super) struct Folded {
    /// Engagements of smaller numbers are.
    pub(super) through: u64,
    /// Those of the first layout are.
    pub(super) plain: bool,
}

/// One more than the number of the last engagement that is folded.
pub(super) fn through(meta: &impl ReadableTable<&'static str, u64>) -> Result<u64, redb::StorageError> {
    Ok(meta.get(THROUGH)?.map_or(0, |value| value.value()))
}

/// How many engagements are not folded.
pub(super) fn unfolded(transaction: &ReadTransaction) -> Result<usize, String> {
    let meta = transaction.open_table(META).map_err(text)?;
    let table = transaction.open_table(ENGAGEMENTS).map_err(text)?;
    let through = through(&meta).map_err(text)?;
    let last = events::end(&table).map_err(text)?;
    let plain = match meta.get(PLAIN).map_err(text)? {
        Some(_) => 0,
        None => transaction.open_table(PLAIN_ENGAGEMENTS).map_err(text)?.len().map_err(text)?,
    };
    Ok(usize::try_from(last.saturating_sub(through) + plain).unwrap_or(usize::MAX))
}

/// Forgets sums of posts that are gone.
pub(super) fn forget(transaction: &WriteTransaction, gone: &[PostId]) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(FOLDED)?;
    for post in gone {
        for kind in Kind::OF_POSTS {
            table.remove((kind as u8, post.0))?;
        }
    }
    Ok(())
}

/// Writes the state of every sum that engagements since the last fold touched, and of what `givers` gave.
pub(super) fn fold(
    transaction: &WriteTransaction,
    memory: &Memory,
    givers: &BTreeSet<UserId>,
) -> Result<(), String> {
    let mut meta = transaction.open_table(META).map_err(text)?;
    let mut table = transaction.open_table(ENGAGEMENTS).map_err(text)?;
    let mut plain = transaction.open_table(PLAIN_ENGAGEMENTS).map_err(text)?;
    let mut folded = transaction.open_table(FOLDED).map_err(text)?;
    let from = through(&meta).map_err(text)?;
    let mut touched: BTreeSet<_> = givers.iter().map(|user| (Kind::Given, user.0)).collect();
    // A fold ends with a row, so the next one begins with one.
    for row in table.range(from..).map_err(text)? {
        let (first, row) = row.map_err(text)?;
        for event in events::read(first.value(), row.value())? {
            touch(&event.engagement, &event.traits, memory, &mut touched);
        }
    }
    let next = events::end(&table).map_err(text)?.max(from);
    if meta.get(PLAIN).map_err(text)?.is_none() {
        for row in plain.iter().map_err(text)? {
            let (_, value) = row.map_err(text)?;
            let (user, post, author, kind, at, _) = value.value();
            if let Some(event) = engagement(user, post, author, kind, at) {
                touch(&event, &memory.traits(&event), memory, &mut touched);
            }
        }
    }
    for (kind, key) in touched {
        match state(kind, key, memory) {
            Some(state) => _ = folded.insert((kind as u8, key), state.as_slice()).map_err(text)?,
            None => _ = folded.remove((kind as u8, key)).map_err(text)?,
        }
    }
    // Sums of posts that are over are read by nobody any more, also where the post itself went long ago.
    let oldest = memory.post_horizon();
    let is_of_post = |kind: u8| Kind::OF_POSTS.iter().any(|other| *other as u8 == kind);
    folded.retain(|(kind, key), _| !is_of_post(kind) || PostId(key).made_at() >= oldest).map_err(text)?;
    let horizon = memory.graph_horizon().max(memory.engagements.floor()).0;
    let is_needed = |row: &[u8]| {
        // What does not read is left for the next start to name.
        events::read(0, row).map_or(true, |mut events| events.any(|event| event.engagement.at.0 >= horizon))
    };
    table.retain(|_, row| is_needed(row)).map_err(text)?;
    plain.retain(|_, value| value.4 >= horizon).map_err(text)?;
    meta.insert(THROUGH, next).map_err(text)?;
    meta.insert(PLAIN, 1).map_err(text)?;
    Ok(())
}

/// Names every sum that an engagement changes.
fn touch(event: &Engagement, traits: &EventTraits, memory: &Memory, touched: &mut BTreeSet<(Kind, u64)>) {
    let Engagement { user, post, author, kind, .. } = *event;
    touched.insert((Kind::Given, user.0));
    touched.extend([(Kind::Person, author.0), (Kind::Person, user.0)]);
    touched.extend([(Kind::Post, post.0), (Kind::Counts, post.0)]);
    touched.insert((Kind::Topic, u64::from(traits.post.topic)));
    let home = memory.index.slot(author).and_then(|slot| memory.embeddings.home(slot));
    touched.extend(home.map(|community| (Kind::Community, u64::from(community))));
    touched.insert((Kind::Language, u64::from(traits.post.language)));
    touched.insert((Kind::Country, u64::from(traits.country)));
    if kind == EngagementKind::Favorite {
        touched.insert((Kind::Appeal, post.0));
    }
    if traits.post.cell.carries() == Carries::Video {
        touched.insert((Kind::Video, post.0));
    }
}

/// The state of a sum in memory; none when there is nothing.
fn state(kind: Kind, key: u64, memory: &Memory) -> Option<Vec<u8>> {
    let aggregates = &memory.aggregates;
    let slot = || memory.index.slot(UserId(key));
    let mut bytes = Vec::new();
    let tally = |rows: Rows<'_>| {
        for row in rows.iter() {
            bytes.extend(row.key.code().to_le_bytes());
            bytes.extend(row.count.to_bytes());
        }
    };
    match kind {
        Kind::Given => {
            let mut rows = Vec::new();
            aggregates.given(slot()?, |given| rows.extend_from_slice(given));
            memory.index.with_ids(|id_of| {
                for row in &rows {
                    bytes.extend(id_of(row.author).0.to_le_bytes());
                    bytes.extend(row.topic.to_le_bytes());
                    bytes.extend(row.language.to_le_bytes());
                    bytes.extend([row.cell.code(), row.kind.index() as u8]);
                    bytes.extend(row.count.to_bytes());
                }
            });
        }
        Kind::Person => aggregates.person(slot()?, tally),
        Kind::Post => aggregates.post(PostId(key), tally),
        Kind::Topic => aggregates.topic(key as u16, tally),
        Kind::Community => aggregates.community(key as u32, tally),
        Kind::Language => aggregates.language(key as u16, tally),
        Kind::Country => aggregates.country(key as u16, tally),
        Kind::Appeal => {
            for (community, strength) in memory.embeddings.live.get(&key)? {
                bytes.extend(community.to_le_bytes());
                bytes.extend(strength.to_le_bytes());
            }
        }
        Kind::Video => bytes.extend(memory.popular_videos.score(PostId(key))?.to_le_bytes()),
        Kind::Counts => {
            let PostCounts { favorites, replies, reposts, quotes } = memory.posts.counts_of(PostId(key))?;
            let counts = [favorites, replies, reposts, quotes];
            counts.into_iter().for_each(|count| bytes.extend(count.to_le_bytes()));
        }
    }
    // Who gives nothing any more must not get back what was loaded.
    (kind == Kind::Given || !bytes.is_empty()).then_some(bytes)
}

/// Puts the folded sums into memory, which holds what was loaded, users and posts.
pub(super) fn restore(transaction: &ReadTransaction, memory: &Memory) -> Result<Folded, String> {
    let meta = transaction.open_table(META).map_err(text)?;
    for row in transaction.open_table(FOLDED).map_err(text)?.iter().map_err(text)? {
        let (key, value) = row.map_err(text)?;
        let ((kind, key), bytes) = (key.value(), value.value());
        let known = Kind::ALL.get(usize::from(kind)).copied();
        let put = known.and_then(|kind| put(kind, key, bytes, memory));
        put.ok_or_else(|| format!("table folded row ({kind}, {key}): {} bytes do not read", bytes.len()))?;
    }
    let plain = meta.get(PLAIN).map_err(text)?.is_some();
    Ok(Folded { through: through(&meta).map_err(text)?, plain })
}

/// Puts one sum into memory; none when the bytes are not one.
fn put(kind: Kind, key: u64, bytes: &[u8], memory: &Memory) -> Option<()> {
    let aggregates = &memory.aggregates;
    let tally = || -> Option<Tally> {
        let rows = records::<{ 4 + Decayed::BYTES }>(bytes)?.map(|record| {
            let (code, count) = record.split_first_chunk::<4>()?;
            let count = sound(count)?;
            Some(Row { key: RowKey::from_code(u32::from_le_bytes(*code)), count })
        });
        rows.collect::<Option<Vec<Row>>>().map(Tally::from_rows)
    };
    let post = PostId(key);
    match kind {
        Kind::Given => {
            let rows = records::<{ 8 + 2 + 2 + 2 + Decayed::BYTES }>(bytes)?.map(|record| {
                let (author, rest) = record.split_first_chunk::<8>()?;
                let (&[t0, t1, l0, l1, cell, kind], count) = rest.split_first_chunk::<6>()?;
                Some(GivenRow {
                    author: memory.index.slot_or_add(UserId(u64::from_le_bytes(*author))),
                    topic: u16::from_le_bytes([t0, t1]),
                    language: u16::from_le_bytes([l0, l1]),
                    cell: Cell::from_code(cell),
                    kind: *EngagementKind::ALL.get(usize::from(kind))?,
                    count: sound(count)?,
                })
            });
            let rows = rows.collect::<Option<Vec<_>>>()?;
            aggregates.put_given(memory.index.slot_or_add(UserId(key)), rows);
        }
        Kind::Person => aggregates.put_person(memory.index.slot_or_add(UserId(key)), tally()?),
        Kind::Post => aggregates.put_post(post, tally()?),
        Kind::Topic => aggregates.put_topic(key.try_into().ok()?, tally()?),
        Kind::Community => aggregates.put_community(key.try_into().ok()?, tally()?),
        Kind::Language => aggregates.put_language(key.try_into().ok()?, tally()?),
        Kind::Country => aggregates.put_country(key.try_into().ok()?, tally()?),
        // A post that was deleted since must not be found again.
        Kind::Appeal | Kind::Video | Kind::Counts if !memory.posts.contains(post) => {}
        Kind::Appeal => {
            let entries = records::<8>(bytes)?.map(|&[c0, c1, c2, c3, s0, s1, s2, s3]| {
                (u32::from_le_bytes([c0, c1, c2, c3]), f32::from_le_bytes([s0, s1, s2, s3]))
            });
            memory.put_communities(post, entries.collect());
        }
        Kind::Video => {
            // The order of videos is that of the bits of positive numbers.
            let score = f64::from_le_bytes(bytes.try_into().ok()?);
            memory.popular_videos.put(post, Some(score).filter(|score| score.is_finite() && *score > 0.0)?);
        }
        Kind::Counts => {
            let mut counts = records::<4>(bytes)?.map(|word| u32::from_le_bytes(*word));
            let mut next = || counts.next();
            let (favorites, replies, reposts, quotes) = (next()?, next()?, next()?, next()?);
            memory.posts.put_counts(post, PostCounts { favorites, replies, reposts, quotes });
        }
    }
    Some(())
}

/// A count of bytes; none when no events can have added up to it.
fn sound(bytes: &[u8]) -> Option<Decayed> {
    Some(Decayed::from_bytes(bytes.try_into().ok()?)).filter(Decayed::is_sound)
}

/// Bytes as records of one size; none when they are not.
fn records<const N: usize>(bytes: &[u8]) -> Option<impl Iterator<Item = &[u8; N]>> {
    let (records, rest) = bytes.as_chunks::<N>();
    rest.is_empty().then(|| records.iter())
}
