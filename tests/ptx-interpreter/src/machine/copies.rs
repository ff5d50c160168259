//! Asynchronous copies: read at once, written when the issuing thread waits for their group.

use std::collections::VecDeque;

use super::block::Env;
use super::memory::{address, wrong};
use super::regs::{Exec, LANES, lanes, trouble};
use super::warp::Warp;
use crate::fault::{FaultKind, Space};
use crate::isa::CpAsync;

struct Pending {
    lane: u8,
    words: u8,
    /// Group of its lane that it belongs to.
    group: u32,
    dst: u32,
    pc: u32,
    data: [u32; 4],
}

/// Copies of one warp that have not landed.
#[derive(Default)]
pub(crate) struct Copies {
    /// Groups that each lane has committed.
    committed: [u32; LANES],
    queue: VecDeque<Pending>,
}

impl Copies {
    pub(crate) fn commit(&mut self, m: u32) {
        for l in lanes(m) {
            self.committed[l] += 1;
        }
    }
}

impl Warp {
    pub(crate) fn copy(&mut self, c: &CpAsync, m: u32, env: &mut Env<'_>) -> Exec<()> {
        self.regs.require(self.regs.ok(c.dst.base) & self.regs.ok(c.src.base), m, "an address of a copy")?;
        if let Some(w) = c.src_bytes {
            self.regs.require(self.regs.w_ok(w), m, "the size of a copy")?;
        }
        let bytes = u32::from(c.bytes);
        let (mut from, mut to) = ([0; LANES], [0; LANES]);
        for lane in lanes(m) {
            let (dst, src) = (address(&self.regs, c.dst, lane), address(&self.regs, c.src, lane));
            let mut take = c.src_bytes.map_or(bytes, |w| self.regs.w(w)[lane]);
            if let Some(p) = c.ignore {
                self.regs.require(self.regs.p_ok(p), 1 << lane, "the predicate of a copy")?;
                if self.regs.p(p) >> lane & 1 == 1 {
                    take = 0;
                }
            }
            if take > bytes {
                let detail = format!("a copy of {bytes} bytes reads {take}");
                return trouble(lane as u32, FaultKind::Undefined { detail });
            }
            let actor = self.actor(lane, env, false);
            let fail = |space, e| trouble(lane as u32, wrong(env.grid.program, space, e));
            let mut data = [0u32; 4];
            if take > 0 {
                // The hardware demands alignment to the full size even when fewer bytes are read.
                if src & u64::from(bytes - 1) != 0 {
                    let kind = FaultKind::Misaligned { space: Space::Global, address: src, required: bytes };
                    return trouble(lane as u32, kind);
                }
                // A partial read is done byte by byte, so that nothing beyond it is touched.
                let step = if take == bytes { take } else { 1 };
                for at in (0..take).step_by(step as usize) {
                    let got = env.grid.device.load(src + u64::from(at), step, &actor);
                    let got = match got {
                        Ok(g) => g,
                        Err(e) => return fail(Space::Global, e),
                    };
                    if step == 1 {
                        data[at as usize / 4] |= got[0] << (8 * (at % 4));
                    } else {
                        data.copy_from_slice(&got[..4]);
                    }
                }
            }
            if let Err(e) = env.shared.begin_copy(dst, bytes, &actor) {
                return fail(Space::Shared, e);
            }
            (from[lane], to[lane]) = (src, dst);
            self.copies.queue.push_back(Pending {
                lane: lane as u8,
                words: c.bytes / 4,
                group: self.copies.committed[lane],
                dst: dst as u32,
                pc: self.cur.pc,
                data,
            });
        }
        env.measure(self.cur.pc, Space::Global, &from, m, bytes);
        env.measure(self.cur.pc, Space::Shared, &to, m, bytes);
        Ok(())
    }

    /// `cp.async.wait_group` and `wait_all` by the lanes of `m`.
    pub(crate) fn copy_wait(&mut self, keep: u32, all: bool, m: u32, env: &mut Env<'_>) {
        if all {
            self.copies.commit(m);
        }
        let mut queue = std::mem::take(&mut self.copies.queue);
        let committed = self.copies.committed;
        let mut land = |p: &Pending| {
            let lane = p.lane as usize;
            if m >> lane & 1 == 0 || u64::from(p.group) + u64::from(keep) >= u64::from(committed[lane]) {
                return false;
            }
            let mut actor = self.actor(lane, env, false);
            actor.pc = p.pc;
            env.shared.end_copy(u64::from(p.dst), &p.data[..p.words as usize], &actor);
            true
        };
        // Uniform warps land a prefix; the scan of the rest is for divergent ones.
        let uniform =
            committed.iter().zip(0..).all(|(c, l)| self.started >> l & 1 == 0 || *c == committed[0]);
        if uniform && m == self.started {
            while queue.front().is_some_and(&mut land) {
                queue.pop_front();
            }
        } else {
            queue.retain(|p| !land(p));
        }
        self.copies.queue = queue;
    }
}
