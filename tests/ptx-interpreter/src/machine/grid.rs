//! A launch: blocks in order, on as many CPU threads as there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::block::Block;
use crate::fault::Fault;
use crate::isa::Program;
use crate::memory::{Device, Sync};
use crate::stats::Count;

/// Everything that is fixed during a launch.
pub(crate) struct Grid<'a> {
    pub(crate) program: &'a Program,
    pub(crate) device: &'a Device,
    pub(crate) params: Vec<u8>,
    pub(crate) grid_dim: [u32; 3],
    pub(crate) block_dim: [u32; 3],
    /// Where the dynamic shared memory starts.
    pub(crate) dynamic_base: usize,
    pub(crate) dynamic_bytes: usize,
    /// Addresses of the module's global variables.
    pub(crate) global_vars: Vec<u64>,
    /// Count bank conflicts and sectors.
    pub(crate) detail: bool,
    /// Instructions after which a warp counts as stuck.
    pub(crate) step_limit: u64,
    /// CPU threads.
    pub(crate) workers: usize,
}

impl Grid<'_> {
    /// Threads of a block.
    pub(crate) fn threads(&self) -> u32 {
        self.block_dim.iter().product()
    }

    /// `%tid` of a linear thread index.
    pub(crate) fn thread_index(&self, linear: u32) -> [u32; 3] {
        let [x, y, _] = self.block_dim;
        [linear % x, linear / x % y, linear / x / y]
    }

    pub(crate) fn sync(&self) -> MutexGuard<'_, HashMap<u64, Sync>> {
        self.device.sync.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs all blocks; of several faults, that of the lowest block is reported.
pub(crate) fn run(grid: &Grid<'_>) -> Result<Vec<Count>, Box<Fault>> {
    let blocks: u32 = grid.grid_dim.iter().product();
    let (next, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let fault: Mutex<Option<(u32, Box<Fault>)>> = Mutex::new(None);
    let counts = Mutex::new(vec![Count::default(); grid.program.code.len()]);
    let worker = || {
        let mut block = Block::new(grid);
        loop {
            let i = next.fetch_add(1, Relaxed);
            if i >= blocks || stop.load(Relaxed) {
                break;
            }
            if let Err(f) = block.run(i) {
                stop.store(true, Relaxed);
                let mut first = fault.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(b, _)| i < *b) {
                    *first = Some((i, f));
                }
            }
        }
        let mut total = counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (t, c) in total.iter_mut().zip(&block.env.counts) {
            t.add(c);
        }
    };
    let workers = grid.workers.clamp(1, blocks.max(1) as usize);
    std::thread::scope(|s| {
        for _ in 1..workers {
            s.spawn(worker);
        }
        worker();
    });
    match fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, f)) => Err(f),
        None => Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}
