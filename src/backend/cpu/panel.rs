//! Activations in a workspace: matrices of panels.

use super::element::Element;
use super::isa::Isa;
use super::layout::Operand;
use super::memory::Shared;
use super::micro::{PANEL, STRIP};

/// The activations of up to `capacity` candidates, shared by the threads that work on them.
pub(super) struct Workspace<E> {
    pub(super) elements: Shared<E>,
    /// Candidates that fit; whole panels.
    pub(super) capacity: usize,
    /// Sums that wait for a layer norm; [`Self::waiting`] says where.
    pub(super) waiting: Shared<f32>,
    /// What each candidate takes of its request's products, (capacity); nothing without reuse.
    pub(super) terms: Shared<RowTerms>,
}

/// What a candidate takes of the products of its request's row: `plain + scale · normed + offset · center`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowTerms {
    /// Row among the workspace's requests.
    pub(super) request: u32,
    /// The candidate's own scale of the feature norm, times the request's deviation.
    pub(super) scale: f32,
    /// From the candidate's own mean to the request's, in the candidate's scale.
    pub(super) offset: f32,
}

impl<E> Clone for Workspace<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Workspace<E> {}

impl<E: Element> Workspace<E> {
    /// Sums of the strip that starts at a column of those that wait, (capacity, 32). One row lies between strips: a
    /// candidate's sums of all strips, which are read together, would else share few sets of L1.
    ///
    /// # Safety
    /// The strip is inside what the workspace has room for.
    #[inline(always)]
    pub(super) unsafe fn waiting(&self, column: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.waiting.at(column * (self.capacity + 1)) }
    }

    /// Element index of column 0 of a view in a panel.
    #[inline(always)]
    pub(super) fn panel(&self, operand: Operand, panel: usize) -> usize {
        operand.matrix * self.capacity + (panel * operand.matrix_columns + operand.first) * PANEL
    }

    /// Element index of `(row, column)`, the column a multiple of 16: sixteen values lie there side by side.
    #[inline(always)]
    pub(super) fn index(&self, operand: Operand, row: usize, column: usize) -> usize {
        let line = column / E::LINE * E::LINE;
        self.panel(operand, row / PANEL) + line * PANEL + row % PANEL * E::LINE + column % E::LINE
    }

    /// Sixteen values from `(row, column)` on, the column a multiple of 16.
    ///
    /// # Safety
    /// The row and the columns are inside the operand, which no thread is writing there.
    #[inline(always)]
    pub(super) unsafe fn load<I: Isa>(&self, operand: Operand, row: usize, column: usize) -> [f32; 16] {
        // SAFETY: the caller's promise.
        unsafe { self.load_at::<I>(self.index(operand, row, column)) }
    }

    /// Sixteen values from an element index on.
    ///
    /// # Safety
    /// They are one run of a candidate's columns, inside the workspace, which no thread is writing there.
    #[inline(always)]
    pub(super) unsafe fn load_at<I: Isa>(&self, index: usize) -> [f32; 16] {
        // SAFETY: the caller's promise.
        unsafe { E::widen::<I>(&*self.elements.at(index).cast::<[E; 16]>()) }
    }

    /// Rounds and stores sixteen values from an element index on.
    ///
    /// # Safety
    /// They are one run of a candidate's columns, inside the workspace, and no other thread uses them.
    #[inline(always)]
    pub(super) unsafe fn store_at<I: Isa>(&self, index: usize, values: [f32; 16]) {
        let values = E::narrow::<I>(&values);
        // SAFETY: the caller's promise.
        unsafe { *self.elements.at(index).cast::<[E; 16]>() = values };
    }

    /// Rounds and stores sixteen values from `(row, column)` on, the column a multiple of 16.
    ///
    /// # Safety
    /// The row and the columns are inside the operand, and no other thread uses them.
    #[inline(always)]
    pub(super) unsafe fn store<I: Isa>(
        &self,
        operand: Operand,
        row: usize,
        column: usize,
        values: &[f32; 16],
    ) {
        // SAFETY: the caller's promise.
        unsafe { self.store_at::<I>(self.index(operand, row, column), *values) };
    }

    /// Reads segments of a row, without their padding, into `into`; returns how many values.
    ///
    /// # Safety
    /// As [`Self::load`].
    #[inline(always)]
    pub(super) unsafe fn gather<I: Isa>(
        &self,
        operand: Operand,
        row: usize,
        segments: &[(usize, usize)],
        into: &mut [f32],
    ) -> usize {
        let (mut column, mut len) = (0, 0);
        for &(width, padded) in segments {
            for at in (0..width).step_by(16) {
                // SAFETY: `at` is below the segment's width, the segment inside the operand.
                let values = unsafe { self.load::<I>(operand, row, column + at) };
                let count = 16.min(width - at);
                into[len + at..len + at + count].copy_from_slice(&values[..count]);
            }
            column += padded;
            len += width;
        }
        len
    }

    /// Writes a row's values over its segments, zeros in their padding.
    ///
    /// # Safety
    /// As [`Self::store`].
    #[inline(always)]
    pub(super) unsafe fn scatter<I: Isa>(
        &self,
        operand: Operand,
        row: usize,
        segments: &[(usize, usize)],
        from: &[f32],
    ) {
        let (mut column, mut start) = (0, 0);
        for &(width, padded) in segments {
            for at in (0..padded).step_by(16) {
                let mut values = [0.0; 16];
                let count = 16.min(width.saturating_sub(at));
                values[..count].copy_from_slice(&from[(start + at).min(from.len())..][..count]);
                // SAFETY: `at + 16` is at most `padded`, a multiple of 32, and the segment is inside the operand.
                unsafe { self.store::<I>(operand, row, column + at, &values) };
            }
            column += padded;
            start += width;
        }
    }
}

const _: () = assert!(STRIP.is_multiple_of(16), "a strip is whole runs of sixteen columns");
