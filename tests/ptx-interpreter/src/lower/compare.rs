//! Comparisons and selections.

use super::Builder;
use super::mods::Mods;
use crate::error::Result;
use crate::isa::{Cmp, CmpTy, Half, Op, PredOp, Reg, Setp, TestKind, TriOp};
use crate::syntax::{Arg, Statement, Ty};

/// Comparison operators. `lo`, `ls`, `hi` and `hs` are the unsigned spellings.
const OPERATORS: &[(&str, Cmp)] = &[
    ("eq", Cmp::Eq),
    ("ne", Cmp::Ne),
    ("lt", Cmp::Lt),
    ("le", Cmp::Le),
    ("gt", Cmp::Gt),
    ("ge", Cmp::Ge),
    ("lo", Cmp::Lt),
    ("ls", Cmp::Le),
    ("hi", Cmp::Gt),
    ("hs", Cmp::Ge),
    ("equ", Cmp::Equ),
    ("neu", Cmp::Neu),
    ("ltu", Cmp::Ltu),
    ("leu", Cmp::Leu),
    ("gtu", Cmp::Gtu),
    ("geu", Cmp::Geu),
    ("num", Cmp::Num),
    ("nan", Cmp::Nan),
];

fn cmp_ty(ty: Ty) -> Option<CmpTy> {
    Some(match ty {
        Ty::B16 | Ty::U16 => CmpTy::U16,
        Ty::S16 => CmpTy::S16,
        Ty::B32 | Ty::U32 => CmpTy::U32,
        Ty::S32 => CmpTy::S32,
        Ty::B64 | Ty::U64 => CmpTy::U64,
        Ty::S64 => CmpTy::S64,
        Ty::F32 => CmpTy::F32,
        Ty::F64 => CmpTy::F64,
        Ty::F16 => CmpTy::Half(Half::F16),
        Ty::Bf16 => CmpTy::Half(Half::Bf16),
        Ty::F16x2 => CmpTy::Packed(Half::F16),
        Ty::Bf16x2 => CmpTy::Packed(Half::Bf16),
        _ => return None,
    })
}

impl Builder<'_> {
    pub(super) fn compare(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        match base {
            "setp" => self.setp(st, m),
            "set" => {
                let (cmp, ftz) = (m.need(OPERATORS)?, m.has("ftz"));
                let types = m.types();
                let [to, from] = types[..] else { return Err(m.bad("expected two types")) };
                let ty = cmp_ty(from).ok_or_else(|| m.bad("type"))?;
                if to.bits() != 32 || matches!(ty, CmpTy::Packed(_)) {
                    return Err(m.bad("a result of 32 bits is implemented"));
                }
                self.arity(st, 3..=3)?;
                let d = self.word(st, &st.args[0])?;
                let (a, b) =
                    (self.any(st, &st.args[1], from.bits())?, self.any(st, &st.args[2], from.bits())?);
                Ok(Op::Set { cmp, ty, ftz, float: to == Ty::F32, d, a, b })
            }
            "testp" => {
                let kind = m.need(&[
                    ("finite", TestKind::Finite),
                    ("infinite", TestKind::Infinite),
                    ("number", TestKind::Number),
                    ("notanumber", TestKind::NotANumber),
                    ("normal", TestKind::Normal),
                    ("subnormal", TestKind::Subnormal),
                ])?;
                let ty = m.ty()?;
                self.arity(st, 2..=2)?;
                let d = self.pred_dst(st, &st.args[0])?;
                let a = self.any(st, &st.args[1], ty.bits())?;
                Ok(Op::TestP { kind, ty: cmp_ty(ty).ok_or_else(|| m.bad("type"))?, d, a })
            }
            "slct" => {
                m.has("ftz");
                let types = m.types();
                match types[..] {
                    [v, Ty::S32] if v.bits() == 32 => self.tri(TriOp::SlctS32, st),
                    [v, Ty::F32] if v.bits() == 32 => self.tri(TriOp::SlctF32, st),
                    _ => Err(m.bad("types of slct")),
                }
            }
            _ => {
                let ty = m.ty()?;
                self.arity(st, 4..=4)?;
                let p = self.pred(st, &st.args[3])?;
                if ty.bits() == 64 {
                    let [d, a, b] = [0, 1, 2].map(|i| self.double(st, &st.args[i]));
                    return Ok(Op::SelD { d: d?, a: a?, b: b?, p });
                }
                let [d, a, b] = [0, 1, 2].map(|i| self.sized_word(st, &st.args[i], ty.bits()));
                Ok(Op::SelW { d: d?, a: a?, b: b?, p })
            }
        }
    }

    fn setp(&mut self, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let (cmp, ftz) = (m.need(OPERATORS)?, m.has("ftz"));
        let combine = m.pick(&[("and", PredOp::And), ("or", PredOp::Or), ("xor", PredOp::Xor)]);
        let ty = m.ty()?;
        let bits = ty.bits();
        let ty = cmp_ty(ty).ok_or_else(|| m.bad("type"))?;
        let operands = if combine.is_some() { 4 } else { 3 };
        self.arity(st, operands..=operands)?;
        let (d, q) = match &st.args[0] {
            Arg::Pair(d, q) => (self.pred_dst(st, d)?, Some(self.pred_dst(st, q)?)),
            d => (self.pred_dst(st, d)?, None),
        };
        let (a, b) = (self.any(st, &st.args[1], bits)?, self.any(st, &st.args[2], bits)?);
        let wide = |r: Reg| matches!(r, Reg::D(_));
        if wide(a) != (bits == 64) || wide(b) != (bits == 64) {
            return Err(m.bad("operand width differs from the type"));
        }
        let combine = match combine {
            Some(op) => Some((op, self.pred(st, &st.args[3])?)),
            None => None,
        };
        Ok(Op::Setp(Box::new(Setp { cmp, ty, ftz, d, q, a, b, combine })))
    }
}
