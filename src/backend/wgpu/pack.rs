//! Weights and constants in the layouts that the shaders read.
//!
//! A weight is cut into panels of [`PANEL_N`] columns of D (rows of W), each stored as (K, PANEL_N): a K-step of a
//! tile is contiguous, and a quad holds four neighbouring columns. Columns and K-entries that are padding of the
//! views are zeros. Values are rounded once, from f64.

use rayon::prelude::*;

use crate::plan::{GemmGroup, Plan, View};
use crate::weights::round::{bf16_of, f16_of};

use super::variants::{PANEL_N, Storage};

/// Consecutive panels of one group's weight.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    /// The group's step in the plan, and its place there.
    pub(crate) step: usize,
    pub(crate) group: usize,
    /// First panel, and how many.
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// What an output column or a K-entry of a view holds: the index of a value, or padding.
pub(crate) fn column_values(plan: &Plan, view: View) -> Vec<Option<usize>> {
    let indices: Vec<Option<usize>> = (0..plan.width(view)).map(Some).collect();
    let mut spread = vec![None; plan.padded(view)];
    plan.spread(view, &indices, &mut spread);
    spread
}

/// Rounds one value to storage, little-endian.
pub(crate) fn write(storage: Storage, value: f64, into: &mut [u8]) {
    match storage {
        Storage::F32 => into.copy_from_slice(&(value as f32).to_le_bytes()),
        Storage::F16Native | Storage::F16Packed => into.copy_from_slice(&f16_of(value).to_le_bytes()),
        Storage::Bf16 => into.copy_from_slice(&bf16_of(value).to_le_bytes()),
    }
}

/// A weight as the shaders see it: padding included.
pub(crate) struct Source<'a> {
    /// K, padding included.
    pub(crate) depth: usize,
    /// For each column of D, the row of W that makes it; none is padding.
    pub(crate) outputs: Vec<Option<usize>>,
    /// Writes a row of W, (depth), zeros where K is padding.
    pub(crate) row: &'a (dyn Fn(usize, &mut [f64]) + Sync),
}

/// Packs panels of a plan's layer, one after another, into `into` (count · K · PANEL_N elements).
pub(crate) fn pack_group(plan: &Plan, group: &GemmGroup, panels: &Panels, storage: Storage, into: &mut [u8]) {
    let linear = &group.linear;
    let row = |out: usize, spread: &mut [f64]| {
        let mut row = vec![0.0; linear.in_features];
        linear.row(out, &mut row);
        plan.spread(group.input, &row, spread);
    };
    let source =
        Source { depth: plan.padded(group.input), outputs: column_values(plan, group.output), row: &row };
    pack(&source, panels.first, storage, into);
}

/// Packs as many panels as `into` holds, from panel `first` on, on the ambient pool.
pub(crate) fn pack(source: &Source<'_>, first: usize, storage: Storage, into: &mut [u8]) {
    let width = PANEL_N as usize;
    let size = storage.size();
    into.par_chunks_exact_mut(source.depth * width * size).enumerate().for_each(|(i, panel)| {
        panel.fill(0);
        let mut row = vec![0.0; source.depth];
        for column in 0..width {
            let Some(&Some(out)) = source.outputs.get((first + i) * width + column) else { continue };
            (source.row)(out, &mut row);
            let cells = panel[column * size..].chunks_mut(width * size);
            for (cell, &value) in cells.zip(&row) {
                write(storage, value, &mut cell[..size]);
            }
        }
    });
}

/// Groups values of a view's columns in fours, padding as `default`.
pub(crate) fn quads(values: impl Iterator<Item = f32>) -> Vec<[f32; 4]> {
    let values: Vec<f32> = values.collect();
    values.chunks(4).map(|quad| std::array::from_fn(|i| quad.get(i).copied().unwrap_or(0.0))).collect()
}
