//! Records as columns: what a batch is made from.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::layout::RecordLayout;
use crate::config::Widths;
use crate::{Error, Result};

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Index of the file in the reader's list.
    pub file: u32,
    /// Position of the record in its file, from 0, broken ones included.
    pub index: u64,
    /// Byte of the file's uncompressed stream where the record starts.
    pub offset: u64,
}

/// A place between two records, to go on from: in the same list of files, with the same layout and options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index of the file in the reader's list.
    pub file: usize,
    /// Position in that file of the record to read next.
    pub record: u64,
    /// Byte of the file's uncompressed stream where that record starts.
    pub offset: u64,
    /// `meta.user_id` of the record before in this file, if any: the request that may go on.
    pub open_request: Option<i64>,
}

/// One record's values, for [`RecordBlock::push`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Row<'a> {
    /// `meta.user_id`: records that follow each other with the same are one request.
    pub user_id: i64,
    /// `meta.author_id`
    pub author_id: i64,
    /// `meta.tweet_id`
    pub tweet_id: i64,
    /// (continuous)
    pub continuous: &'a [f32],
    /// (binary)
    pub binary: &'a [u8],
    /// (`user_embedding`)
    pub user_embedding: &'a [f32],
    /// (`user_eng_embedding`)
    pub user_eng_embedding: &'a [f32],
    /// (`author_embedding`)
    pub author_embedding: &'a [f32],
}

/// Up to `capacity` records, column by column, row-major.
///
/// Records that follow each other in one file with equal `meta.user_id` are one request. A request that the capacity
/// cuts [`continues`](Self::continues) in the next block, which then says
/// [`continues_from_previous`](Self::continues_from_previous).
#[derive(Debug, Clone)]
pub struct RecordBlock {
    capacity: usize,
    widths: Widths,
    num_labels: usize,
    pub(super) user_ids: Vec<i64>,
    pub(super) author_ids: Vec<i64>,
    pub(super) tweet_ids: Vec<i64>,
    pub(super) continuous: Vec<f32>,
    pub(super) binary: Vec<u8>,
    pub(super) user_embedding: Vec<f32>,
    pub(super) user_eng_embedding: Vec<f32>,
    pub(super) author_embedding: Vec<f32>,
    pub(super) labels: Vec<i64>,
    origins: Vec<Origin>,
    request_offsets: Vec<usize>,
    pub(super) continues_from_previous: bool,
    pub(super) continues: bool,
    pub(super) next_position: Position,
    pub(super) skipped_before: (u64, u64),
}

impl RecordBlock {
    /// An empty block for records of `layout`. All memory is allocated here:
    /// `capacity` times [`RecordLayout::row_bytes`].
    ///
    /// # Errors
    /// `capacity` is 0, or so large that the columns cannot be allocated.
    pub fn new(layout: &RecordLayout, capacity: usize) -> Result<Self> {
        Self::with_room(layout.widths(), layout.labels().len(), capacity)
    }

    /// An empty block without labels, to be filled by [`RecordBlock::push`].
    ///
    /// # Errors
    /// As [`RecordBlock::new`].
    pub fn of_widths(widths: Widths, capacity: usize) -> Result<Self> {
        Self::with_room(widths, 0, capacity)
    }

    fn with_room(widths: Widths, num_labels: usize, capacity: usize) -> Result<Self> {
        let too_large = |expected: &str| Error::Argument {
            argument: "capacity",
            expected: expected.to_owned(),
            found: capacity.to_string(),
        };
        if capacity == 0 {
            return Err(too_large("at least one record"));
        }
        let no_room = || too_large("a block that fits the memory");
        Ok(Self {
            capacity,
            widths,
            num_labels,
            user_ids: column(capacity, 1).ok_or_else(no_room)?,
            author_ids: column(capacity, 1).ok_or_else(no_room)?,
            tweet_ids: column(capacity, 1).ok_or_else(no_room)?,
            continuous: column(capacity, widths.continuous).ok_or_else(no_room)?,
            binary: column(capacity, widths.binary).ok_or_else(no_room)?,
            user_embedding: column(capacity, widths.user_embedding).ok_or_else(no_room)?,
            user_eng_embedding: column(capacity, widths.user_eng_embedding).ok_or_else(no_room)?,
            author_embedding: column(capacity, widths.author_embedding).ok_or_else(no_room)?,
            labels: column(capacity, num_labels).ok_or_else(no_room)?,
            origins: column(capacity, 1).ok_or_else(no_room)?,
            request_offsets: {
                let mut offsets = column(capacity.saturating_add(1), 1).ok_or_else(no_room)?;
                offsets.push(0);
                offsets
            },
            continues_from_previous: false,
            continues: false,
            next_position: Position::default(),
            skipped_before: (0, 0),
        })
    }

