//! Matrix fragments: `ldmatrix`, `stmatrix`, `movmatrix`, `mma.sync`.

use super::Builder;
use super::mods::Mods;
use crate::error::Result;
use crate::isa::{AccTy, Matrix, Mma, MmaTy, Op, W};
use crate::syntax::{Arg, Statement, Ty};

impl Builder<'_> {
    fn words(&mut self, st: &Statement, arg: &Arg) -> Result<Vec<W>> {
        match arg {
            Arg::Vec(v) => v.iter().map(|a| self.word(st, a)).collect(),
            one => Ok(vec![self.word(st, one)?]),
        }
    }

    pub(super) fn matrix(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        m.need(&[("sync", ())])?;
        m.need(&[("aligned", ())])?;
        match base {
            "mma" => self.mma(st, m),
            "movmatrix" => {
                m.need(&[("m8n8", ())])?;
                m.need(&[("trans", ())])?;
                m.ty()?;
                self.arity(st, 2..=2)?;
                Ok(Op::MovMatrix { d: self.word(st, &st.args[0])?, a: self.word(st, &st.args[1])? })
            }
            _ => {
                m.need(&[("m8n8", ())])?;
                let count = m.need(&[("x1", 1usize), ("x2", 2), ("x4", 4)])?;
                let transposed = m.has("trans");
                let _ = m.has("shared") || m.has("shared::cta");
                if m.ty()? != Ty::B16 {
                    return Err(m.bad("elements of 16 bits are implemented"));
                }
                self.arity(st, 2..=2)?;
                let load = base == "ldmatrix";
                let (regs, at) = if load { (&st.args[0], &st.args[1]) } else { (&st.args[1], &st.args[0]) };
                let (regs, (addr, _)) = (self.words(st, regs)?, self.address(st, at)?);
                if regs.len() != count {
                    return Err(m.bad(format!("expected {count} registers, found {}", regs.len())));
                }
                let op = Box::new(Matrix { addr, transposed, regs: regs.into() });
                Ok(if load { Op::LdMatrix(op) } else { Op::StMatrix(op) })
            }
        }
    }

    fn mma(&mut self, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let k = m.need(&[("m16n8k16", 16u8), ("m16n8k8", 8), ("m16n8k4", 4)])?;
        m.need(&[("row", ())])?;
        m.need(&[("col", ())])?;
        let types = m.types();
        let (acc, ty) = match types[..] {
            [Ty::F32, Ty::Bf16, Ty::Bf16, Ty::F32] => (AccTy::F32, MmaTy::Bf16),
            [Ty::F32, Ty::F16, Ty::F16, Ty::F32] => (AccTy::F32, MmaTy::F16),
            [Ty::F32, Ty::Tf32, Ty::Tf32, Ty::F32] => (AccTy::F32, MmaTy::Tf32),
            [Ty::F16, Ty::F16, Ty::F16, Ty::F16] => (AccTy::F16, MmaTy::F16),
            _ => return Err(m.bad("element types of mma")),
        };
        let per_register = if ty == MmaTy::Tf32 { 1 } else { 2 };
        // 16 * k and 8 * k elements over 32 lanes.
        let (na, nb) = (usize::from(k) / 2 / per_register, usize::from(k) / 4 / per_register);
        let nc = if acc == AccTy::F32 { 4 } else { 2 };
        if nb == 0 || na > 4 {
            return Err(m.bad("shape for this type"));
        }
        self.arity(st, 4..=4)?;
        let mut parts = Vec::new();
        for (i, n) in [nc, na, nb, nc].into_iter().enumerate() {
            let regs = self.words(st, &st.args[i])?;
            if regs.len() != n {
                return Err(m.bad(format!("operand {i} has {} registers, expected {n}", regs.len())));
            }
            parts.push(regs);
        }
        fn fill<const N: usize>(v: &[W]) -> [W; N] {
            std::array::from_fn(|i| v[i.min(v.len() - 1)])
        }
        let (d, a, b, c) = (fill(&parts[0]), fill(&parts[1]), fill(&parts[2]), fill(&parts[3]));
        Ok(Op::Mma(Box::new(Mma { ty, acc, k, d, a, b, c })))
    }
}
