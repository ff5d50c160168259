//! Engagements on disk: those of one transaction are one row, under the number of the first.
//!
//! A row for each engagement cost more than all else that a commit does: a tree is searched, and a leaf changed, for 42
//! bytes. The engagements of a row are numbered one after the other, so rows are still found by number.

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use crate::domain::{Engagement, EngagementKind, EventTraits, Millis, PostId, UserId};
use crate::stores::memory::Recorded;

/// Number of the first engagement → all of them, [`BYTES`] each.
pub(super) const ENGAGEMENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("engagement_groups");

/// Number → (user, post, author, kind, at, whether it is counted, traits): as journals of layout 1 had them.
const SINGLE: TableDefinition<u64, (u64, u64, u64, u8, i64, bool, u64)> =
    TableDefinition::new("engagements_with_traits");

/// Bytes of an engagement: user, post, author, moment, traits, kind, whether it is counted.
pub(super) const BYTES: usize = 5 * 8 + 2;

/// Most engagements of a row that is made of single ones.
const MOST: usize = 4_096;

/// Adds an engagement to a row.
pub(super) fn write(recorded: &Recorded, row: &mut Vec<u8>) {
    let Recorded { engagement: Engagement { user, post, author, kind, at }, traits, is_counted } = *recorded;
    let mut bytes = [0; BYTES];
    let words = [user.0, post.0, author.0, at.0 as u64, traits.pack()];
    for (into, word) in bytes.chunks_exact_mut(8).zip(words) {
        into.copy_from_slice(&word.to_le_bytes());
    }
    bytes[BYTES - 2] = kind.index() as u8;
    bytes[BYTES - 1] = u8::from(is_counted);
    row.extend_from_slice(&bytes);
}

/// None when the kind is not known.
fn recorded(bytes: &[u8; BYTES]) -> Option<Recorded> {
    let (words, rest) = bytes.as_chunks::<8>();
    let &[user, post, author, at, traits] = words else { return None };
    let &[kind, is_counted] = rest else { return None };
    let [user, post, author, at, traits] = [user, post, author, at, traits].map(u64::from_le_bytes);
    let engagement = engagement(user, post, author, kind, at as i64)?;
    Some(Recorded { engagement, traits: EventTraits::unpack(traits), is_counted: is_counted != 0 })
}

/// An engagement of its parts; none when its kind is not known.
pub(super) fn engagement(user: u64, post: u64, author: u64, kind: u8, at: i64) -> Option<Engagement> {
    let kind = *EngagementKind::ALL.get(usize::from(kind))?;
    Some(Engagement { user: UserId(user), post: PostId(post), author: UserId(author), kind, at: Millis(at) })
}

/// The engagements of a row, without those of kinds that are not known.
///
/// # Errors
/// The row has other bytes than those of whole engagements.
pub(super) fn read(first: u64, row: &[u8]) -> Result<impl Iterator<Item = Recorded>, String> {
    let (events, rest) = row.as_chunks::<BYTES>();
    if events.is_empty() || !rest.is_empty() || first.checked_add(events.len() as u64).is_none() {
        return Err(format!("table engagement_groups row {first}: {} bytes do not read", row.len()));
    }
    Ok(events.iter().filter_map(recorded))
}

/// One more than the number of the last engagement.
pub(super) fn end(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, redb::StorageError> {
    let last = table.last()?;
    Ok(last.map_or(0, |(first, row)| first.value().saturating_add((row.value().len() / BYTES) as u64)))
}

/// Brings what journals of layout 1 hold into rows of today's layout. What is in the sums, the numbers below `through`, and
/// what is not have no row in common.
pub(super) fn group_single(transaction: &WriteTransaction, through: u64) -> Result<(), redb::Error> {
    {
        let single = transaction.open_table(SINGLE)?;
        let mut table = transaction.open_table(ENGAGEMENTS)?;
        let (mut first, mut row) = (0, Vec::new());
        for entry in single.iter()? {
            let (number, value) = entry?;
            let (user, post, author, kind, at, is_counted, traits) = value.value();
            let Some(engagement) = engagement(user, post, author, kind, at) else { continue };
            let length = row.len() / BYTES;
            let is_apart = number.value() != first + length as u64 || number.value() == through;
            if length == MOST || is_apart {
                if length > 0 {
                    table.insert(first, row.as_slice())?;
                }
                first = number.value();
                row.clear();
            }
            let traits = EventTraits::unpack(traits);
            write(&Recorded { engagement, traits, is_counted }, &mut row);
        }
        if !row.is_empty() {
            table.insert(first, row.as_slice())?;
        }
    }
    transaction.delete_table(SINGLE)?;
    Ok(())
}
