//! One block: its warps in turn, its barriers, and what they share.

use super::barrier::{BARRIERS, Barrier};
use super::grid::Grid;
use super::regs::{LANES, Trouble, lanes};
use super::warp::{Pause, Warp};
use crate::fault::{Fault, FaultKind, Space};
use crate::memory::Shared;
use crate::stats::{Count, sectors, shared_wavefronts};

/// Instructions that a warp runs before the next one gets its turn.
const QUANTUM: u64 = 4096;

/// What the warps of a block share.
pub(crate) struct Env<'g> {
    pub(crate) grid: &'g Grid<'g>,
    /// Linear block index.
    pub(crate) block: u32,
    /// `%ctaid`.
    pub(crate) index: [u32; 3],
    pub(crate) shared: Shared,
    /// One per instruction.
    pub(crate) counts: Vec<Count>,
}

impl Env<'_> {
    /// Adds one memory request to the statistics.
    #[inline]
    pub(crate) fn measure(&mut self, pc: u32, space: Space, at: &[u64; LANES], m: u32, bytes: u32) {
        let total = u64::from(m.count_ones()) * u64::from(bytes);
        let count = &mut self.counts[pc as usize];
        match space {
            Space::Shared => count.shared_bytes += total,
            Space::Global | Space::Generic => count.global_bytes += total,
            _ => count.other_bytes += total,
        }
        if !self.grid.detail {
            return;
        }
        match space {
            Space::Shared => {
                let (wavefronts, ideal) = shared_wavefronts(lanes(m).map(|l| at[l]), bytes);
                count.shared_requests += 1;
                count.wavefronts += wavefronts;
                count.ideal_wavefronts += ideal;
            }
            Space::Global | Space::Generic => {
                let (touched, ideal) = sectors(lanes(m).map(|l| at[l]), bytes);
                count.global_requests += 1;
                count.sectors += touched;
                count.ideal_sectors += ideal;
            }
            _ => {}
        }
    }
}

/// A block that can be started again and again.
pub(crate) struct Block<'g> {
    warps: Vec<Warp>,
    barriers: [Barrier; BARRIERS],
    pub(crate) env: Env<'g>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Ready,
    Waiting,
    Done,
}

impl<'g> Block<'g> {
    pub(crate) fn new(grid: &'g Grid<'g>) -> Self {
        let warps = (grid.threads() as usize).div_ceil(LANES);
        Self {
            warps: (0..warps).map(|i| Warp::new(i, grid.program)).collect(),
            barriers: Default::default(),
            env: Env {
                grid,
                block: 0,
                index: [0; 3],
                shared: Shared::new(grid.dynamic_base + grid.dynamic_bytes),
                counts: vec![Count::default(); grid.program.code.len()],
            },
        }
    }

    /// Runs one block to its end.
    pub(crate) fn run(&mut self, linear: u32) -> Result<(), Box<Fault>> {
        let [gx, gy, _] = self.env.grid.grid_dim;
        self.env.block = linear;
        self.env.index = [linear % gx, linear / gx % gy, linear / gx / gy];
        self.env.shared.reset();
        self.barriers = Default::default();
        for w in &mut self.warps {
            w.start(&self.env);
        }
        let mut states = vec![State::Ready; self.warps.len()];
        loop {
            let mut ran = false;
            for i in 0..self.warps.len() {
                if states[i] != State::Ready {
                    continue;
                }
                ran = true;
                self.turn(i, &mut states)?;
            }
            if states.iter().all(|s| *s == State::Done) {
                return Ok(());
            }
            if !ran {
                return Err(self.stuck());
            }
        }
    }

    fn turn(&mut self, i: usize, states: &mut [State]) -> Result<(), Box<Fault>> {
        let pause =
            self.warps[i].run(&mut self.env, QUANTUM).map_err(|t| self.fault(i, self.warps[i].cur.pc, *t))?;
        match pause {
            Pause::Done => states[i] = State::Done,
            Pause::Yield => {
                if self.warps[i].steps > self.env.grid.step_limit {
                    let detail = format!("a warp executed {} instructions", self.warps[i].steps);
                    let lane = self.warps[i].cur.mask.trailing_zeros();
                    let t = Trouble { lane, kind: FaultKind::Stuck { detail } };
                    return Err(self.fault(i, self.warps[i].cur.pc, t));
                }
            }
            Pause::Barrier(arrival) => {
                let (id, pc) = (arrival.id, arrival.pc);
                let waits = self.barriers[id].arrive(&mut self.warps[i], arrival);
                if waits.map_err(|t| self.fault(i, pc, *t))? {
                    states[i] = State::Waiting;
                }
                if let Some(full) = self.barriers[id].complete(self.env.grid.threads()) {
                    for w in full.release(&mut self.warps) {
                        states[w] = State::Ready;
                    }
                }
            }
        }
        Ok(())
    }

    /// All warps wait or are done.
    fn stuck(&self) -> Box<Fault> {
        let exited: u32 = self.warps.iter().map(|w| (w.started & !w.live).count_ones()).sum();
        for (id, b) in self.barriers.iter().enumerate() {
            if let Some((thread, pc)) = b.first() {
                let need = b.expected.unwrap_or(self.env.grid.threads());
                let detail = format!(
                    "barrier {id} has {} of {need} threads and nobody else can come; {exited} threads have exited",
                    b.threads
                );
                let (warp, lane) = (thread as usize / LANES, thread % LANES as u32);
                return self.fault(warp, pc, Trouble { lane, kind: FaultKind::Barrier { detail } });
            }
        }
        let detail = "no warp can run".to_string();
        self.fault(0, 0, Trouble { lane: 0, kind: FaultKind::Stuck { detail } })
    }

    fn fault(&self, warp: usize, pc: u32, t: Trouble) -> Box<Fault> {
        let program = self.env.grid.program;
        Box::new(Fault {
            kernel: program.name.clone(),
            block: self.env.index,
            thread: self.env.grid.thread_index(self.warps[warp].thread(t.lane)),
            site: program.sites[pc as usize].clone(),
            kind: t.kind,
        })
    }
}