    /// Records in the block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Whether the block has no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Records that the block can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Widths of the columns.
    #[must_use]
    pub fn widths(&self) -> Widths {
        self.widths
    }

    /// `meta.user_id`, (records).
    #[must_use]
    pub fn user_ids(&self) -> &[i64] {
        &self.user_ids
    }

    /// `meta.author_id`, (records).
    #[must_use]
    pub fn author_ids(&self) -> &[i64] {
        &self.author_ids
    }

    /// `meta.tweet_id`, (records).
    #[must_use]
    pub fn tweet_ids(&self) -> &[i64] {
        &self.tweet_ids
    }

    /// Continuous features as in the record, (records, continuous).
    #[must_use]
    pub fn continuous(&self) -> &[f32] {
        &self.continuous
    }

    /// Binary features, taken as numbers, (records, binary).
    #[must_use]
    pub fn binary(&self) -> &[u8] {
        &self.binary
    }

    /// (records, `user_embedding`)
    #[must_use]
    pub fn user_embedding(&self) -> &[f32] {
        &self.user_embedding
    }

    /// (records, `user_eng_embedding`)
    #[must_use]
    pub fn user_eng_embedding(&self) -> &[f32] {
        &self.user_eng_embedding
    }

    /// (records, `author_embedding`)
    #[must_use]
    pub fn author_embedding(&self) -> &[f32] {
        &self.author_embedding
    }

    /// (records, labels), in the layout's order of labels.
    #[must_use]
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// Where each record lies, (records).
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Request `r` is the records `offsets[r]..offsets[r + 1]`; (requests + 1), first 0, last [`len`](Self::len).
    #[must_use]
    pub fn request_offsets(&self) -> &[usize] {
        &self.request_offsets
    }

    /// The records of each request.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.request_offsets.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// Whether the first request began in the block that was read before.
    #[must_use]
    pub fn continues_from_previous(&self) -> bool {
        self.continues_from_previous
    }

    /// Whether the last request goes on in the next block.
    #[must_use]
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// The place after the last record, to go on from in a later run.
    #[must_use]
    pub fn next_position(&self) -> Position {
        self.next_position
    }

    /// Broken records and files cut short that lie before [`next_position`](Self::next_position), counted from where
    /// the reader began: what a later run, which goes on from there, will not meet again.
    #[must_use]
    pub fn skipped_before(&self) -> (u64, u64) {
        self.skipped_before
    }

    /// Appends one record of values that come from elsewhere than a record file.
    ///
    /// # Errors
    /// The block is full, or a column has another width; the record is left out.
    pub fn push(&mut self, origin: Origin, row: &Row<'_>) -> Result<()> {
        if self.is_full() {
            return Err(Error::Argument {
                argument: "block",
                expected: format!("room for one of {} records", self.capacity),
                found: "a full block".to_owned(),
            });
        }
        let widths = self.widths;
        for (argument, width, found) in [
            ("continuous", widths.continuous, row.continuous.len()),
            ("binary", widths.binary, row.binary.len()),
            ("user_embedding", widths.user_embedding, row.user_embedding.len()),
            ("user_eng_embedding", widths.user_eng_embedding, row.user_eng_embedding.len()),
            ("author_embedding", widths.author_embedding, row.author_embedding.len()),
        ] {
            if width != found {
                let (expected, found) = (format!("{width} values"), found.to_string());
                return Err(Error::Argument { argument, expected, found });
            }
        }
        self.user_ids.push(row.user_id);
        self.author_ids.push(row.author_id);
        self.tweet_ids.push(row.tweet_id);
        self.continuous.extend_from_slice(row.continuous);
        self.binary.extend_from_slice(row.binary);
        self.user_embedding.extend_from_slice(row.user_embedding);
        self.user_eng_embedding.extend_from_slice(row.user_eng_embedding);
        self.author_embedding.extend_from_slice(row.author_embedding);
        self.labels.resize(self.labels.len() + self.num_labels, 0);
        self.commit(origin);
        Ok(())
    }

