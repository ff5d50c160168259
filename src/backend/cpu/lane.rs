//! One caller's buffers, and how a call's work is divided.
//!
//! Many candidates: each thread takes blocks of them through the whole model, depth first, in a workspace that stays
//! in its L2 ([`Order::DepthFirst`]). Few: all threads share one workspace and every step's strips, so that the
//! weights are read once ([`Order::ByStep`]). Both compute every output in the same order of additions.
//!
//! [`Order::DepthFirst`]: super::layout::Order::DepthFirst
//! [`Order::ByStep`]: super::layout::Order::ByStep

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::backend::{Call, DeviceCall, Lane, Work as Counted};
use crate::{Backend, Result, Scores};

use super::epilogue::finish_norm;
use super::featurize::{RowScratch, Rows, count_requests};
use super::gemm::{Product, strips};
use super::head::Sink;
use super::isa::{Isa, Work};
use super::layout::Operand;
use super::memory::{Arena, Shared};
use super::micro::{Kernel, PANEL};
use super::panel::{RowTerms, Workspace};
use super::program::{GemmEpilogue, GemmOp, NormOp, Schedule, Task};
use super::scratch::Scratch;
use super::{CpuExecutor, Tuning};

/// Buffers of one caller.
pub(super) struct CpuLane<K: Kernel> {
    executor: Arc<CpuExecutor<K>>,
    threads: Vec<ThreadBuffers<K>>,
    shared: Buffers<K>,
}

struct ThreadBuffers<K: Kernel> {
    scratch: Scratch<K::Operand>,
    own: Option<Buffers<K>>,
}

struct Buffers<K: Kernel> {
    elements: Arena<K::Stored>,
    waiting: Arena<f32>,
    terms: Arena<RowTerms>,
    capacity: usize,
}

impl<K: Kernel> Buffers<K> {
    fn new(schedule: &Schedule, capacity: usize) -> Result<Self> {
        let reuses = schedule.requests.columns > 0;
        let capacity = capacity.max(1).next_multiple_of(PANEL);
        Ok(Self {
            elements: Arena::new(schedule.columns * capacity)?,
            waiting: Arena::new(schedule.waiting * (capacity + 1))?,
            terms: Arena::new(if reuses { capacity } else { 0 })?,
            capacity,
        })
    }

    fn bytes(&self) -> usize {
        size_of_val(self.elements.as_slice())
            + size_of_val(self.waiting.as_slice())
            + size_of_val(self.terms.as_slice())
    }

    fn workspace(&mut self) -> Workspace<K::Stored> {
        Workspace {
            elements: Shared::new(self.elements.as_mut_slice()),
            capacity: self.capacity,
            waiting: Shared::new(self.waiting.as_mut_slice()),
            terms: Shared::new(self.terms.as_mut_slice()),
        }
    }
}

impl<K: Kernel> CpuLane<K> {
    pub(super) fn new(executor: Arc<CpuExecutor<K>>) -> Result<Self> {
        let Tuning { block, shared_block, resident, .. } = executor.tuning;
        let (threads, max) = (executor.threads(), executor.max_candidates);
        let program = &executor.program;
        let shared = Buffers::new(&program.by_step, max.min(shared_block))?;
        let by_blocks = executor.by_blocks(threads, max);
        let threads = (0..threads)
            .map(|_| {
                let own = by_blocks.then(|| Buffers::new(&program.depth_first, max.min(block)));
                let scratch = Scratch::new(program, max.min(block.max(shared_block)), resident)?;
                Ok(ThreadBuffers { scratch, own: own.transpose()? })
            })
            .collect::<Result<_>>()?;
        Ok(Self { executor, threads, shared })
    }
}

impl<K: Kernel> Lane for CpuLane<K> {
    fn bytes(&self) -> (usize, usize) {
        let own = self
            .threads
            .iter()
            .map(|thread| thread.scratch.bytes() + thread.own.as_ref().map_or(0, |buffers| buffers.bytes()));
        (own.sum::<usize>() + self.shared.bytes(), 0)
    }

    fn enqueue(&mut self, _call: &DeviceCall<'_>) -> Result<()> {
        Err(DeviceCall::unsupported(Backend::Cpu))
    }

    fn score(&mut self, call: &Call<'_>, scores: &mut Scores) -> Result<()> {
        let candidates = call.batch.candidates();
        let executor = Arc::clone(&self.executor);
        let sink = Sink::new(scores, call.outputs, candidates, executor.program.head.tasks());
        if candidates == 0 {
            return Ok(());
        }
        let several = self.threads.len() > 1;
        let mut run = || {
            if executor.by_blocks(self.threads.len(), candidates) {
                by_blocks(&executor, &mut self.threads, call, candidates, &sink);
            } else {
                by_step(&executor, &mut self.threads, &mut self.shared, call, candidates, &sink);
            }
        };
        match &executor.pool {
            Some(pool) => pool.install(run),
            // Enter the ambient pool once, not once a phase.
            None if several => rayon::scope(|_| run()),
            None => run(),
        }
        Ok(())
    }
}

/// Runs `work` on each of the threads' buffers, side by side.
fn on_threads<T: Send>(threads: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
    match threads {
        [one] => work(one),
        all => all.par_iter_mut().with_max_len(1).for_each(work),
    }
}

