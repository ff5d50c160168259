//! Many candidates: each thread takes blocks of them through the whole model, depth first, in a workspace that stays
//! in its L2 ([`Order::DepthFirst`]).
//!
//! [`Order::DepthFirst`]: super::layout::Order::DepthFirst

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::Call;

use super::CpuExecutor;
use super::epilogue::finish_norm;
use super::featurize::count_requests;
use super::gemm::strips;
use super::head::Sink;
use super::lane::{ThreadBuffers, on_threads};
use super::micro::{Kernel, PANEL};
use super::operations::{featurize, head, norm_rows, product};
use super::program::Task;

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
    // As many blocks as keep every thread equally busy, none larger than a workspace. Larger ones come first: then a
    // thread that has had one more panel than the others has one less in a later round.
    let rounds = panels.div_ceil(executor.tuning.block / PANEL * threads.len());
    let blocks = rounds * threads.len();
    let bound =
        |block: usize| ((block * (panels / blocks) + block.min(panels % blocks)) * PANEL).min(candidates);
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
                for task in schedule.phases.iter().flatten() {
                    let lap = executor.clock.lap();
                    match *task {
                        Task::Norm { .. } => norm_rows(executor, task, &workspace, 0..rows, scratch),
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
