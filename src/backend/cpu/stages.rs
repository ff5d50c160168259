//! Few candidates: all threads share one workspace and every step's strips, so that the weights are read once
//! ([`Order::ByStep`]).
//!
//! A call is a row of stages, rows where rows are independent and strips where the weights are. Threads take parts of a
//! stage until none is left, wait for those that others have taken, and go on to the next. A thread that comes late
//! joins where the others are; one that never comes is not missed.
//!
//! [`Order::ByStep`]: super::layout::Order::ByStep

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::Call;

use super::CpuExecutor;
use super::epilogue::finish_norm;
use super::featurize::count_requests;
use super::gemm::strips;
use super::head::Sink;
use super::lane::{Buffers, ThreadBuffers, on_threads};
use super::layout::Operand;
use super::micro::{Kernel, PANEL};
use super::operations::{featurize, head, norm_rows, product};
use super::panel::Workspace;
use super::program::{GemmEpilogue, Schedule, Task};
use super::scratch::Scratch;

/// What a thread that waits does before it lets others run: some microseconds, less than it takes to be woken.
const SPINS: usize = 100;

/// How far a stage is.
#[derive(Debug, Default)]
pub(super) struct Stage {
    taken: AtomicUsize,
    done: AtomicUsize,
}

/// A part that is done when this is dropped: after a panic too, so that nobody waits for it.
struct Part<'a>(&'a Stage, usize);

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.0.done.fetch_add(self.1, Ordering::Release);
    }
}

impl Stage {
    /// Those of a schedule: featurization, products and rows of each phase, head.
    pub(super) fn all(schedule: &Schedule) -> Vec<Self> {
        std::iter::repeat_with(Self::default).take(2 + 2 * schedule.phases.len()).collect()
    }

    /// Does parts of `total` pieces of work, multiples of `least`, until none is left; returns when all are done.
    ///
    /// Parts become smaller, so that threads end together.
    fn join(&self, total: usize, least: usize, threads: usize, mut work: impl FnMut(Range<usize>)) {
        // Three quarters of a thread's share of what is left: each part of a product reads all of A once more.
        let share = |left: usize| (3 * left / (4 * threads)).max(1).next_multiple_of(least);
        let end = |at: usize| total.min(at + share(total - at));
        let take = |at: usize| (at < total).then(|| end(at));
        while let Ok(start) = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            let part = Part(self, end(start) - start);
            work(start..end(start));
            drop(part);
        }
        let mut spins = 0;
        // What the parts wrote is seen here.
        while self.done.load(Ordering::Acquire) < total {
            match spins < SPINS {
                true => std::hint::spin_loop(),
                false => std::thread::yield_now(),
            }
            spins += 1;
        }
    }
}

/// All threads share each phase.
pub(super) fn by_step<K: Kernel>(
    executor: &CpuExecutor<K>,
    threads: &mut [ThreadBuffers<K>],
    shared: &mut Buffers<K>,
    stages: &mut [Stage],
    call: &Call<'_>,
    candidates: usize,
    sink: &Sink,
) {
    let (kernel, schedule) = (executor.kernel, &executor.program.by_step);
    let (capacity, count) = (shared.capacity, threads.len());
    let workspace = shared.workspace();
    for first in (0..candidates).step_by(capacity) {
        let rows = capacity.min(candidates - first);
        let requests = (schedule.requests, count_requests(&call.batch, first, first + rows));
        stages.iter_mut().for_each(|stage| *stage = Stage::default());
        let least = if rows < executor.tuning.rows_worth_sharing { rows } else { PANEL };
        let stages = &*stages;
        on_threads(threads, |ThreadBuffers { scratch, .. }| {
            let session = kernel.session(rows);
            let (ends, phases) = stages.split_at(2);
            // SAFETY of all stages: a stage is divided by rows or by strips, each part taken by one thread once; stages
            // follow one another, so that inputs are written.
            ends[0].join(rows, least, count, |part| {
                // SAFETY: as above.
                unsafe {
                    featurize(executor, call, schedule, &workspace, first + part.start, part, scratch, sink)
                };
            });
            for (phase, stages) in schedule.phases.iter().zip(phases.chunks_exact(2)) {
                let strips: usize = phase.iter().map(|task| strips_of(executor, task)).sum();
                stages[0].join(strips, 1, count, |part| {
                    // SAFETY: as above.
                    unsafe { products(executor, phase, &workspace, part, rows, requests, scratch) };
                });
                if phase.iter().any(|task| needs_rows(executor, task)) {
                    stages[1].join(rows, least, count, |part| {
                        // SAFETY: as above.
                        unsafe { norms(executor, phase, &workspace, &part, requests, scratch) };
                    });
                }
            }
            ends[1].join(rows, least, count, |part| {
                // SAFETY: as above.
                unsafe { head(executor, call, schedule, &workspace, first + part.start, part, sink) };
            });
            drop(session);
        });
    }
}

fn strips_of<K: Kernel>(executor: &CpuExecutor<K>, task: &Task) -> usize {
    match task {
        Task::Gemm { op, .. } => executor.program.gemms[*op].strips,
        Task::Norm { .. } => 0,
    }
}

fn needs_rows<K: Kernel>(executor: &CpuExecutor<K>, task: &Task) -> bool {
    match task {
        Task::Norm { .. } => true,
        Task::Gemm { op, .. } => {
            matches!(executor.program.gemms[*op].epilogue, GemmEpilogue::LayerNorm(..))
        }
    }
}

/// Strips of a phase, counted through its products.
///
/// # Safety
/// These strips are the thread's alone, the phases before are done, and a session of the thread lives.
unsafe fn products<K: Kernel>(
    executor: &CpuExecutor<K>,
    phase: &[Task],
    workspace: &Workspace<K::Stored>,
    part: Range<usize>,
    rows: usize,
    requests: (Operand, usize),
    scratch: &mut Scratch<K::Operand>,
) {
    let mut base = 0;
    for task in phase {
        let count = strips_of(executor, task);
        let own = part.start.max(base)..part.end.min(base + count);
        if own.start < own.end {
            let lap = executor.clock.lap();
            let product = product(executor, task, requests);
            let own = own.start - base..own.end - base;
            let (kernel, resident) = (executor.kernel, executor.tuning.resident);
            // SAFETY: the caller's promise.
            unsafe { strips(kernel, &product, workspace, own, rows, resident, scratch) };
            executor.clock.count(lap, task.work());
        }
        base += count;
    }
}

/// Rows of a phase's norms.
///
/// # Safety
/// These rows are the thread's alone, and their inputs, or sums that wait, are written.
unsafe fn norms<K: Kernel>(
    executor: &CpuExecutor<K>,
    phase: &[Task],
    workspace: &Workspace<K::Stored>,
    part: &Range<usize>,
    requests: (Operand, usize),
    scratch: &mut Scratch<K::Operand>,
) {
    for task in phase {
        let lap = executor.clock.lap();
        // SAFETY: the caller's promise.
        unsafe {
            match task {
                Task::Norm { .. } => norm_rows(executor, task, workspace, part.clone(), scratch),
                Task::Gemm { .. } => {
                    let product = product(executor, task, requests);
                    finish_norm(executor.kernel, &product, workspace, part.clone(), &mut scratch.row);
                }
            }
        }
        executor.clock.count(lap, task.work());
    }
}
