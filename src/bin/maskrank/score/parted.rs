//! A block's candidates as a scorer takes them that is given some columns once a request.
//!
//! A record holds all columns. Neighbours of one request in the file may still be of two requests of the same viewer, so
//! what is scored together are runs of records that agree, bit for bit, in every column that comes once.

use std::ops::Range;

use maskrank::config::Widths;
use maskrank::records::RecordBlock;
use maskrank::{Binary, Columns, Features, Request, Split};

/// Columns of one kind, taken apart.
#[derive(Clone, Debug, Default)]
struct Values {
    continuous: Vec<f32>,
    binary: Vec<u8>,
    embeddings: [Vec<f32>; 3],
}

impl Values {
    fn clear(&mut self) {
        self.continuous.clear();
        self.binary.clear();
        self.embeddings.iter_mut().for_each(Vec::clear);
    }

    fn columns(&self, widths: Widths, rows: Range<usize>) -> Columns<'_> {
        let part = |width: usize| rows.start * width..rows.end * width;
        let [user, user_eng, author] = widths.embeddings();
        Columns {
            continuous: Features::F32(&self.continuous[part(widths.continuous)]),
            binary: Binary::Bytes(&self.binary[part(widths.binary)]),
            user_embedding: Features::F32(&self.embeddings[0][part(user)]),
            user_eng_embedding: Features::F32(&self.embeddings[1][part(user_eng)]),
            author_embedding: Features::F32(&self.embeddings[2][part(author)]),
        }
    }
}

/// A block taken apart. Memory is kept from block to block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parted {
    /// (requests, columns that come once)
    once: Values,
    /// (records, the others)
    each: Values,
    /// The records of each request.
    pub(super) ranges: Vec<Range<usize>>,
}

impl Parted {
    /// Takes a block apart; without a split only says what is scored together, which is each request.
    pub(super) fn fill(&mut self, block: &RecordBlock, split: &Split) {
        self.once.clear();
        self.each.clear();
        self.ranges.clear();
        if *split == Split::default() {
            self.ranges.extend(block.requests());
            return;
        }
        let widths = block.widths();
        for range in block.requests() {
            let mut start = range.start;
            for row in range.clone() {
                let continuous = row_of(block.continuous(), widths.continuous, row);
                let binary = row_of(block.binary(), widths.binary, row);
                let embeddings = embeddings(block, widths, row);
                part(continuous, &split.continuous, Side::Outside, &mut self.each.continuous);
                part(binary, &split.binary, Side::Outside, &mut self.each.binary);
                for ((values, once), into) in
                    embeddings.iter().zip(split.embeddings).zip(&mut self.each.embeddings)
                {
                    into.extend(values.iter().filter(|_| !once));
                }
                let is_new = row == range.start || !agree(block, widths, split, row - 1, row);
                if !is_new {
                    continue;
                }
                if row > start {
                    self.ranges.push(start..row);
                }
                start = row;
                part(continuous, &split.continuous, Side::Inside, &mut self.once.continuous);
                part(binary, &split.binary, Side::Inside, &mut self.once.binary);
                for ((values, once), into) in
                    embeddings.iter().zip(split.embeddings).zip(&mut self.once.embeddings)
                {
                    into.extend(values.iter().filter(|_| once));
                }
            }
            self.ranges.push(start..range.end);
        }
    }

    /// The requests of the block that was taken apart.
    pub(super) fn requests<'a>(&'a self, block: &'a RecordBlock, split: &Split) -> Vec<Request<'a>> {
        if *split == Split::default() {
            return super::requests(block);
        }
        let widths = block.widths();
        let (once, each) = (split.request_widths(widths), split.candidate_widths(widths));
        let request = |(index, range): (usize, &Range<usize>)| Request {
            candidates: range.len(),
            request: self.once.columns(once, index..index + 1),
            candidate: self.each.columns(each, range.clone()),
        };
        self.ranges.iter().enumerate().map(request).collect()
    }
}

fn row_of<T>(values: &[T], width: usize, row: usize) -> &[T] {
    &values[row * width..(row + 1) * width]
}

fn embeddings(block: &RecordBlock, widths: Widths, row: usize) -> [&[f32]; 3] {
    let [user, user_eng, author] = widths.embeddings();
    [
        row_of(block.user_embedding(), user, row),
        row_of(block.user_eng_embedding(), user_eng, row),
        row_of(block.author_embedding(), author, row),
    ]
}

/// Which values are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
}

/// Appends the values inside the ranges, or those outside of them.
fn part<T: Copy>(values: &[T], ranges: &[Range<usize>], side: Side, into: &mut Vec<T>) {
    if side == Side::Inside {
        ranges.iter().for_each(|range| into.extend_from_slice(&values[range.clone()]));
        return;
    }
    let mut from = 0;
    for range in ranges {
        into.extend_from_slice(&values[from..range.start]);
        from = range.end;
    }
    into.extend_from_slice(&values[from..]);
}

/// Whether two records have the same bits in every column that comes once.
fn agree(block: &RecordBlock, widths: Widths, split: &Split, a: usize, b: usize) -> bool {
    let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    let row = |row: usize| {
        let continuous = row_of(block.continuous(), widths.continuous, row);
        (continuous, row_of(block.binary(), widths.binary, row), embeddings(block, widths, row))
    };
    let (a, b) = (row(a), row(b));
    split.continuous.iter().all(|range| same(&a.0[range.clone()], &b.0[range.clone()]))
        && split.binary.iter().all(|range| a.1[range.clone()] == b.1[range.clone()])
        && (0..3).filter(|at| split.embeddings[*at]).all(|at| same(a.2[at], b.2[at]))
}
