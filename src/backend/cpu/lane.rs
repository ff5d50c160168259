//! One caller's buffers, and how a call's work is divided.
//!
//! Many candidates: each thread takes blocks of them through the whole model, depth first, in a workspace that stays
//! in its L2 ([`Order::DepthFirst`]). Few: all threads share one workspace and every step's strips, so that the
//! weights are read once ([`Order::ByStep`]). Both compute every output in the same order of additions.
//!
//! [`Order::DepthFirst`]: super::layout::Order::DepthFirst
//! [`Order::ByStep`]: super::layout::Order::ByStep

use std::sync::Arc;

use rayon::prelude::*;

use crate::backend::{Call, DeviceCall, Lane};
use crate::{Backend, Result, Scores};

use super::blocks::by_blocks;
use super::head::Sink;
use super::memory::{Arena, Shared};
use super::micro::{Kernel, PANEL};
use super::panel::{RowTerms, Workspace};
use super::program::Schedule;
use super::scratch::Scratch;
use super::stages::{Stage, by_step};
use super::{CpuExecutor, Tuning};

/// Buffers of one caller.
pub(super) struct CpuLane<K: Kernel> {
    executor: Arc<CpuExecutor<K>>,
    threads: Vec<ThreadBuffers<K>>,
    shared: Buffers<K>,
    stages: Vec<Stage>,
}

/// Buffers of one of its threads.
pub(super) struct ThreadBuffers<K: Kernel> {
    pub(super) scratch: Scratch<K::Operand>,
    /// Where it takes candidates of its own.
    pub(super) own: Option<Buffers<K>>,
}

/// A workspace's memory.
pub(super) struct Buffers<K: Kernel> {
    elements: Arena<K::Stored>,
    waiting: Arena<f32>,
    terms: Arena<RowTerms>,
    pub(super) capacity: usize,
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

    pub(super) fn workspace(&mut self) -> Workspace<K::Stored> {
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
        let stages = Stage::all(&executor.program.by_step);
        Ok(Self { executor, threads, shared, stages })
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
                let (threads, shared) = (&mut self.threads, &mut self.shared);
                by_step(&executor, threads, shared, &mut self.stages, call, candidates, &sink);
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
pub(super) fn on_threads<T: Send>(threads: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
    match threads {
        [one] => work(one),
        all => all.par_iter_mut().with_max_len(1).for_each(work),
    }
}
