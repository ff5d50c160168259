//! Moves, number conversions and address conversions.

use super::Builder;
use super::mods::Mods;
use crate::error::Result;
use crate::fault::Space;
use crate::float::Round;
use crate::isa::{Cvt, CvtRound, Extend, NumTy, Op, Pack, PredOp, Reg};
use crate::syntax::{Arg, Statement, Ty};

const SPACES: &[(&str, Space)] = &[
    ("global", Space::Global),
    ("shared", Space::Shared),
    ("shared::cta", Space::Shared),
    ("local", Space::Local),
    ("const", Space::Const),
    ("param", Space::Param),
    ("param::entry", Space::Param),
];

fn num_ty(ty: Ty) -> Option<NumTy> {
    Some(match ty {
        Ty::F16 => NumTy::F16,
        Ty::Bf16 => NumTy::Bf16,
        Ty::Tf32 => NumTy::Tf32,
        Ty::F32 => NumTy::F32,
        Ty::F64 => NumTy::F64,
        Ty::F16x2 => NumTy::F16x2,
        Ty::Bf16x2 => NumTy::Bf16x2,
        Ty::E4m3x2 => NumTy::E4m3x2,
        Ty::E5m2x2 => NumTy::E5m2x2,
        _ if ty.integer() => NumTy::Int { bits: ty.bits() as u8, signed: ty.signed() },
        _ => return None,
    })
}

impl Builder<'_> {
    pub(super) fn convert(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        match base {
            "mov" => self.mov(st, m),
            "cvt" => self.cvt(st, m),
            "isspacep" => {
                let space = m.need(SPACES)?;
                self.arity(st, 2..=2)?;
                Ok(Op::IsSpace {
                    space,
                    d: self.pred_dst(st, &st.args[0])?,
                    a: self.double(st, &st.args[1])?,
                })
            }
            _ => {
                let to = m.has("to");
                let space = m.need(SPACES)?;
                let bits = m.ty()?.bits();
                self.arity(st, 2..=2)?;
                if bits != 64 {
                    return Err(m.bad("32-bit generic addresses"));
                }
                if to {
                    let d = self.any(st, &st.args[0], bits)?;
                    return Ok(Op::CvtaTo { space, d, a: self.double(st, &st.args[1])? });
                }
                Ok(Op::CvtaFrom { space, d: self.double(st, &st.args[0])?, a: self.double(st, &st.args[1])? })
            }
        }
    }

    fn mov(&mut self, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let ty = m.ty()?;
        self.arity(st, 2..=2)?;
        let bits = ty.bits();
        if ty == Ty::Pred {
            let (d, a) = (self.pred_dst(st, &st.args[0])?, self.pred(st, &st.args[1])?);
            return Ok(Op::Pred { op: PredOp::Mov, d, a, b: a });
        }
        if let (Arg::Name(_), Arg::Name(clock)) = (&st.args[0], &st.args[1])
            && matches!(
                clock.as_str(),
                "%clock" | "%clock64" | "%globaltimer" | "%clock_hi" | "%globaltimer_lo"
            )
        {
            return Ok(Op::Clock { d: self.any(st, &st.args[0], bits)? });
        }
        let (join, whole, parts) = match (&st.args[0], &st.args[1]) {
            (whole, Arg::Vec(parts)) => (true, whole, parts),
            (Arg::Vec(parts), whole) => (false, whole, parts),
            (d, a) if bits == 64 => return Ok(Op::MovD { d: self.double(st, d)?, a: self.double(st, a)? }),
            (d, a) => return Ok(Op::MovW { d: self.word(st, d)?, a: self.sized_word(st, a, bits)? }),
        };
        if parts.len() < 2 || bits % parts.len() as u32 != 0 {
            return Err(m.bad("number of parts"));
        }
        let part = bits / parts.len() as u32;
        let parts: Result<Box<[Reg]>> = parts.iter().map(|p| self.any(st, p, part)).collect();
        Ok(Op::Pack(Box::new(Pack {
            whole: self.any(st, whole, bits)?,
            parts: parts?,
            join,
            bits: part as u8,
        })))
    }

    fn cvt(&mut self, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let integer = m.pick(&[
            ("rni", Round::Nearest),
            ("rzi", Round::Zero),
            ("rmi", Round::Down),
            ("rpi", Round::Up),
        ]);
        let (ftz, sat, satfinite, relu) = (m.has("ftz"), m.has("sat"), m.has("satfinite"), m.has("relu"));
        let round = match integer {
            Some(r) => CvtRound::Integer(r),
            None => CvtRound::Format(m.round()),
        };
        let types = m.types();
        let [to, from] = types[..] else { return Err(m.bad("expected two types")) };
        let (Some(to_n), Some(from_n)) = (num_ty(to), num_ty(from)) else {
            return Err(m.bad("types of cvt"));
        };
        let packed = matches!(to_n, NumTy::F16x2 | NumTy::Bf16x2 | NumTy::E4m3x2 | NumTy::E5m2x2);
        let two = packed && from_n == NumTy::F32;
        self.arity(st, if two { 3..=3 } else { 2..=2 })?;
        let (d, a) = (self.any(st, &st.args[0], to.bits())?, self.any(st, &st.args[1], from.bits())?);
        if let (NumTy::Int { bits: tb, signed: ts }, NumTy::Int { bits: fb, signed: fs }) = (to_n, from_n)
            && !sat
        {
            // Widening extends by the sign of the source. Narrowing keeps the low bits and, as the destination register
            // may be wider than the type, extends them by the sign of the type.
            let register = self.declared_bits(&st.args[0]).unwrap_or(to.bits()) as u8;
            let kind = match (tb < fb, fs, ts) {
                (true, _, true) => Extend::Sign { from: tb, to: register.max(tb) },
                (true, _, false) => Extend::Zero(tb),
                (false, true, _) => {
                    Extend::Sign { from: fb, to: register.max(tb).min(if ts { 64 } else { tb }) }
                }
                (false, false, _) => Extend::Zero(fb),
            };
            return Ok(Op::Extend { kind, d, a });
        }
        let spec = Cvt { from: from_n, to: to_n, round, ftz, sat, satfinite, relu };
        let b = if two { Some(self.word(st, &st.args[2])?) } else { None };
        Ok(Op::Cvt { spec, d, a, b })
    }
}
