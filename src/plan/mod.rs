//! A configured model with its weights, as an ordered list of steps: everything that can be folded is folded, every
//! shape and buffer is known. A backend executes plans; nothing else of the model reaches it.

mod buffer;
mod build;
mod cost;
mod linear;
mod reuse;
mod step;

pub use buffer::{Buffer, Part, Segment, View};
pub use cost::Cost;
pub use linear::Linear;
pub use reuse::{Reuse, ReuseConstants};
pub use step::{Affine, Epilogue, Featurize, GemmGroup, Head, HeadTask, LayerNormGroup, Norm, Step};

use crate::config::Widths;

/// Where scales of norms go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// Into the weights, before they are rounded: for f32, where that changes nothing that matters.
    Weights,
    /// Into the epilogues, in f32: for lower precisions, so that weights and activations are rounded at the same
    /// places as in a run without folding, and errors are no larger than such a run's.
    Epilogues,
}

/// What a backend executes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Widths of the raw inputs.
    pub widths: Widths,
    /// Every segment starts at, and is padded to, a multiple of this many columns.
    pub align: usize,
    /// The order of `x`, where a split lets products over it be computed in part once a request.
    pub reuse: Option<Reuse>,
    /// Activations, (candidates, columns) each.
    pub buffers: Vec<Buffer>,
    /// In order: `Featurize`, any number of `LayerNorm` and `Gemm`, `Head`.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The segments that a view covers.
    #[must_use]
    pub fn segments(&self, view: View) -> &[Segment] {
        &self.buffers[view.buffer].segments[view.first..view.first + view.count]
    }

    /// First column of a view in its buffer.
    #[must_use]
    pub fn column(&self, view: View) -> usize {
        self.segments(view).first().map_or(0, |s| s.column)
    }

    /// Columns of a view that carry values.
    #[must_use]
    pub fn width(&self, view: View) -> usize {
        self.segments(view).iter().map(|s| s.width).sum()
    }

    /// Columns that a view occupies, padding included.
    #[must_use]
    pub fn padded(&self, view: View) -> usize {
        self.segments(view).iter().map(|s| s.padded).sum()
    }

    /// The head: always the last step.
    ///
    /// # Panics
    /// Never: a built plan ends in a head.
    #[must_use]
    pub fn head(&self) -> &Head {
        match self.steps.last() {
            Some(Step::Head(head)) => head,
            _ => unreachable!("a plan ends in a head"),
        }
    }

    /// The featurization: always the first step.
    ///
    /// # Panics
    /// Never: a built plan starts with one.
    #[must_use]
    pub fn featurize(&self) -> &Featurize {
        match self.steps.first() {
            Some(Step::Featurize(featurize)) => featurize,
            _ => unreachable!("a plan starts with featurize"),
        }
    }

    /// Exchanges neighbouring rows of the first product's weights, for every backend that packs this plan: a slip as a
    /// kernel's index could have it. For tests of who notices.
    pub(crate) fn plant_fault(&mut self) {
        let gemm = self.steps.iter_mut().find_map(|step| match step {
            Step::Gemm(groups) => groups.first_mut(),
            _ => None,
        });
        if let Some(group) = gemm {
            group.linear.planted_fault = true;
        }
    }

    /// Spreads a row of a view's values (its width, in the model's order) over the view's columns (its padded width):
    /// zeros go where the padding is. How weights and affines meet their operand.
    pub fn spread<T: Copy + Default>(&self, view: View, values: &[T], into: &mut [T]) {
        assert_eq!(values.len(), self.width(view), "values of a view");
        assert_eq!(into.len(), self.padded(view), "columns of a view");
        into.fill(T::default());
        let base = self.column(view);
        // Where the next values start, and where those of the present ordered row do.
        let (mut next, mut row) = (0, 0);
        for segment in self.segments(view) {
            let column = segment.column - base;
            let into = &mut into[column..column + segment.width];
            match (segment.part, &self.reuse) {
                (Part::Ordered(from), Some(reuse)) => {
                    if from == 0 {
                        (row, next) = (next, next + reuse.order.len());
                    }
                    let features = &reuse.order[from..from + segment.width];
                    into.iter_mut().zip(features).for_each(|(v, &feature)| *v = values[row + feature]);
                }
                _ => {
                    into.copy_from_slice(&values[next..next + segment.width]);
                    next += segment.width;
                }
            }
        }
    }

    /// A row of a view's values in the order of the view's columns, without padding.
    #[must_use]
    pub fn arrange<T: Copy + Default>(&self, view: View, values: &[T]) -> Vec<T> {
        let mut columns = vec![T::default(); self.padded(view)];
        self.spread(view, values, &mut columns);
        let base = self.column(view);
        let segments = self.segments(view).iter();
        segments.flat_map(|s| columns[s.column - base..s.column - base + s.width].to_vec()).collect()
    }
}
