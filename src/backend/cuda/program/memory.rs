//! A lane's device memory: activations, scratch, inputs and outputs of one batch.

use crate::backend::Options;
use crate::backend::staged::Layout;
use crate::plan::{Epilogue, Plan, Step};

use super::super::element;
use super::super::layout::{Arena, Region};
use super::super::tile::tiles;
use super::once::{Once, OnceMemory};

/// Regions of a lane.
pub(crate) struct LaneMemory {
    arena: Arena,
    /// The plan's buffers, (max_candidates, columns).
    pub(super) buffers: Vec<Region>,
    /// f32 sums before an epilogue's norm; groups of one step follow each other, steps share it.
    pub(super) scratch: Region,
    /// One counter a group and row of tiles; zero between launches.
    pub(crate) tickets: Region,
    /// Number of candidates.
    pub(super) rows: Region,
    /// Status words, (max_candidates).
    pub(crate) status: Region,
    /// (max_candidates).
    pub(crate) score: Region,
    /// (max_candidates, tasks): after the affine map.
    pub(crate) logits: Region,
    /// (max_candidates, tasks).
    pub(crate) probabilities: Region,
    /// (max_candidates, tasks).
    pub(crate) calibrated: Region,
    /// Whatever `staging` packs.
    pub(crate) inputs: Region,
    /// What is computed once a request.
    pub(super) once: Option<OnceMemory>,
}

impl LaneMemory {
    pub(super) fn new(plan: &Plan, options: &Options, once: Option<Once>) -> Self {
        let (max, size) = (options.max_candidates, element::bytes(options.precision));
        let mut arena = Arena::default();
        let buffers = plan.buffers.iter().map(|buffer| arena.push(max * buffer.columns() * size)).collect();
        let scratch_columns = plan.steps.iter().map(|step| scratch_columns(plan, step)).max().unwrap_or(0);
        let scratch = arena.push(max * scratch_columns * size_of::<f32>());
        let groups =
            plan.steps.iter().map(|step| if let Step::Gemm(groups) = step { groups.len() } else { 0 });
        let smallest = tiles(options.precision)[2].m;
        let tickets = arena.push(groups.max().unwrap_or(0) * max.div_ceil(smallest) * size_of::<u32>());
        let tasks = plan.head().tasks.len();
        let rows = arena.push(size_of::<u32>());
        let status = arena.push(max * size_of::<u32>());
        let score = arena.push(max * size_of::<f32>());
        let logits = arena.push(max * tasks * size_of::<f32>());
        let probabilities = arena.push(max * tasks * size_of::<f32>());
        let calibrated = arena.push(max * tasks * size_of::<f32>());
        let precision = options.precision;
        let once = once.map(|once| OnceMemory::new(plan, once, precision, max, &mut arena));
        let inputs = arena.push(Layout::max_bytes(plan.widths, &options.split, max));
        Self {
            arena,
            buffers,
            scratch,
            tickets,
            rows,
            status,
            score,
            logits,
            probabilities,
            calibrated,
            inputs,
            once,
        }
    }

    /// Logits, probabilities, calibrated probabilities.
    pub(crate) fn per_task(&self) -> [Region; 3] {
        [self.logits, self.probabilities, self.calibrated]
    }

    /// Bytes of a lane's allocation.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.bytes()
    }
}

/// Columns of f32 sums that a step's norms need.
fn scratch_columns(plan: &Plan, step: &Step) -> usize {
    let Step::Gemm(groups) = step else { return 0 };
    let normed = groups.iter().filter(|group| matches!(group.epilogue, Epilogue::BiasLayerNorm(_)));
    normed.map(|group| plan.padded(group.output)).sum()
}
