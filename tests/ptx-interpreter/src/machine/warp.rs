//! One warp: which lanes are where, and the loop that executes them.
//!
//! Lanes at one instruction form a fragment. The fragment with the lowest position runs first, and fragments that
//! meet merge: compilers lay code out so that this reconverges where the source does. A warp-wide instruction parks
//! its fragment until the lanes that it names have come.

use super::barrier::Arrival;
use super::block::Env;
use super::copies::Copies;
use super::local::Local;
use super::regs::{Exec, LANES, Regs, Trouble, trouble};
use crate::fault::FaultKind;
use crate::isa::{Ins, Op, Preset, Program};
use crate::memory::Clock;

/// Lanes that are at the same instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frag {
    pub(crate) pc: u32,
    pub(crate) mask: u32,
    /// Waits for other lanes.
    pub(crate) parked: bool,
}

/// Why a warp stopped running.
pub(crate) enum Pause {
    /// At a barrier of the block.
    Barrier(Arrival),
    /// Its turn is over.
    Yield,
    Done,
}

/// What executing one instruction did to the flow.
pub(crate) enum Flow {
    Next,
    /// Lanes of the mask go elsewhere.
    Jump(u32, u32),
    Exit(u32),
    /// Try again when more lanes are here.
    Park,
    Barrier(Arrival),
}

pub(crate) struct Warp {
    pub(crate) index: usize,
    pub(crate) regs: Regs,
    pub(crate) cur: Frag,
    pub(crate) others: Vec<Frag>,
    /// Position at which the current fragment meets another one.
    pub(crate) limit: u32,
    /// Lanes that exist.
    pub(crate) started: u32,
    /// Lanes that have not exited.
    pub(crate) live: u32,
    pub(crate) clock: Clock,
    pub(crate) time: u32,
    pub(crate) lanes_synced: u32,
    /// What was known at the last fence, by scope: block, wider.
    pub(crate) fences: [Option<Clock>; 2],
    pub(crate) copies: Copies,
    pub(crate) local: Local,
    pub(crate) carry: u32,
    /// Instructions executed in this block.
    pub(crate) steps: u64,
}

impl Warp {
    pub(crate) fn new(index: usize, p: &Program) -> Self {
        Self {
            index,
            regs: Regs::new(p.words, p.doubles, p.preds),
            cur: Frag { pc: 0, mask: 0, parked: false },
            others: Vec::new(),
            limit: u32::MAX,
            started: 0,
            live: 0,
            clock: Clock::default(),
            time: 1,
            lanes_synced: 0,
            fences: [None, None],
            copies: Copies::default(),
            local: Local::new(p.local_bytes),
            carry: 0,
            steps: 0,
        }
    }

    /// Prepares for a block.
    pub(crate) fn start(&mut self, env: &Env<'_>) {
        let threads = env.grid.threads() as usize - self.index * LANES;
        let mask = if threads >= LANES { u32::MAX } else { (1 << threads) - 1 };
        self.cur = Frag { pc: 0, mask, parked: false };
        self.others.clear();
        self.limit = u32::MAX;
        (self.started, self.live) = (mask, mask);
        self.clock = Clock::default();
        (self.time, self.lanes_synced, self.carry, self.steps) = (1, 0, 0, 0);
        self.fences = [None, None];
        self.copies = Copies::default();
        self.local.reset();
        self.regs.reset();
        for preset in &env.grid.program.presets {
            match *preset {
                Preset::Word(r, v) => self.regs.put_w(r, &[v; LANES], u32::MAX, u32::MAX),
                Preset::Double(r, v) => self.regs.put_d(r, &[v; LANES], u32::MAX, u32::MAX),
                Preset::Predicate(p, v) => {
                    self.regs.put_p(p, if v { u32::MAX } else { 0 }, u32::MAX, u32::MAX)
                }
                Preset::Special(r, s) => self.special(r, s, env),
            }
        }
    }

