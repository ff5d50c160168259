//! The sixteen barriers of a block.

use super::regs::{Exec, LANES, lanes, trouble};
use super::warp::{Flow, Warp};
use crate::fault::FaultKind;
use crate::isa::{Bar, BarKind, P, W};
use crate::memory::Clock;

/// Barriers that a block has.
pub(crate) const BARRIERS: usize = 16;

/// One warp coming to a barrier.
pub(crate) struct Arrival {
    pub(crate) id: usize,
    pub(crate) kind: BarKind,
    /// Threads expected, if the instruction says so.
    pub(crate) expected: Option<u32>,
    pub(crate) lanes: u32,
    /// Lanes whose predicate is true.
    pub(crate) votes: u32,
    pub(crate) dst_pred: Option<P>,
    pub(crate) dst_word: Option<W>,
    pub(crate) pc: u32,
}

/// State of one barrier in its current phase.
#[derive(Default)]
pub(crate) struct Barrier {
    pub(crate) threads: u32,
    pub(crate) expected: Option<u32>,
    /// Warps that wait, with what they asked for.
    pub(crate) waiting: Vec<(usize, Arrival)>,
    votes: u32,
    voters: u32,
    clock: Clock,
    fences: [Option<Clock>; 2],
}

impl Warp {
    /// Comes to a barrier of the block with all its live lanes.
    pub(crate) fn barrier(&mut self, b: &Bar, m: u32) -> Exec<Flow> {
        if !self.gathered(self.live) {
            return Ok(Flow::Park);
        }
        let lane = m.trailing_zeros();
        if m != self.live {
            let detail =
                format!("lanes {:#010x} of a warp skip it, lanes {m:#010x} reach it", self.live & !m);
            return trouble(lane, FaultKind::Barrier { detail });
        }
        if b.aligned && self.live != self.started {
            let detail = format!("lanes {:#010x} of the warp have exited", self.started & !self.live);
            return trouble(lane, FaultKind::Barrier { detail });
        }
        self.regs.require(self.regs.w_ok(b.id), m, "a barrier number")?;
        let id = self.regs.w(b.id)[lane as usize];
        if id as usize >= BARRIERS {
            return trouble(
                lane,
                FaultKind::Barrier { detail: format!("number {id}, a block has {BARRIERS}") },
            );
        }
        let expected = match b.count {
            Some(c) => {
                self.regs.require(self.regs.w_ok(c), m, "a barrier's thread count")?;
                let n = self.regs.w(c)[lane as usize];
                if n == 0 || !(n as usize).is_multiple_of(LANES) {
                    return trouble(
                        lane,
                        FaultKind::Barrier { detail: format!("count {n} is not a multiple of 32") },
                    );
                }
                Some(n)
            }
            None => None,
        };
        let votes = match b.src {
            Some(p) => {
                self.regs.require(self.regs.p_ok(p), m, "the predicate of a barrier")?;
                self.regs.p(p) & m
            }
            None => 0,
        };
        // A warp counts as 32 threads where the instruction gives a count.
        let (kind, pc) = (b.kind, self.cur.pc);
        let arrival = Arrival {
            id: id as usize,
            kind,
            expected,
            lanes: m,
            votes,
            dst_pred: b.dst_pred,
            dst_word: b.dst_word,
            pc,
        };
        Ok(Flow::Barrier(arrival))
    }

    /// What this warp knows, for the threads that the barrier orders after it.
    fn contribute(&mut self) -> (Clock, [Option<Clock>; 2]) {
        self.clock.local[self.index] = self.time;
        self.time += 1;
        (self.clock.clone(), self.fences.clone())
    }

    /// Leaves a barrier that is complete.
    fn leave(&mut self, a: &Arrival, b: &Barrier) {
        self.clock.join(&b.clock);
        join_fences(&mut self.fences, &b.fences);
        self.lanes_synced = self.time;
        let result = match a.kind {
            BarKind::And => u32::from(b.votes == b.voters),
            BarKind::Or => u32::from(b.votes > 0),
            _ => b.votes,
        };
        if let Some(p) = a.dst_pred {
            self.regs.put_p(p, if result != 0 { u32::MAX } else { 0 }, a.lanes, u32::MAX);
        }
        if let Some(w) = a.dst_word {
            self.regs.put_w(w, &[result; LANES], a.lanes, u32::MAX);
        }
    }
}

fn join_fences(mine: &mut [Option<Clock>; 2], other: &[Option<Clock>; 2]) {
    for (m, o) in mine.iter_mut().zip(other) {
        if let Some(o) = o {
            m.get_or_insert_default().join(o);
        }
    }
}

impl Barrier {
    /// Adds a warp. Returns whether it must wait.
    pub(crate) fn arrive(&mut self, warp: &mut Warp, a: Arrival) -> Exec<bool> {
        let empty = self.threads == 0;
        if !empty && self.expected != a.expected {
            let name = |e: Option<u32>| e.map_or("all".to_string(), |n| n.to_string());
            let detail =
                format!("{} threads expected here, {} elsewhere", name(a.expected), name(self.expected));
            return trouble(a.lanes.trailing_zeros(), FaultKind::Barrier { detail });
        }
        self.expected = a.expected;
        self.threads += if a.expected.is_some() { LANES as u32 } else { a.lanes.count_ones() };
        self.votes += a.votes.count_ones();
        self.voters += a.lanes.count_ones();
        let (clock, fences) = warp.contribute();
        self.clock.join(&clock);
        join_fences(&mut self.fences, &fences);
        let waits = a.kind != BarKind::Arrive;
        if waits {
            self.waiting.push((warp.index, a));
        }
        Ok(waits)
    }

    /// Whether everybody has come; then the next phase begins.
    pub(crate) fn complete(&mut self, all: u32) -> Option<Self> {
        let need = self.expected.unwrap_or(all);
        if self.threads == 0 || self.threads < need { None } else { Some(std::mem::take(self)) }
    }

    /// Lets the waiting warps go.
    pub(crate) fn release(self, warps: &mut [Warp]) -> Vec<usize> {
        let mut freed = Vec::new();
        for (i, a) in &self.waiting {
            warps[*i].leave(a, &self);
            freed.push(*i);
        }
        freed
    }

    /// Linear index of the first thread of the first waiting warp, and where it waits.
    pub(crate) fn first(&self) -> Option<(u32, u32)> {
        self.waiting
            .first()
            .map(|(w, a)| ((w * LANES) as u32 + lanes(a.lanes).next().unwrap_or(0) as u32, a.pc))
    }
}
