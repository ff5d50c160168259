//! Shuffles, votes, matches and reductions of a warp.

use super::regs::{Exec, LANES, Row, lanes, trouble};
use super::warp::{Frag, Warp};
use crate::fault::FaultKind;
use crate::isa::{Op, ReduxOp, Reg, Shfl, ShflMode, VoteOp, W};

impl Warp {
    /// The lanes that a warp-wide instruction names: `None` if some are still to come.
    fn members(&self, mask: W, m: u32) -> Exec<Option<u32>> {
        self.regs.require(self.regs.w_ok(mask), m, "a lane mask")?;
        let row = self.regs.w(mask);
        let first = m.trailing_zeros();
        let named = row[first as usize];
        if let Some(l) = lanes(m).find(|&l| (named >> l) & 1 == 0) {
            let detail = format!("lane {l} gives lane mask {named:#010x}, in which it is not");
            return trouble(l as u32, FaultKind::WarpDivergence { detail });
        }
        if !self.gathered(named) {
            return Ok(None);
        }
        // Lanes that are here but guarded off never come.
        if named & self.live & !m != 0 {
            let detail = format!("lanes {:#010x} are named and do not execute it", named & self.live & !m);
            return trouble(first, FaultKind::WarpDivergence { detail });
        }
        Ok(Some(named & m))
    }

    /// Lanes that name the same lanes as the first one. Groups of lanes may execute one instruction apart, each with its
    /// own mask: the other groups come back to it.
    fn group(&mut self, mask: W, m: u32) -> u32 {
        let row = self.regs.w(mask);
        let named = row[m.trailing_zeros() as usize];
        let same = lanes(m).filter(|&l| row[l] == named).fold(0, |s, l| s | 1 << l);
        let rest = m & !same;
        if rest != 0 {
            self.cur.mask &= !rest;
            self.others.push(Frag { pc: self.cur.pc, mask: rest, parked: false });
            self.limit = 0;
        }
        same
    }

    /// Executes one of them; `false` if lanes are missing.
    pub(crate) fn collective(&mut self, op: &Op, m: u32) -> Exec<bool> {
        let m = match op {
            Op::Shfl(s) => self.group(s.mask, m),
            Op::WarpSync { mask }
            | Op::Vote { mask, .. }
            | Op::Match { mask, .. }
            | Op::Redux { mask, .. }
            | Op::Elect { mask, .. } => self.group(*mask, m),
            _ => m,
        };
        match op {
            Op::WarpSync { mask } => {
                if self.members(*mask, m)?.is_none() {
                    return Ok(false);
                }
                // Lanes left out of the mask are ordered too: time is kept per warp.
                self.time += 1;
                self.lanes_synced = self.time;
            }
            Op::Shfl(s) => {
                if self.members(s.mask, m)?.is_none() {
                    return Ok(false);
                }
                self.shuffle(s, m)?;
            }
            Op::Vote { op, d, pd, p, mask } => {
                let Some(who) = self.members(*mask, m)? else { return Ok(false) };
                self.regs.require(self.regs.p_ok(*p), m, "a vote")?;
                let yes = self.regs.p(*p) & who;
                let answer = match op {
                    VoteOp::All => yes == who,
                    VoteOp::Any => yes != 0,
                    VoteOp::Uni => yes == 0 || yes == who,
                    VoteOp::Ballot => false,
                };
                if let Some(pd) = pd {
                    self.regs.put_p(*pd, if answer { u32::MAX } else { 0 }, m, u32::MAX);
                } else if let Reg::W(d) = d {
                    self.regs.put_w(*d, &[yes; LANES], m, u32::MAX);
                }
            }
            Op::Match { all, d, pd, a, mask } => {
                let Some(who) = self.members(*mask, m)? else { return Ok(false) };
                self.regs.require(self.regs.ok(*a), m, "a matched value")?;
                let equal: Row = std::array::from_fn(|l| {
                    let mine = self.regs.lane(*a, l);
                    lanes(who).filter(|&o| self.regs.lane(*a, o) == mine).fold(0, |s, o| s | 1 << o)
                });
                let unanimous = lanes(who).all(|l| equal[l] == who);
                let row = if *all { [if unanimous { who } else { 0 }; LANES] } else { equal };
                self.regs.put_w(*d, &row, m, u32::MAX);
                if let Some(pd) = pd {
                    self.regs.put_p(*pd, if unanimous { u32::MAX } else { 0 }, m, u32::MAX);
                }
            }
            Op::Redux { op, d, a, mask } => {
                let Some(who) = self.members(*mask, m)? else { return Ok(false) };
                self.regs.require(self.regs.w_ok(*a), m, "a reduced value")?;
                let row = self.regs.w(*a);
                let f = |x: u32, y: u32| match op {
                    ReduxOp::Add => x.wrapping_add(y),
                    ReduxOp::MinU => x.min(y),
                    ReduxOp::MaxU => x.max(y),
                    ReduxOp::MinS => (x as i32).min(y as i32) as u32,
                    ReduxOp::MaxS => (x as i32).max(y as i32) as u32,
                    ReduxOp::And => x & y,
                    ReduxOp::Or => x | y,
                    ReduxOp::Xor => x ^ y,
                };
                let result = lanes(who).map(|l| row[l]).reduce(f).unwrap_or(0);
                self.regs.put_w(*d, &[result; LANES], m, u32::MAX);
            }
            Op::Elect { d, p, mask } => {
                let Some(who) = self.members(*mask, m)? else { return Ok(false) };
                let leader = who.trailing_zeros();
                self.regs.put_w(*d, &[leader; LANES], m, u32::MAX);
                self.regs.put_p(*p, 1 << leader, m, u32::MAX);
            }
            _ => {}
        }
        Ok(true)
    }

    /// `shfl.sync` as the manual's pseudo-code has it: `c` packs the clamp and the segment mask.
    fn shuffle(&mut self, s: &Shfl, m: u32) -> Exec<()> {
        let controls = self.regs.w_ok(s.b) & self.regs.w_ok(s.c);
        self.regs.require(controls, m, "a shuffle's lane")?;
        let (a, a_ok) = (*self.regs.w(s.a), self.regs.w_ok(s.a));
        let (b, c) = (*self.regs.w(s.b), *self.regs.w(s.c));
        let (mut row, mut ok, mut inside) = ([0; LANES], 0u32, 0u32);
        for lane in lanes(m) {
            let (offset, clamp, segment) =
                (b[lane] as usize & 31, c[lane] as usize & 31, c[lane] as usize >> 8 & 31);
            let top = (lane & segment) | (clamp & !segment);
            let bottom = lane & segment;
            let (from, in_range) = match s.mode {
                ShflMode::Up => (lane.wrapping_sub(offset), lane as i32 - offset as i32 >= top as i32),
                ShflMode::Down => (lane + offset, lane + offset <= top),
                ShflMode::Bfly => (lane ^ offset, lane ^ offset <= top),
                ShflMode::Idx => {
                    let j = bottom | (offset & !segment);
                    (j, j <= top)
                }
            };
            let from = if in_range { from } else { lane };
            row[lane] = a[from];
            // A lane that does not take part has no value to give.
            if m >> from & 1 == 1 && a_ok >> from & 1 == 1 {
                ok |= 1 << lane;
            }
            inside |= u32::from(in_range) << lane;
        }
        self.regs.put_w(s.d, &row, m, ok);
        if let Some(p) = s.p {
            self.regs.put_p(p, inside, m, u32::MAX);
        }
        Ok(())
    }
}
