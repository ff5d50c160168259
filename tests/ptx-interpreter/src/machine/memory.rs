//! Loads, stores, atomics and fences of a warp.

use super::block::Env;
use super::local::words_of;
use super::regs::{Exec, LANES, Regs, lanes, trouble};
use super::warp::Warp;
use crate::fault::{FaultKind, Space};
use crate::float::{Round, half_add};
use crate::isa::{Addr, Atom, AtomOp, Half, Mem, Program, Reg, Scope, Sem};
use crate::memory::{Actor, Bytes, Conflict, Wrong, specific};

/// Effective address of one lane; a word base wraps at 32 bits.
#[inline]
pub(crate) fn address(regs: &Regs, a: Addr, lane: usize) -> u64 {
    match a.base {
        Reg::W(w) => regs.w(w)[lane].wrapping_add(a.offset as u32).into(),
        Reg::D(d) => regs.d(d)[lane].wrapping_add(a.offset as u64),
    }
}

/// The fault of a failed access, with the sites of the instructions that it names.
#[cold]
pub(crate) fn wrong(program: &Program, space: Space, e: Wrong) -> FaultKind {
    let site = |pc: u32| Box::new(program.sites[pc as usize].clone());
    match e {
        Wrong::Fault(k) => k,
        Wrong::Conflict(Conflict::Poison, address) => FaultKind::PoisonRead { space, address },
        Wrong::Conflict(Conflict::Pending(rec), address) => {
            FaultKind::AsyncPending { address, issued: site(rec.pc()) }
        }
        Wrong::Conflict(Conflict::Race { hazard, rec, block }, address) => {
            let other = (block, rec.thread());
            FaultKind::Race { space, address, hazard, other, other_site: site(rec.pc()) }
        }
    }
}

