//! What one thread needs besides a workspace.

use crate::Result;

use super::element::Element;
use super::gemm::GROUP_SUMS;
use super::memory::Arena;
use super::micro::{Kernel, PANEL, STRIP};
use super::program::Program;

/// A thread's scratch; allocated with its lane.
pub(super) struct Scratch<O> {
    /// Sums of one strip, (candidates, 32); of a group of strips, where K goes in parts.
    pub(super) sums: Arena<f32>,
    /// Sums of one strip for rows of requests: normed columns, (requests, 32), then plain ones; empty without reuse.
    pub(super) request_sums: Arena<f32>,
    /// A chunk of A, widened; empty where the kernel reads what is stored.
    pub(super) a: Arena<O>,
    /// A chunk of B, widened.
    pub(super) b: Arena<O>,
    /// Lines of a few candidates, gathered; empty for kernels that take whole panels only.
    pub(super) few: Arena<O>,
    /// One row of any operation.
    pub(super) row: Vec<f32>,
    /// One row of continuous and binary features.
    pub(super) dense: Vec<f32>,
    /// One row of `x` in the plan's order; empty without reuse.
    pub(super) ordered: Vec<f32>,
}

impl<O: Element> Scratch<O> {
    /// Bytes of all.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.sums.as_slice())
            + size_of_val(self.request_sums.as_slice())
            + size_of_val(self.a.as_slice())
            + size_of_val(self.b.as_slice())
            + size_of_val(self.few.as_slice())
            + (self.row.len() + self.dense.len() + self.ordered.len()) * size_of::<f32>()
    }

    /// For up to `capacity` candidates, of whose rows `resident` elements stay in cache.
    pub(super) fn new<K: Kernel<Operand = O>>(
        program: &Program<K>,
        capacity: usize,
        resident: usize,
    ) -> Result<Self> {
        let in_parts = program.gemms.iter().any(|gemm| gemm.depth * capacity > resident);
        let deepest = program.gemms.iter().map(|gemm| gemm.depth).max().unwrap_or(0);
        let (widest, dense) = (program.widest, program.featurize.dense_width());
        Self::sized::<K>(capacity, in_parts, deepest, (widest, dense), program.reused > 0)
    }

    #[cfg(test)]
    pub(super) fn for_tests<K: Kernel<Operand = O>>(capacity: usize) -> Self {
        Self::sized::<K>(capacity, true, 1 << 13, (0, 0), true).expect("a test's scratch is small")
    }

    fn sized<K: Kernel<Operand = O>>(
        capacity: usize,
        in_parts: bool,
        deepest: usize,
        (widest, dense): (usize, usize),
        reuses: bool,
    ) -> Result<Self> {
        let widens = size_of::<K::Stored>() != size_of::<O>();
        let widened = |len: usize| Arena::new(if widens { len * K::CHUNK } else { 0 });
        let sums = capacity.next_multiple_of(PANEL * K::PANELS) * STRIP;
        let group = if in_parts { GROUP_SUMS } else { 0 };
        Ok(Self {
            // Of two strips, and what keeps them apart.
            sums: Arena::new((2 * sums + STRIP).max(group))?,
            request_sums: Arena::new(if reuses { 2 * sums } else { 0 })?,
            a: widened(PANEL)?,
            b: widened(STRIP)?,
            few: Arena::new(K::FEW * deepest)?,
            row: vec![0.0; widest],
            dense: vec![0.0; dense],
            ordered: vec![0.0; if reuses { widest } else { 0 }],
        })
    }
}
