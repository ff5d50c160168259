//! Loads, stores, atomics, fences and asynchronous copies.

use super::Builder;
use super::mods::Mods;
use crate::error::Result;
use crate::fault::Space;
use crate::isa::{Addr, Atom, AtomOp, CpAsync, Mem, Op, Reg, Scope, Sem};
use crate::syntax::{Arg, Statement, Ty};

const SPACES: &[(&str, Space)] = &[
    ("global", Space::Global),
    ("shared", Space::Shared),
    ("shared::cta", Space::Shared),
    ("local", Space::Local),
    ("const", Space::Const),
    ("param", Space::Param),
    ("param::entry", Space::Param),
    ("param::func", Space::Param),
];

/// Cache operators and hints: they change timing only.
fn is_cache_hint(part: &str) -> bool {
    part.starts_with("L1::")
        || part.starts_with("L2::")
        || matches!(
            part,
            "ca" | "cg" | "cs" | "lu" | "cv" | "nc" | "wb" | "wt" | "L1" | "L2" | "unified" | "level"
        )
}

impl Builder<'_> {
    pub(super) fn memory(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        match base {
            "ld" | "ldu" | "st" => self.load_store(base == "st", st, m),
            "atom" | "red" => self.atomic(base == "red", st, m),
            "membar" => {
                let scope = m.need(&[("cta", Scope::Cta), ("gl", Scope::Gpu), ("sys", Scope::Sys)])?;
                Ok(Op::Fence { scope })
            }
            "fence" => {
                if m.has("proxy") || m.has("mbarrier_init") {
                    m.skip_where(|_| true);
                    return Ok(Op::Nop);
                }
                m.sem();
                let scope = m.scope().ok_or_else(|| m.bad("expected a scope"))?;
                Ok(Op::Fence { scope })
            }
            "createpolicy" => {
                m.skip_where(|_| true);
                let d = self.double(st, self.arg(st, 0)?)?;
                Ok(Op::MovD { d, a: self.const_d(0) })
            }
            _ => {
                m.pick(SPACES);
                m.skip_where(is_cache_hint);
                Ok(Op::Nop)
            }
        }
    }

    /// The space of an access: of the named variable, else of the modifier, else generic.
    fn resolve(&mut self, st: &Statement, arg: &Arg, given: Option<Space>) -> Result<(Addr, Space)> {
        let (addr, of_variable) = self.address(st, arg)?;
        Ok((addr, of_variable.or(given).unwrap_or(Space::Generic)))
    }

    fn registers(&mut self, st: &Statement, arg: &Arg, bits: u32) -> Result<Box<[Reg]>> {
        match arg {
            Arg::Vec(v) => v.iter().map(|a| self.any(st, a, bits)).collect(),
            one => Ok(Box::new([self.any(st, one, bits)?])),
        }
    }

    fn load_store(&mut self, store: bool, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let volatile = m.has("volatile") || m.has("mmio");
        let sem = m.sem().unwrap_or(if volatile { Sem::Relaxed } else { Sem::Weak });
        let scope = m.scope().unwrap_or(if volatile { Scope::Sys } else { Scope::Gpu });
        let given = m.pick(SPACES);
        let hinted = m.has("L2::cache_hint");
        m.skip_where(is_cache_hint);
        let vector = m.pick(&[("v2", 2usize), ("v4", 4), ("v8", 8)]).unwrap_or(1);
        let ty = m.ty()?;
        self.arity(st, 2..=if hinted { 3 } else { 2 })?;
        let (data, at) = if store { (&st.args[1], &st.args[0]) } else { (&st.args[0], &st.args[1]) };
        let (addr, space) = self.resolve(st, at, given)?;
        let regs = self.registers(st, data, ty.bits())?;
        if regs.len() != vector {
            return Err(m.bad(format!("expected {vector} registers, found {}", regs.len())));
        }
        let elem = (ty.bits() / 8) as u8;
        if elem == 0 || elem > 8 {
            return Err(m.bad("element type"));
        }
        if let Some(r) = regs.iter().find(|r| elem == 8 && matches!(r, Reg::W(_))) {
            return Err(m.bad(format!("{r:?} is too narrow for 64 bits")));
        }
        let mem = Box::new(Mem { space, elem, signed: ty.signed(), sem, scope, addr, regs });
        Ok(if store { Op::St(mem) } else { Op::Ld(mem) })
    }

    fn atomic(&mut self, reduce: bool, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let sem = m.sem().unwrap_or(Sem::Relaxed);
        let scope = m.scope().unwrap_or(Scope::Gpu);
        let given = m.pick(SPACES);
        let hinted = m.has("L2::cache_hint");
        m.skip_where(is_cache_hint);
        m.has("noftz");
        let vector = m.pick(&[("v2", 2usize), ("v4", 4), ("v8", 8)]).unwrap_or(1);
        let name = m.need(&[
            ("add", "add"),
            ("min", "min"),
            ("max", "max"),
            ("and", "and"),
            ("or", "or"),
            ("xor", "xor"),
            ("exch", "exch"),
            ("cas", "cas"),
            ("inc", "inc"),
            ("dec", "dec"),
        ])?;
        let ty = m.ty()?;
        let s = ty.signed();
        let op = match (name, ty) {
            ("add", Ty::F32) => AtomOp::AddF32,
            ("add", Ty::F64) => AtomOp::AddF64,
            ("add", Ty::F16) => AtomOp::AddF16,
            ("add", Ty::Bf16) => AtomOp::AddBf16,
            ("add", Ty::F16x2) => AtomOp::AddF16x2,
            ("add", Ty::Bf16x2) => AtomOp::AddBf16x2,
            ("add", _) if ty.integer() => AtomOp::AddInt,
            ("min", _) if ty.integer() => [AtomOp::MinU, AtomOp::MinS][usize::from(s)],
            ("max", _) if ty.integer() => [AtomOp::MaxU, AtomOp::MaxS][usize::from(s)],
            ("and", _) => AtomOp::And,
            ("or", _) => AtomOp::Or,
            ("xor", _) => AtomOp::Xor,
            ("exch", _) => AtomOp::Exch,
            ("cas", _) => AtomOp::Cas,
            ("inc", Ty::U32) => AtomOp::Inc,
            ("dec", Ty::U32) => AtomOp::Dec,
            _ => return Err(m.bad("operation on this type")),
        };
        let operands = usize::from(!reduce) + 2 + usize::from(op == AtomOp::Cas) + usize::from(hinted);
        self.arity(st, operands..=operands)?;
        let at = usize::from(!reduce);
        let (addr, space) = self.resolve(st, &st.args[at], given)?;
        let dst = if reduce { Box::default() } else { self.registers(st, &st.args[0], ty.bits())? };
        let src = self.registers(st, &st.args[at + 1], ty.bits())?;
        if src.len() != vector {
            return Err(m.bad("length of the vector"));
        }
        let swap = if op == AtomOp::Cas { Some(self.any(st, &st.args[at + 2], ty.bits())?) } else { None };
        let size = (ty.bits() / 8) as u8;
        Ok(Op::Atom(Box::new(Atom { op, space, size, sem, scope, addr, dst, src, swap })))
    }

    /// `cp.async` and its groups.
    pub(super) fn copy(&mut self, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        m.need(&[("async", ())])?;
        if m.has("commit_group") {
            return Ok(Op::CpCommit);
        }
        if m.has("wait_all") {
            return Ok(Op::CpWait { keep: 0, all: true });
        }
        if m.has("wait_group") {
            let Arg::Int(keep) = self.arg(st, 0)? else { return Err(m.bad("expected a constant")) };
            return Ok(Op::CpWait { keep: *keep as u32, all: false });
        }
        let bypass = m.need(&[("ca", false), ("cg", true)])?;
        m.need(&[("shared", ()), ("shared::cta", ())])?;
        m.need(&[("global", ())])?;
        let hinted = m.has("L2::cache_hint");
        m.skip_where(is_cache_hint);
        self.arity(st, 3..=if hinted { 5 } else { 4 })?;
        let (dst, src) = (self.address(st, &st.args[0])?.0, self.address(st, &st.args[1])?.0);
        let Arg::Int(bytes) = st.args[2] else { return Err(m.bad("the size must be a constant")) };
        if !(bytes == 16 || !bypass && (bytes == 4 || bytes == 8)) {
            return Err(m.bad(format!("a copy of {bytes} bytes")));
        }
        let fourth = st.args.get(3).filter(|_| st.args.len() - usize::from(hinted) == 4);
        let (mut src_bytes, mut ignore) = (None, None);
        if let Some(a) = fourth {
            match self.pred(st, a) {
                Ok(p) if !matches!(a, Arg::Int(_)) => ignore = Some(p),
                _ => src_bytes = Some(self.word(st, a)?),
            }
        }
        Ok(Op::CpAsync(Box::new(CpAsync { dst, src, bytes: bytes as u8, src_bytes, ignore })))
    }
}
