//! What viewers said, on disk: feedback and dismissals, given or taken back.
//!
//! Rows are appended and replayed in their order. They are bounded by age, and for each viewer by what is still said: who
//! has many more rows than that, by saying and taking back, gets them written anew.

use std::collections::HashMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::tables::{Json, text};
use crate::domain::{Millis, UserId};
use crate::stores::memory::Memory;

/// sequence → feedback, given or taken back.
pub(super) const FEEDBACK: TableDefinition<u64, Json> = TableDefinition::new("feedback");
/// sequence → dismissal, of a module or taken back.
pub(super) const DISMISSALS: TableDefinition<u64, Json> = TableDefinition::new("dismissals");

/// Rows of a viewer beside twice what is still said.
const SPARE_ROWS: usize = 64;

/// Feedback or a dismissal as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Said<T> {
    #[serde(flatten)]
    pub(super) what: T,
    /// Whether it was taken back rather than given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_withdrawn: bool,
}

/// The part of both that tells whose it is and how old.
#[derive(Deserialize)]
struct Dated {
    viewer: UserId,
    at: Millis,
}

/// Deletes what is over, and rows that no longer say anything.
pub(super) fn sweep(transaction: &WriteTransaction, memory: &Memory) -> Result<(), String> {
    let horizon = memory.feedback_horizon();
    sweep_table(transaction, FEEDBACK, horizon, |viewer| memory.feedback.feedback_of(viewer))?;
    sweep_table(transaction, DISMISSALS, horizon, |viewer| memory.feedback.dismissals_of(viewer))
}

fn sweep_table<T: Serialize>(
    transaction: &WriteTransaction,
    table: TableDefinition<u64, Json>,
    horizon: Millis,
    live: impl Fn(UserId) -> Vec<T>,
) -> Result<(), String> {
    let mut table = transaction.open_table(table).map_err(text)?;
    let mut rows = HashMap::<UserId, usize>::new();
    table
        .retain(|_, value| {
            let dated = serde_json::from_slice::<Dated>(value).ok().filter(|row| row.at >= horizon);
            dated.map(|row| *rows.entry(row.viewer).or_default() += 1).is_some()
        })
        .map_err(text)?;
    rows.retain(|viewer, count| *count > SPARE_ROWS + 2 * live(*viewer).len());
    if rows.is_empty() {
        return Ok(());
    }
    let is_written_anew =
        |value: &[u8]| serde_json::from_slice::<Dated>(value).is_ok_and(|row| rows.contains_key(&row.viewer));
    table.retain(|_, value| !is_written_anew(value)).map_err(text)?;
    for viewer in rows.keys() {
        for what in live(*viewer) {
            let row =
                serde_json::to_vec(&Said { what, is_withdrawn: false }).map_err(|error| error.to_string())?;
            let sequence = table.last().map_err(text)?.map_or(0, |(key, _)| key.value() + 1);
            table.insert(sequence, row.as_slice()).map_err(text)?;
        }
    }
    Ok(())
}