    /// Says how the block's first and last request go on in other blocks, and where a later run would go on.
    pub fn link(&mut self, from_previous: bool, into_next: bool, next_position: Position) {
        self.continues_from_previous = from_previous;
        self.continues = into_next;
        self.next_position = next_position;
    }

    /// Whether no record fits any more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Whether the block was made for records of this shape.
    pub(super) fn fits(&self, layout: &RecordLayout) -> bool {
        self.widths == layout.widths() && self.num_labels == layout.labels().len()
    }

    /// Takes all records out; the memory stays.
    pub fn clear(&mut self) {
        self.request_offsets.clear();
        self.request_offsets.push(0);
        self.origins.clear();
        self.drop_uncommitted();
        self.continues_from_previous = false;
        self.continues = false;
    }

    /// Takes back the values of a record that turned out broken: columns are cut to the committed records.
    pub(super) fn drop_uncommitted(&mut self) {
        let rows = self.origins.len();
        self.user_ids.truncate(rows);
        self.author_ids.truncate(rows);
        self.tweet_ids.truncate(rows);
        self.continuous.truncate(rows * self.widths.continuous);
        self.binary.truncate(rows * self.widths.binary);
        self.user_embedding.truncate(rows * self.widths.user_embedding);
        self.user_eng_embedding.truncate(rows * self.widths.user_eng_embedding);
        self.author_embedding.truncate(rows * self.widths.author_embedding);
        self.labels.truncate(rows * self.num_labels);
    }

    /// Makes the values that were appended to every column one more record.
    pub(super) fn commit(&mut self, origin: Origin) {
        let row = self.origins.len();
        debug_assert_eq!(self.user_ids.len(), row + 1, "a record has one user");
        debug_assert_eq!(
            self.continuous.len(),
            (row + 1) * self.widths.continuous,
            "continuous row is whole"
        );
        let same_request = self
            .origins
            .last()
            .is_some_and(|last| last.file == origin.file && self.user_ids[row - 1] == self.user_ids[row]);
        self.origins.push(origin);
        if !same_request {
            self.request_offsets.push(row + 1);
        } else if let Some(end) = self.request_offsets.last_mut() {
            *end = row + 1;
        }
    }

    /// Appends the only record of `staged`.
    pub(super) fn append(&mut self, staged: &Self) {
        self.user_ids.extend_from_slice(&staged.user_ids);
        self.author_ids.extend_from_slice(&staged.author_ids);
        self.tweet_ids.extend_from_slice(&staged.tweet_ids);
        self.continuous.extend_from_slice(&staged.continuous);
        self.binary.extend_from_slice(&staged.binary);
        self.user_embedding.extend_from_slice(&staged.user_embedding);
        self.user_eng_embedding.extend_from_slice(&staged.user_eng_embedding);
        self.author_embedding.extend_from_slice(&staged.author_embedding);
        self.labels.extend_from_slice(&staged.labels);
        for &origin in &staged.origins {
            self.commit(origin);
        }
    }

    /// File and user of the last record.
    pub(super) fn last_request(&self) -> Option<(u32, i64)> {
        Some((self.origins.last()?.file, *self.user_ids.last()?))
    }

    /// File and user of the first record.
    pub(super) fn first_request(&self) -> Option<(u32, i64)> {
        Some((self.origins.first()?.file, *self.user_ids.first()?))
    }
}

/// An empty column with room for `rows` of `width` values; `None` when there is no such room.
fn column<T>(rows: usize, width: usize) -> Option<Vec<T>> {
    let mut column = Vec::new();
    column.try_reserve_exact(rows.checked_mul(width)?).ok()?;
    Some(column)
}
