//! Operations of a schedule on a workspace, as threads call them: each on rows or strips that are the thread's alone.

use std::ops::Range;

use crate::backend::{Call, Work as Counted};

use super::CpuExecutor;
use super::featurize::{RowScratch, Rows};
use super::gemm::Product;
use super::head::Sink;
use super::isa::{Isa, Work};
use super::layout::Operand;
use super::micro::Kernel;
use super::panel::Workspace;
use super::program::{GemmOp, NormOp, Schedule, Task};
use super::scratch::Scratch;

pub(super) fn product<'a, K: Kernel>(
    executor: &'a CpuExecutor<K>,
    task: &Task,
    requests: (Operand, usize),
) -> Product<'a, K::Stored> {
    match *task {
        Task::Gemm { op, input, output, by, waiting } => {
            let op: &GemmOp = &executor.program.gemms[op];
            let weights = executor.program.weights.as_slice();
            Product { op, weights, input, output, by, waiting, requests }
        }
        Task::Norm { .. } => unreachable!("callers pass products"),
    }
}

/// # Safety
/// As [`super::featurize::Featurizer::rows`].
#[expect(clippy::too_many_arguments, reason = "where rows come from and where they go")]
pub(super) unsafe fn featurize<K: Kernel>(
    executor: &CpuExecutor<K>,
    call: &Call<'_>,
    schedule: &Schedule,
    workspace: &Workspace<K::Stored>,
    first: usize,
    rows: Range<usize>,
    scratch: &mut Scratch<K::Operand>,
    sink: &Sink,
) {
    let scratch =
        RowScratch { row: &mut scratch.row, dense: &mut scratch.dense, ordered: &mut scratch.ordered };
    let rows = Rows {
        batch: &call.batch,
        first,
        rows,
        workspace,
        x: schedule.x,
        requests: schedule.requests,
        scratch,
        statuses: sink.statuses,
    };
    let lap = executor.clock.lap();
    // SAFETY: the caller's promise.
    unsafe { executor.program.featurize.rows(executor.kernel.isa(), rows) };
    executor.clock.count(lap, Counted::Featurize);
}

/// # Safety
/// As [`super::head::HeadOp::rows`].
pub(super) unsafe fn head<K: Kernel>(
    executor: &CpuExecutor<K>,
    call: &Call<'_>,
    schedule: &Schedule,
    workspace: &Workspace<K::Stored>,
    first: usize,
    rows: Range<usize>,
    sink: &Sink,
) {
    let (isa, head) = (executor.kernel.isa(), &executor.program.head);
    let lap = executor.clock.lap();
    // SAFETY: the caller's promise.
    unsafe { head.rows(isa, workspace, &schedule.head, rows, first, call.weights, call.calibrated, sink) };
    executor.clock.count(lap, Counted::Head);
}

/// # Safety
/// The input's rows are written, the output's are this thread's.
pub(super) unsafe fn norm_rows<K: Kernel>(
    executor: &CpuExecutor<K>,
    task: &Task,
    workspace: &Workspace<K::Stored>,
    rows: Range<usize>,
    scratch: &mut Scratch<K::Operand>,
) {
    let Task::Norm { op, input, output } = *task else { return };
    let op = &executor.program.norms[op];
    executor.kernel.isa().run(NormRows::<K> { op, input, output, workspace, rows, row: &mut scratch.row });
}

/// [`norm_rows`], whose promises are those of whoever makes one.
struct NormRows<'a, K: Kernel> {
    op: &'a NormOp,
    input: Operand,
    output: Operand,
    workspace: &'a Workspace<K::Stored>,
    rows: Range<usize>,
    /// Room for one row.
    row: &'a mut [f32],
}

impl<K: Kernel> Work for NormRows<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { op, input, output, workspace, rows, row: room } = self;
        for row in rows {
            // SAFETY: the segments are the operands' own; the maker's promise.
            unsafe {
                let len = workspace.gather::<K::Isa>(input, row, &op.segments, room);
                let values = &mut room[..len];
                op.norm.apply::<K::Isa>(values);
                workspace.scatter::<K::Isa>(output, row, &op.segments, values);
            }
        }
    }
}
