//! Fragments of a warp: jumps split them, meeting merges them.

use super::block::Env;
use super::regs::{Exec, LANES, trouble};
use super::warp::{Frag, Warp};
use crate::fault::FaultKind;
use crate::isa::{Reg, Special};

impl Warp {
    pub(crate) fn jump(&mut self, target: u32, taken: u32) {
        let stay = self.cur.mask & !taken;
        let next = self.cur.pc + 1;
        if stay == 0 {
            self.cur.pc = target;
        } else {
            self.others.push(Frag { pc: target, mask: taken, parked: false });
            self.cur = Frag { pc: next, mask: stay, parked: false };
        }
        // A jump may land on or before another fragment.
        if !self.others.is_empty() {
            self.limit = 0;
        }
    }

    /// Merges fragments that met and picks the lowest that can run.
    pub(crate) fn reschedule(&mut self) -> Exec<()> {
        if self.cur.mask != 0 {
            self.others.push(self.cur);
        }
        self.others.sort_by_key(|f| f.pc);
        let mut merged: Vec<Frag> = Vec::with_capacity(self.others.len());
        for f in self.others.drain(..) {
            match merged.last_mut() {
                Some(last) if last.pc == f.pc => {
                    *last = Frag { pc: f.pc, mask: last.mask | f.mask, parked: false }
                }
                _ => merged.push(f),
            }
        }
        let Some(next) = merged.iter().position(|f| !f.parked) else {
            let masks: Vec<_> =
                merged.iter().map(|f| format!("{:#010x} at instruction {}", f.mask, f.pc)).collect();
            let lane = merged.first().map_or(0, |f| f.mask.trailing_zeros());
            if let Some(f) = merged.first() {
                self.cur = *f;
            }
            let detail = format!("lanes wait for each other: {}", masks.join(", "));
            return trouble(lane, FaultKind::WarpDivergence { detail });
        };
        self.cur = merged.remove(next);
        self.others = merged;
        self.limit =
            self.others.iter().map(|f| f.pc).filter(|&pc| pc > self.cur.pc).min().unwrap_or(u32::MAX);
        Ok(())
    }

    pub(crate) fn special(&mut self, r: Reg, s: Special, env: &Env<'_>) {
        for lane in 0..LANES {
            let thread = (self.index * LANES + lane) as u32;
            let tid = env.grid.thread_index(thread);
            let bit = 1u64 << lane;
            let value = match s {
                Special::Tid(i) => tid[i as usize].into(),
                Special::Ntid(i) => env.grid.block_dim[i as usize].into(),
                Special::Ctaid(i) => env.index[i as usize].into(),
                Special::Nctaid(i) => env.grid.grid_dim[i as usize].into(),
                Special::LaneId => lane as u64,
                Special::WarpId => self.index as u64,
                Special::NumWarps => env.grid.threads().div_ceil(LANES as u32).into(),
                Special::LaneMaskEq => bit,
                Special::LaneMaskLt => bit - 1,
                Special::LaneMaskLe => bit | (bit - 1),
                Special::LaneMaskGt => u64::from(u32::MAX) & !(bit | (bit - 1)),
                Special::LaneMaskGe => u64::from(u32::MAX) & !(bit - 1),
                Special::DynamicShared => env.grid.dynamic_base as u64,
                Special::DynamicSharedBytes => env.grid.dynamic_bytes as u64,
                Special::TotalSharedBytes => env.shared.len() as u64,
                Special::GlobalVar(i) => env.grid.global_vars[i as usize],
            };
            self.regs.put_lane(r, lane, value);
        }
    }
}
