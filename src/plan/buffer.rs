//! Activation buffers: (candidates, columns) matrices whose columns lie in padded segments.
//!
//! A segment starts at a multiple of the plan's alignment and is followed by pad columns that hold zeros, always.
//! So a concatenation of layer outputs is one buffer with several segments, a GEMM reads it as one operand whose
//! width is a multiple of the alignment, and weights carry zeros where the buffer carries padding.

/// Some whole, consecutive segments of one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Index into [`super::Plan::buffers`].
    pub buffer: usize,
    /// First segment.
    pub first: usize,
    /// Number of segments.
    pub count: usize,
}

/// One layer's output inside a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First column; a multiple of the alignment.
    pub column: usize,
    /// Columns that carry values.
    pub width: usize,
    /// Columns that it occupies; a multiple of the alignment. Columns from `width` on hold zeros.
    pub padded: usize,
    /// Which values of a row it holds.
    pub part: Part,
}

/// Which values of a view's row a segment holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The next ones.
    #[default]
    Next,
    /// Those of `x`, or of a row as wide as `x`, in the order of [`super::Reuse::order`] from this place on. Segments
    /// of one such row follow one another.
    Ordered(usize),
}

/// A matrix of activations, one row a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Name for messages and listings.
    pub name: String,
    /// The segments, in order of their columns, without gaps.
    pub segments: Vec<Segment>,
}

impl Buffer {
    /// Columns of a row, padding included.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.segments.last().map_or(0, |s| s.column + s.padded)
    }

    pub(super) fn push(&mut self, width: usize, part: Part, align: usize) -> usize {
        let segment = Segment { column: self.columns(), width, padded: width.next_multiple_of(align), part };
        self.segments.push(segment);
        self.segments.len() - 1
    }
}
