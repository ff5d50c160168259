//! Few candidates: the weights are read from memory once, and nothing else takes time.

use std::ops::Range;
use std::ptr;

use super::element::Element;
use super::layout::Operand;
use super::micro::{Kernel, PANEL};
use super::panel::Workspace;

/// Lines of a few candidates, side by side, and the column that they begin with.
pub(super) struct Few<O> {
    pub(super) lines: *const O,
    pub(super) first: usize,
}

impl<O> Clone for Few<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Few<O> {}

/// Gathers the lines of few candidates out of their panel, which is mostly empty then; none where there are more.
///
/// # Safety
/// The operand lies in the workspace, these rows and columns of it are written.
pub(super) unsafe fn gather<K: Kernel>(
    workspace: &Workspace<K::Stored>,
    operand: Operand,
    columns: Range<usize>,
    rows: usize,
    into: &mut [K::Operand],
) -> Option<Few<K::Operand>> {
    let line = K::Stored::LINE;
    if rows == 0 || rows > K::FEW || !columns.start.is_multiple_of(line) {
        return None;
    }
    assert!(size_of::<K::Stored>() == size_of::<K::Operand>(), "gathered as stored");
    assert!(into.len() >= columns.len() * rows && columns.end.is_multiple_of(line), "room to gather lines");
    for (at, column) in columns.clone().step_by(line).enumerate() {
        let from = workspace.panel(operand, 0) + column * PANEL;
        // SAFETY: `rows` lines of the panel, at most 16, by the caller's promise; room for them was asserted, and both
        // types are the same size, plain numbers.
        unsafe {
            let to = into.as_mut_ptr().add(at * rows * line).cast::<K::Stored>();
            ptr::copy_nonoverlapping(workspace.elements.at(from), to, rows * line);
        }
    }
    Some(Few { lines: into.as_ptr(), first: columns.start })
}
