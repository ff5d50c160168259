//! From a plan to dispatches: which kernels run, on which buffers, with which tables. Nothing here touches a device;
//! of the device only its limits matter.
//!
//! A step becomes one dispatch wherever WGSL allows. Groups share a dispatch when they read and write the same
//! buffers, since a kernel has one binding for each operand, and while their weights fit one binding. A norm that
//! a plan has in a GEMM's epilogue needs the whole row, which no tile has: the GEMM then leaves its sums in a scratch
//! matrix of f32, and `layer_norm` follows. The same way serves a GEMM that would write a buffer which it also reads.

mod gemm;
mod head;
mod rows;

use crate::batch::Split;
use crate::plan::{Plan, Step};
use crate::{Backend, Error, Result};

use super::pack::Panels;
use super::params::{FeaturizeColumn, GemmColumns, GemmTile, HeadTask, LayerNormColumns, LayerNormGroup};
use super::variants::{ALIGN, PANEL_N, Variant};

/// A matrix of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Matrix {
    /// One of the plan's buffers, in storage type.
    Buffer(usize),
    /// The scratch matrix, f32.
    Scratch,
}

/// One dispatch.
pub(crate) struct Dispatch {
    /// What it does, for timings and messages: `gemm: _backbone._mask_blocks.0._mask_layer.0.weight and 3 more`.
    pub(crate) label: String,
    pub(crate) work: Work,
}

/// A dispatch by kernel, with its tables.
pub(crate) enum Work {
    Featurize {
        output: usize,
        columns: Vec<FeaturizeColumn>,
    },
    Gemm {
        a: usize,
        multiplier: Option<usize>,
        d: Matrix,
        epilogue: u32,
        /// For each of the variant's tiles, the column tiles of all groups.
        tables: [Vec<GemmTile>; 2],
        columns: Vec<GemmColumns>,
        panels: Vec<Panels>,
    },
    LayerNorm {
        input: Matrix,
        output: usize,
        groups: Vec<LayerNormGroup>,
        columns: Vec<LayerNormColumns>,
    },
    Head {
        input: usize,
        first_task: usize,
        last_task: usize,
    },
}

/// All dispatches of a plan, and what they share.
pub(crate) struct Schedule {
    pub(crate) dispatches: Vec<Dispatch>,
    /// The plan's step that each dispatch belongs to.
    pub(crate) steps: Vec<usize>,
    /// Columns of the scratch matrix; a multiple of 4.
    pub(crate) scratch_columns: usize,
    /// The head's tasks in order of dispatch, and their weights.
    pub(crate) tasks: Vec<HeadTask>,
    pub(crate) head_weights: Vec<[f32; 4]>,
}

/// What the device allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one storage binding.
    pub(crate) binding: usize,
    /// Workgroups in one dimension of a dispatch.
    pub(crate) workgroups: usize,
}

pub(crate) fn unsupported(what: String) -> Error {
    Error::Unsupported { backend: Backend::Wgpu, what }
}

impl Schedule {
    /// Lays out a plan for a variant.
    ///
    /// # Errors
    /// A plan with other padding than this backend's, or a matrix whose single row exceeds a binding.
    pub(crate) fn build(plan: &Plan, variant: &Variant, split: &Split, limits: Limits) -> Result<Self> {
        if !plan.align.is_multiple_of(ALIGN) {
            return Err(unsupported(format!(
                "segments padded to {} columns: a multiple of {ALIGN}",
                plan.align
            )));
        }
        let mut schedule = Self {
            dispatches: Vec::new(),
            steps: Vec::new(),
            scratch_columns: 0,
            tasks: Vec::new(),
            head_weights: Vec::new(),
        };
        for (index, step) in plan.steps.iter().enumerate() {
            match step {
                Step::Featurize(featurize) => {
                    schedule.dispatches.push(rows::featurize(plan, featurize, split));
                }
                Step::LayerNorm(groups) => rows::layer_norm(&mut schedule, plan, groups)?,
                Step::Gemm(groups) => gemm::gemm(&mut schedule, plan, index, groups, variant, limits)?,
                Step::Head(head) => head::head(&mut schedule, plan, head),
            }
            schedule.steps.resize(schedule.dispatches.len(), index);
        }
        Ok(schedule)
    }

    /// Rows that one chunk of a batch may have.
    ///
    /// # Errors
    /// A matrix whose single row exceeds a binding.
    pub(crate) fn chunk_rows(
        &self,
        plan: &Plan,
        variant: &Variant,
        limits: Limits,
        max_candidates: usize,
    ) -> Result<usize> {
        let size = variant.storage.size();
        let mut widest = self.scratch_columns * 4;
        for buffer in &plan.buffers {
            widest = widest.max(buffer.columns() * size);
        }
        // All inputs of a candidate as f32, its request's own included, and its entry among the requests.
        widest = widest.max(plan.widths.input_dim() * 4 + 4).max((super::upload::REQUEST_WORDS + 1) * 4);
        widest = widest.max((2 + 3 * plan.head().tasks.len()) * 4);
        let rows = limits.binding / widest.max(1);
        if rows == 0 {
            return Err(unsupported(format!(
                "a row of {widest} bytes: a binding has {} bytes",
                limits.binding
            )));
        }
        Ok(rows.min(limits.workgroups).min(max_candidates).max(1))
    }
}

/// A plan's columns counted in quads.
pub(crate) fn quads(columns: usize) -> u32 {
    debug_assert!(columns.is_multiple_of(4), "{columns} columns are whole quads");
    u32::try_from(columns / 4).unwrap_or(u32::MAX)
}

/// Quads of a panel's row.
pub(crate) const PANEL_QUADS: usize = PANEL_N as usize / 4;