    /// Runs for at most `quantum` instructions.
    pub(crate) fn run(&mut self, env: &mut Env<'_>, quantum: u64) -> Exec<Pause> {
        let program = env.grid.program;
        let end = self.steps + quantum;
        if self.live == 0 {
            return Ok(Pause::Done);
        }
        loop {
            let pc = self.cur.pc;
            let Ins { guard, op } = &program.code[pc as usize];
            let mut m = self.cur.mask;
            if let Some(g) = guard {
                self.regs.require(self.regs.p_ok(*g), m, "a guard")?;
                m &= self.regs.p(*g);
            }
            self.steps += 1;
            env.counts[pc as usize].warps += 1;
            env.counts[pc as usize].lanes += u64::from(m.count_ones());
            let flow = if m == 0 { Flow::Next } else { self.step(op, m, env)? };
            match flow {
                Flow::Next => self.cur.pc = pc + 1,
                Flow::Jump(target, taken) => self.jump(target, taken),
                Flow::Exit(gone) => {
                    self.live &= !gone;
                    self.cur.mask &= !gone;
                    self.cur.pc = pc + 1;
                    if self.live == 0 {
                        return Ok(Pause::Done);
                    }
                    if self.cur.mask == 0 {
                        self.reschedule()?;
                    }
                }
                Flow::Park => {
                    self.cur.parked = true;
                    self.reschedule()?;
                }
                Flow::Barrier(arrival) => {
                    self.cur.pc = pc + 1;
                    return Ok(Pause::Barrier(arrival));
                }
            }
            if self.cur.pc >= self.limit {
                self.reschedule()?;
            }
            if self.steps >= end {
                return Ok(Pause::Yield);
            }
        }
    }

    /// Whether the lanes that an instruction names are all here; exited lanes do not count.
    pub(crate) fn gathered(&self, named: u32) -> bool {
        named & self.live & !self.cur.mask == 0
    }

    /// Parks, or fails if every lane that can come is already here.
    pub(crate) fn whole_warp(&self, m: u32, what: &str) -> Exec<bool> {
        if m == u32::MAX {
            return Ok(true);
        }
        if !self.gathered(self.live) {
            return Ok(false);
        }
        let detail = format!("{what} needs all 32 lanes, has {m:#010x}");
        trouble(m.trailing_zeros(), FaultKind::WarpDivergence { detail })
    }

    pub(crate) fn thread(&self, lane: u32) -> u32 {
        (self.index * LANES) as u32 + lane
    }

    fn step(&mut self, op: &Op, m: u32, env: &mut Env<'_>) -> Exec<Flow> {
        match op {
            Op::Bra { target } => return Ok(Flow::Jump(*target, m)),
            Op::BrxIdx { index, targets } => return self.indexed_branch(*index, targets, m),
            Op::Exit => return Ok(Flow::Exit(m)),
            Op::Trap => return Err(Box::new(Trouble { lane: m.trailing_zeros(), kind: FaultKind::Trap })),
            Op::Nop => {}
            Op::Ld(mem) => self.load(mem, m, env)?,
            Op::St(mem) => self.store(mem, m, env)?,
            Op::Atom(a) => self.atomic(a, m, env)?,
            Op::Fence { scope } => self.fence(*scope),
            Op::CpAsync(c) => self.copy(c, m, env)?,
            Op::CpCommit => self.copies.commit(m),
            Op::CpWait { keep, all } => self.copy_wait(*keep, *all, m, env),
            Op::LdMatrix(_) | Op::StMatrix(_) | Op::MovMatrix { .. } | Op::Mma(_) => {
                if !self.whole_warp(m, "a matrix instruction")? {
                    return Ok(Flow::Park);
                }
                self.matrix(op, env)?;
            }
            Op::Bar(b) => return self.barrier(b, m),
            Op::WarpSync { .. }
            | Op::Shfl(_)
            | Op::Vote { .. }
            | Op::Match { .. }
            | Op::Redux { .. }
            | Op::Elect { .. } => {
                if !self.collective(op, m)? {
                    return Ok(Flow::Park);
                }
            }
            Op::ActiveMask { d } => self.regs.put_w(*d, &[m; LANES], m, u32::MAX),
            Op::Clock { d } => {
                for lane in super::regs::lanes(m) {
                    self.regs.put_lane(*d, lane, self.steps);
                }
            }
            _ => self.alu(op, m),
        }
        Ok(Flow::Next)
    }

    fn indexed_branch(&mut self, index: crate::isa::W, targets: &[u32], m: u32) -> Exec<Flow> {
        self.regs.require(self.regs.w_ok(index), m, "a branch index")?;
        let row = *self.regs.w(index);
        let lane = m.trailing_zeros();
        let chosen = row[lane as usize];
        let Some(&target) = targets.get(chosen as usize) else {
            let detail = format!("branch index {chosen} of {} targets", targets.len());
            return trouble(lane, FaultKind::Undefined { detail });
        };
        // One target at a time; the rest come back to this instruction.
        let same = super::regs::lanes(m).filter(|&l| row[l] == chosen).fold(0, |s, l| s | 1 << l);
        let rest = self.cur.mask & !same;
        if rest & m != 0 {
            self.others.push(Frag { pc: self.cur.pc, mask: rest & m, parked: false });
            self.cur.mask &= !(rest & m);
        }
        Ok(Flow::Jump(target, same))
    }
}
