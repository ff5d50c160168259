//! Many candidates: each thread takes blocks of them through the whole model, depth first, in a workspace that stays
//! in its L2 ([`Order::DepthFirst`]).
//!
//! [`Order::DepthFirst`]: super::layout::Order::DepthFirst

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::Call;

use super::CpuExecutor;
use super::epilogue::finish_norm;
use super::featurize::count_requests;
use super::gemm::{Product, chunk_of, strips};
use super::head::Sink;
use super::lane::{ThreadBuffers, on_threads};
use super::layout::Operand;
use super::micro::{Kernel, PANEL, STRIP};
use super::operations::{featurize, head, norm_rows, product};
use super::panel::Workspace;
use super::program::Task;
use super::scratch::Scratch;

/// Each thread takes block after block through the whole model.
pub(super) fn by_blocks<K: Kernel>(
    executor: &CpuExecutor<K>,
    threads: &mut [ThreadBuffers<K>],
    call: &Call<'_>,
    candidates: usize,
    sink: &Sink,
) {
    let (program, kernel) = (&executor.program, executor.kernel);
    let schedule = &program.depth_first;
    let panels = candidates.div_ceil(PANEL);
    // As many blocks as keep every thread equally busy, none larger than a workspace.
    let rounds = panels.div_ceil(executor.tuning.block / PANEL * threads.len());
    let blocks = rounds * threads.len();
    let bound = |block: usize| (block * panels / blocks * PANEL).min(candidates);
    let next = AtomicUsize::new(0);
    on_threads(threads, |thread| {
        let ThreadBuffers { scratch, own: Some(own) } = thread else {
            unreachable!("a lane that works by blocks has a workspace for each thread")
        };
        let workspace = own.workspace();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                break;
            }
            let (first, end) = (bound(block), bound(block + 1));
            let rows = end - first;
            let session = kernel.session(rows);
            let requests = (schedule.requests, count_requests(&call.batch, first, end));
            // SAFETY: the workspace is this thread's alone, and so are the candidates of a block that only this
            // thread took; operations run in the schedule's order, so inputs are written.
            unsafe {
                featurize(executor, call, schedule, &workspace, first, 0..rows, scratch, sink);
                let mut tasks = schedule.phases.iter().flatten();
                while let Some(task) = tasks.next() {
                    let lap = executor.clock.lap();
                    match *task {
                        Task::Norm { .. } => norm_rows(executor, task, &workspace, 0..rows, scratch),
                        Task::Gemm { passes_on: true, .. } if rows > TOGETHER => {
                            let next =
                                tasks.next().unwrap_or_else(|| unreachable!("it is passed on to the next"));
                            passed_on(executor, [task, next], &workspace, rows, scratch);
                            continue;
                        }
                        Task::Gemm { .. } => {
                            let product = product(executor, task, requests);
                            let (all, resident) = (0..product.op.strips, executor.tuning.resident);
                            strips(kernel, &product, &workspace, all, rows, resident, scratch);
                            finish_norm(kernel, &product, &workspace, 0..rows, &mut scratch.row);
                        }
                    }
                    executor.clock.count(lap, task.work());
                }
                head(executor, call, schedule, &workspace, first, 0..rows, sink);
            }
            drop(session);
        }
    });
}

/// Chunks of K that are passed on at a time: with all the sums that they are added to, what L2 holds of 256 candidates.
const PASSED_ON: usize = 4;

/// Candidates up to which what one product gives the next stays in L2 as a whole.
const TOGETHER: usize = 64;

/// A product and the next, which reads all of its output and nothing else: a part of the one's columns, then that part
/// of the other's K, so that these columns never leave L2, and neither do the sums that wait.
///
/// # Safety
/// As [`strips`] and [`finish_norm`] of both; the first one's input is written, and nothing else reads its output.
unsafe fn passed_on<K: Kernel>(
    executor: &CpuExecutor<K>,
    tasks: [&Task; 2],
    workspace: &Workspace<K::Stored>,
    rows: usize,
    scratch: &mut Scratch<K::Operand>,
) {
    let (kernel, resident, clock) = (executor.kernel, executor.tuning.resident, &executor.clock);
    let [made, read] = tasks.map(|task| product(executor, task, (Operand::default(), 0)));
    let depth = read.op.depth;
    let part = chunk_of::<K>(depth, rows) * PASSED_ON;
    for start in (0..depth).step_by(part) {
        let columns = start..depth.min(start + part);
        let (made, read) =
            (Product { output_from: start, ..made }, Product { depth: (start, columns.end), ..read });
        let own = columns.start / STRIP..columns.end / STRIP;
        // SAFETY: the caller's promise; the second reads what the first has just written.
        unsafe {
            let lap = clock.lap();
            strips(kernel, &made, workspace, own, rows, resident, scratch);
            clock.count(lap, tasks[0].work());
            let lap = clock.lap();
            strips(kernel, &read, workspace, 0..read.op.strips, rows, resident, scratch);
            clock.count(lap, tasks[1].work());
        }
    }
    let lap = clock.lap();
    // SAFETY: the caller's promise; all of the sums are there.
    unsafe { finish_norm(kernel, &read, workspace, 0..rows, &mut scratch.row) };
    clock.count(lap, tasks[1].work());
}
