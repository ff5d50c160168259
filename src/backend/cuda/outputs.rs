//! Where a call's outputs are: on the device, and in pinned memory on their way to the caller.

use crate::scores::{Outputs, Scores, Status};

use super::layout::{Arena, Region};
use super::program::{HeadOutputs, Place, Program};

/// Where outputs lie in pinned memory.
pub(super) struct OutputLayout {
    pub(super) status: Region,
    pub(super) score: Region,
    pub(super) per_task: [Region; 3],
    pub(super) bytes: usize,
}

impl OutputLayout {
    pub(super) fn new(program: &Program) -> Self {
        let mut arena = Arena::default();
        let status = arena.push(program.lane.status.bytes);
        let score = arena.push(program.lane.score.bytes);
        let per_task = program.lane.per_task().map(|region| arena.push(region.bytes));
        Self { status, score, per_task, bytes: arena.bytes() }
    }

    /// Outputs out of pinned memory.
    pub(super) fn read(&self, pinned: &[u8], scores: &mut Scores) {
        let read = |from: Region, into: &mut [f32]| {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(into);
            bytes.copy_from_slice(&pinned[from.offset..from.offset + bytes.len()]);
        };
        read(self.score, &mut scores.scores);
        let per_task = [&mut scores.logits, &mut scores.probabilities, &mut scores.calibrated_probabilities];
        for (from, into) in self.per_task.into_iter().zip(per_task) {
            read(from, into);
        }
        let statuses = pinned[self.status.offset..].chunks_exact(size_of::<u32>());
        for (status, word) in scores.statuses.iter_mut().zip(statuses) {
            *status = match word {
                [0, ..] => Status::Ok,
                [1, ..] => Status::ZeroVariance,
                _ => Status::NonFinite,
            };
        }
    }
}

/// Which outputs a task a call asks for: logits, probabilities, calibrated ones.
pub(super) fn wanted(outputs: Outputs) -> [bool; 3] {
    [outputs.logits, outputs.probabilities, outputs.calibrated_probabilities]
}

/// Where the outputs of a batch's rows from `first` on go.
pub(super) fn head_outputs(program: &Program, place: Place, first: usize, outputs: Outputs) -> HeadOutputs {
    let tasks = program.plan().head().tasks.len();
    let at =
        |region: Region, columns: usize| region.at(place.lane) + (first * columns * size_of::<f32>()) as u64;
    let mut per_task = program.lane.per_task().map(|region| at(region, tasks));
    for (address, wanted) in per_task.iter_mut().zip(wanted(outputs)) {
        if !wanted {
            *address = 0;
        }
    }
    HeadOutputs { status: at(program.lane.status, 1), score: at(program.lane.score, 1), per_task }
}