/// Each thread takes block after block through the whole model.
fn by_blocks<K: Kernel>(
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
                for task in schedule.phases.iter().flatten() {
                    let lap = executor.clock.lap();
                    match task {
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

/// All threads share each phase: rows where rows are independent, strips where the weights are.
fn by_step<K: Kernel>(
    executor: &CpuExecutor<K>,
    threads: &mut [ThreadBuffers<K>],
    shared: &mut Buffers<K>,
    call: &Call<'_>,
    candidates: usize,
    sink: &Sink,
) {
    let program = &executor.program;
    let schedule = &program.by_step;
    let capacity = shared.capacity;
    let workspace = shared.workspace();
    for first in (0..candidates).step_by(capacity) {
        let rows = capacity.min(candidates - first);
        let requests = (schedule.requests, count_requests(&call.batch, first, first + rows));
        // SAFETY of all phases: a phase is divided by rows or by strips, each part taken by one thread once; phases
        // follow one another, so that inputs are written.
        let by_rows = |threads: &mut [ThreadBuffers<K>], work: &RowWork<'_, K>| {
            if rows < executor.tuning.rows_worth_sharing {
                work(0..rows, &mut threads[0].scratch);
                return;
            }
            let step = rows.div_ceil(threads.len() * 2).next_multiple_of(PANEL);
            let next = AtomicUsize::new(0);
            on_threads(threads, |thread| {
                loop {
                    let at = next.fetch_add(step, Ordering::Relaxed);
                    if at >= rows {
                        break;
                    }
                    work(at..rows.min(at + step), &mut thread.scratch);
                }
            });
        };
        by_rows(threads, &|part, scratch| {
            // SAFETY: as above.
            unsafe {
                featurize(executor, call, schedule, &workspace, first + part.start, part, scratch, sink)
            };
        });
        for phase in &schedule.phases {
            gemm_phase(executor, phase, &workspace, rows, requests, threads);
            if phase.iter().any(|task| needs_rows(executor, task)) {
                by_rows(threads, &|part, scratch| {
                    for task in phase {
                        let lap = executor.clock.lap();
                        // SAFETY: as above.
                        unsafe {
                            match task {
                                Task::Norm { .. } => {
                                    norm_rows(executor, task, &workspace, part.clone(), scratch);
                                }
                                Task::Gemm { .. } => {
                                    let product = product(executor, task, requests);
                                    let (kernel, part) = (executor.kernel, part.clone());
                                    finish_norm(kernel, &product, &workspace, part, &mut scratch.row);
                                }
                            }
                        }
                        executor.clock.count(lap, task.work());
                    }
                });
            }
        }
        by_rows(threads, &|part, _| {
            // SAFETY: as above.
            unsafe { head(executor, call, schedule, &workspace, first + part.start, part, sink) };
        });
    }
}

/// Work on some rows with a thread's scratch.
type RowWork<'a, K> = dyn Fn(Range<usize>, &mut Scratch<<K as Kernel>::Operand>) + Sync + 'a;

fn needs_rows<K: Kernel>(executor: &CpuExecutor<K>, task: &Task) -> bool {
    match task {
        Task::Norm { .. } => true,
        Task::Gemm { op, .. } => {
            matches!(executor.program.gemms[*op].epilogue, GemmEpilogue::LayerNorm(..))
        }
    }
}

/// The products of a phase, their strips shared by all threads.
fn gemm_phase<K: Kernel>(
    executor: &CpuExecutor<K>,
    phase: &[Task],
    workspace: &Workspace<K::Stored>,
    rows: usize,
    requests: (Operand, usize),
    threads: &mut [ThreadBuffers<K>],
) {
    let kernel = executor.kernel;
    let strips_of = |task: &Task| match task {
        Task::Gemm { op, .. } => executor.program.gemms[*op].strips,
        Task::Norm { .. } => 0,
    };
    let total: usize = phase.iter().map(strips_of).sum();
    if total == 0 {
        return;
    }
    let step = (total / (threads.len() * executor.tuning.shares)).max(1);
    let next = AtomicUsize::new(0);
    on_threads(threads, |thread| {
        let session = kernel.session(rows);
        loop {
            let start = next.fetch_add(step, Ordering::Relaxed);
            if start >= total {
                break;
            }
            let end = total.min(start + step);
            let mut base = 0;
            for task in phase {
                let count = strips_of(task);
                let own = start.max(base)..end.min(base + count);
                if own.start < own.end {
                    let lap = executor.clock.lap();
                    let product = product(executor, task, requests);
                    let own = own.start - base..own.end - base;
                    let resident = executor.tuning.resident;
                    // SAFETY: these strips were taken by this thread alone; the phases before wrote the inputs.
                    unsafe {
                        strips(kernel, &product, workspace, own, rows, resident, &mut thread.scratch);
                    }
                    executor.clock.count(lap, task.work());
                }
                base += count;
            }
        }
        drop(session);
    });
}

fn product<'a, K: Kernel>(
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
unsafe fn featurize<K: Kernel>(
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
unsafe fn head<K: Kernel>(
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
unsafe fn norm_rows<K: Kernel>(
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
