//! A family's part of a batch.

use std::ops::Range;

/// A matrix of which a family owns some columns.
pub(super) struct Columns<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) width: usize,
    pub(super) own: Range<usize>,
}

impl Columns<'_> {
    /// What stands before the own columns of a row, and the own columns.
    fn row(&mut self, index: usize) -> (&[f32], &mut [f32]) {
        let row = &mut self.values[index * self.width..(index + 1) * self.width];
        let (earlier, rest) = row.split_at_mut(self.own.start);
        (earlier, &mut rest[..self.own.len()])
    }
}

/// A family's part of a batch: its own columns, as far as the model reads them.
pub struct Rows<'a> {
    pub(super) count: usize,
    pub(super) continuous: Columns<'a>,
    pub(super) binary: Columns<'a>,
    /// Continuous columns of the families that it reads.
    pub(super) after: &'a [Range<usize>],
}

/// One row of a family's part.
pub struct Row<'a> {
    earlier: &'a [f32],
    continuous: &'a mut [f32],
    binary: &'a mut [f32],
    after: &'a [Range<usize>],
}

impl Rows<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many of the family's continuous features the model reads: the first so many.
    pub fn continuous_read(&self) -> usize {
        self.continuous.own.len()
    }

    /// A row, `index` below [`Rows::len`].
    pub fn row(&mut self, index: usize) -> Row<'_> {
        let (earlier, continuous) = self.continuous.row(index);
        let (_, binary) = self.binary.row(index);
        Row { earlier, continuous, binary, after: self.after }
    }
}

impl Row<'_> {
    /// Sets the family's continuous features from `first` on, as far as the model reads them.
    pub fn put_from<const N: usize>(&mut self, first: usize, values: [f32; N]) {
        let own = self.continuous.iter_mut().skip(first);
        own.zip(values).for_each(|(slot, value)| *slot = value);
    }

    /// Sets the family's binary features from `first` on, as far as the model reads them.
    pub fn flag_from<const N: usize>(&mut self, first: usize, flags: [bool; N]) {
        let own = self.binary.iter_mut().skip(first);
        own.zip(flags).for_each(|(slot, flag)| *slot = f32::from(u8::from(flag)));
    }

    /// The continuous features that the model reads, all of them.
    pub fn continuous(&mut self) -> &mut [f32] {
        self.continuous
    }

    /// Features of the `position`-th family of [`super::FeatureFamily::after`], as far as the model reads them.
    pub fn of(&self, position: usize) -> &[f32] {
        self.after.get(position).and_then(|columns| self.earlier.get(columns.clone())).unwrap_or_default()
    }
}
