//! One `tf.Example` to one row of a block.

use std::ops::Range;

use super::block::RecordBlock;
use super::example::{Feature, for_each_feature};
use super::layout::{Column, RecordLayout, Slot};
use super::reader::Missing;
use super::schema::Dtype;

/// Decodes examples of one layout; keeps its memory between them.
pub(super) struct Decoder {
    /// Where the map entry of each slot of the layout lies in the example.
    entries: Vec<Option<Range<usize>>>,
    missing: Missing,
}

impl Decoder {
    pub(super) fn new(layout: &RecordLayout, missing: Missing) -> Self {
        Self { entries: vec![None; layout.slots().len()], missing }
    }

    /// Appends the values of `example` to every column of `block`, which the caller then commits. On an error (its
    /// text is what was expected and found) part of a row may have been appended: the caller takes it back.
    pub(super) fn decode(
        &mut self,
        layout: &RecordLayout,
        example: &[u8],
        block: &mut RecordBlock,
    ) -> Result<(), String> {
        self.entries.fill(None);
        for_each_feature(example, |name, entry| {
            if let Some(slot) = layout.slot_of(name) {
                self.entries[slot] = Some(entry);
            }
        })
        .map_err(|error| format!("not a tf.Example: {error}"))?;
        for (slot, entry) in layout.slots().iter().zip(&self.entries) {
            let named = |problem: String| format!("feature \"{}\": {problem}", slot.feature);
            let feature = match entry {
                Some(entry) => {
                    Feature::open(example, entry.clone()).map_err(|error| named(error.to_string()))?
                }
                None => None,
            };
            match feature {
                Some(feature) => append(slot, &feature, block).map_err(named)?,
                // The released reader takes a missing label for 0, and so does this one.
                None if self.missing == Missing::FillZero || slot.column == Column::Label => {
                    append_zeros(slot, block);
                }
                None => return Err(named(format!("expected {} {}, found none", slot.length, slot.dtype))),
            }
        }
        Ok(())
    }
}

fn append(slot: &Slot, feature: &Feature<'_>, block: &mut RecordBlock) -> Result<(), String> {
    if feature.dtype() != slot.dtype {
        return Err(format!("expected {}, found {}", slot.dtype, feature.dtype()));
    }
    let count = match slot.dtype {
        Dtype::Float => feature.floats(slot.kept, floats_of(slot.column, block)),
        Dtype::Int64 if slot.column == Column::Binary => {
            let mut outside = None;
            let count = feature.integers(|position, value| match u8::try_from(value) {
                _ if position >= slot.kept => {}
                Ok(value) => block.binary.push(value),
                Err(_) => outside = outside.or(Some((position, value))),
            });
            if let Some((position, value)) = outside {
                return Err(format!("value {position}: expected 0 to 255, found {value}"));
            }
            count
        }
        Dtype::Int64 => {
            let column = integers_of(slot.column, block);
            feature.integers(|position, value| {
                if position < slot.kept {
                    column.push(value);
                }
            })
        }
        Dtype::Bytes => return Err("bytes_list is read into no column".to_owned()),
    }
    .map_err(|error| error.to_string())?;
    if count != slot.length {
        return Err(format!("expected {} values, found {count}", slot.length));
    }
    Ok(())
}

fn append_zeros(slot: &Slot, block: &mut RecordBlock) {
    match (slot.dtype, slot.column) {
        (Dtype::Float, column) => extend_zeros(floats_of(column, block), slot.kept),
        (_, Column::Binary) => extend_zeros(&mut block.binary, slot.kept),
        (_, column) => extend_zeros(integers_of(column, block), slot.kept),
    }
}

fn extend_zeros<T: Default + Clone>(column: &mut Vec<T>, count: usize) {
    column.resize(column.len() + count, T::default());
}

fn floats_of(column: Column, block: &mut RecordBlock) -> &mut Vec<f32> {
    match column {
        Column::UserEmbedding => &mut block.user_embedding,
        Column::UserEngEmbedding => &mut block.user_eng_embedding,
        Column::AuthorEmbedding => &mut block.author_embedding,
        // The only other column of floats: `Column::dtype` says so, and the layout was checked against it.
        _ => &mut block.continuous,
    }
}

fn integers_of(column: Column, block: &mut RecordBlock) -> &mut Vec<i64> {
    match column {
        Column::UserId => &mut block.user_ids,
        Column::AuthorId => &mut block.author_ids,
        Column::TweetId => &mut block.tweet_ids,
        // The only other column of wide integers.
        _ => &mut block.labels,
    }
}