impl Warp {
    #[inline]
    pub(crate) fn actor(&self, lane: usize, env: &Env<'_>, atomic: bool) -> Actor<'_> {
        Actor {
            block: env.block,
            thread: self.thread(lane as u32),
            pc: self.cur.pc,
            time: self.time,
            lanes_synced: self.lanes_synced,
            clock: &self.clock,
            atomic,
        }
    }

    /// Space and address of one lane, with generic addresses resolved.
    #[inline]
    fn place(&self, space: Space, addr: Addr, lane: usize) -> (Space, u64) {
        let at = address(&self.regs, addr, lane);
        if space == Space::Generic { specific(at) } else { (space, at) }
    }

    fn read(
        &self,
        space: Space,
        at: u64,
        bytes: u32,
        lane: usize,
        atomic: bool,
        env: &mut Env<'_>,
    ) -> Exec<Bytes> {
        let actor = self.actor(lane, env, atomic);
        let got = match space {
            Space::Shared => env.shared.load(at, bytes, &actor),
            Space::Local => self.local.load(lane, at, bytes).map_err(Wrong::Fault),
            Space::Param => fixed(&env.grid.params, space, at, bytes),
            Space::Const => fixed(&env.grid.program.constants, space, at, bytes),
            Space::Global | Space::Generic => env.grid.device.load(at, bytes, &actor),
        };
        got.or_else(|e| trouble(lane as u32, wrong(env.grid.program, space, e)))
    }

    pub(crate) fn load(&mut self, mem: &Mem, m: u32, env: &mut Env<'_>) -> Exec<()> {
        self.regs.require(self.regs.ok(mem.addr.base), m, "an address")?;
        let bytes = u32::from(mem.elem) * mem.regs.len() as u32;
        let strong = mem.sem != Sem::Weak;
        let mut at = [0; LANES];
        let mut space = mem.space;
        for lane in lanes(m) {
            (space, at[lane]) = self.place(mem.space, mem.addr, lane);
            let data = self.read(space, at[lane], bytes, lane, strong, env)?;
            for (i, &r) in mem.regs.iter().enumerate() {
                let value = element(&data, i, mem.elem);
                let value =
                    if mem.signed { super::compare::resize(value, mem.elem * 8, true) } else { value };
                self.regs.put_lane(r, lane, value);
            }
            if strong {
                self.acquire(space, at[lane], env);
            }
        }
        env.measure(self.cur.pc, space, &at, m, bytes);
        Ok(())
    }

    pub(crate) fn store(&mut self, mem: &Mem, m: u32, env: &mut Env<'_>) -> Exec<()> {
        self.regs.require(self.regs.ok(mem.addr.base), m, "an address")?;
        for &r in &mem.regs {
            self.regs.require(self.regs.ok(r), m, "a stored value")?;
        }
        let bytes = u32::from(mem.elem) * mem.regs.len() as u32;
        let strong = mem.sem != Sem::Weak;
        let mut at = [0; LANES];
        let mut space = mem.space;
        for lane in lanes(m) {
            (space, at[lane]) = self.place(mem.space, mem.addr, lane);
            let mut data = [0; 8];
            for (i, &r) in mem.regs.iter().enumerate() {
                set_element(&mut data, i, mem.elem, self.regs.lane(r, lane));
            }
            if strong {
                self.publish(mem.sem, mem.scope, space, at[lane], env);
            }
            let actor = self.actor(lane, env, strong);
            let done = match space {
                Space::Shared => env.shared.store(at[lane], bytes, &data, &actor),
                Space::Local => self.local.store(lane, at[lane], bytes, &data).map_err(Wrong::Fault),
                Space::Global | Space::Generic => env.grid.device.store(at[lane], bytes, &data, &actor),
                Space::Param | Space::Const => {
                    let buffer = format!("{space} memory");
                    Err(Wrong::Fault(FaultKind::ReadOnlyWrite { buffer, offset: at[lane] }))
                }
            };
            if let Err(e) = done {
                return trouble(lane as u32, wrong(env.grid.program, space, e));
            }
        }
        env.measure(self.cur.pc, space, &at, m, bytes);
        Ok(())
    }

    pub(crate) fn fence(&mut self, scope: Scope) {
        self.clock.local[self.index] = self.time;
        self.fences[0] = Some(self.clock.clone());
        if scope > Scope::Cta {
            self.fences[1] = Some(self.clock.clone());
        }
        self.time += 1;
    }

    /// What others learn when they acquire from the word: all, for a release; else what the last fence covered.
    fn publish(&mut self, sem: Sem, scope: Scope, space: Space, at: u64, env: &mut Env<'_>) {
        let everywhere = scope > Scope::Cta && space != Space::Shared;
        if sem.releases() {
            self.fence(scope);
        }
        let (index, block) = (usize::from(everywhere), env.block);
        let Some(known) = &self.fences[index] else { return };
        if space == Space::Shared {
            env.shared.sync.entry(at).or_default().publish(block, known, false);
        } else if space != Space::Local {
            let mut sync = env.grid.sync();
            sync.entry(at).or_default().publish(block, known, everywhere);
        }
    }

    /// Atomic operations and strong loads acquire; a relaxed one does so early, before the fence that should follow.
    fn acquire(&mut self, space: Space, at: u64, env: &Env<'_>) {
        if space == Space::Shared {
            if let Some(s) = env.shared.sync.get(&at) {
                s.acquire(env.block, &mut self.clock);
            }
        } else if let Some(s) = env.grid.sync().get(&at) {
            s.acquire(env.block, &mut self.clock);
        }
    }

    pub(crate) fn atomic(&mut self, a: &Atom, m: u32, env: &mut Env<'_>) -> Exec<()> {
        let mut ok = self.regs.ok(a.addr.base);
        for r in a.src.iter().chain(a.swap.as_ref()) {
            ok &= self.regs.ok(*r);
        }
        self.regs.require(ok, m, "an operand of an atomic")?;
        let mut first = [0; LANES];
        let mut space = a.space;
        for lane in lanes(m) {
            let base;
            (space, base) = self.place(a.space, a.addr, lane);
            first[lane] = base;
            self.publish(a.sem, a.scope, space, base, env);
            for (i, &src) in a.src.iter().enumerate() {
                let at = base + i as u64 * u64::from(a.size);
                let operand = self.regs.lane(src, lane);
                let swap = a.swap.map(|r| self.regs.lane(r, lane));
                let actor = self.actor(lane, env, true);
                let change = |old: u64| atomic_value(a.op, a.size, old, operand, swap);
                let bytes = u32::from(a.size);
                let old = match space {
                    Space::Shared => env.shared.update(at, bytes, &actor, change),
                    Space::Global | Space::Generic => env.grid.device.update(at, bytes, &actor, change),
                    _ => Err(Wrong::Fault(FaultKind::Undefined {
                        detail: format!("an atomic in {space} memory"),
                    })),
                };
                let old = old.or_else(|e| trouble(lane as u32, wrong(env.grid.program, space, e)))?;
                if let Some(&d) = a.dst.get(i) {
                    self.regs.put_lane(d, lane, old);
                }
            }
            self.acquire(space, base, env);
        }
        env.measure(self.cur.pc, space, &first, m, u32::from(a.size) * a.src.len() as u32);
        Ok(())
    }
}

/// Read of memory that never changes during a launch.
fn fixed(bytes: &[u8], space: Space, at: u64, n: u32) -> Result<Bytes, Wrong> {
    if at & u64::from(n - 1) != 0 {
        return Err(Wrong::Fault(FaultKind::Misaligned { space, address: at, required: n }));
    }
    let range = usize::try_from(at).ok().and_then(|a| bytes.get(a..a.checked_add(n as usize)?));
    let buffer = Some((format!("{space} memory"), bytes.len()));
    range.map(words_of).ok_or(Wrong::Fault(FaultKind::OutOfBounds { space, address: at, bytes: n, buffer }))
}

#[inline]
fn element(data: &Bytes, i: usize, size: u8) -> u64 {
    match size {
        4 => data[i].into(),
        8 => u64::from(data[2 * i]) | u64::from(data[2 * i + 1]) << 32,
        2 => (data[i / 2] >> (16 * (i % 2)) & 0xffff).into(),
        _ => (data[i / 4] >> (8 * (i % 4)) & 0xff).into(),
    }
}

#[inline]
fn set_element(data: &mut Bytes, i: usize, size: u8, value: u64) {
    match size {
        4 => data[i] = value as u32,
        8 => (data[2 * i], data[2 * i + 1]) = (value as u32, (value >> 32) as u32),
        2 => data[i / 2] |= (value as u32 & 0xffff) << (16 * (i % 2)),
        _ => data[i / 4] |= (value as u32 & 0xff) << (8 * (i % 4)),
    }
}

fn atomic_value(op: AtomOp, size: u8, old: u64, b: u64, swap: Option<u64>) -> u64 {
    let mask = u64::MAX >> (64 - 8 * u32::from(size));
    let signed = |x: u64| super::compare::resize(x, size * 8, true) as i64;
    let (lo, hi) = (old & mask, b & mask);
    let pair = |h: Half| {
        let add = |s: u32| half_add(h, (old >> s) as u32, (b >> s) as u32, Round::Nearest);
        u64::from(add(0) | add(16) << 16)
    };
    let new = match op {
        AtomOp::AddInt => old.wrapping_add(b),
        AtomOp::AddF32 => (f32::from_bits(old as u32) + f32::from_bits(b as u32)).to_bits().into(),
        AtomOp::AddF64 => (f64::from_bits(old) + f64::from_bits(b)).to_bits(),
        AtomOp::AddF16 => half_add(Half::F16, old as u32, b as u32, Round::Nearest).into(),
        AtomOp::AddBf16 => half_add(Half::Bf16, old as u32, b as u32, Round::Nearest).into(),
        AtomOp::AddF16x2 => pair(Half::F16),
        AtomOp::AddBf16x2 => pair(Half::Bf16),
        AtomOp::MinU => lo.min(hi),
        AtomOp::MaxU => lo.max(hi),
        AtomOp::MinS => signed(old).min(signed(b)) as u64,
        AtomOp::MaxS => signed(old).max(signed(b)) as u64,
        AtomOp::And => old & b,
        AtomOp::Or => old | b,
        AtomOp::Xor => old ^ b,
        AtomOp::Exch => b,
        AtomOp::Cas => {
            if lo == hi {
                swap.unwrap_or(old)
            } else {
                old
            }
        }
        AtomOp::Inc => {
            if lo >= hi {
                0
            } else {
                lo + 1
            }
        }
        AtomOp::Dec => {
            if lo == 0 || lo > hi {
                hi
            } else {
                lo - 1
            }
        }
    };
    new & mask
}
