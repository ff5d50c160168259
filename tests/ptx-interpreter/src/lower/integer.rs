//! Integer arithmetic, logic and bit fields.

use super::Builder;
use super::mods::{Mods, unsupported};
use crate::error::Result;
use crate::isa::{Bin64, BinOp, CarryOp, FieldOp, Op, PredOp, Prmt, Reg, Shift64, Tri64, TriOp, Un64, UnOp};
use crate::syntax::{Statement, Ty};

impl Builder<'_> {
    pub(super) fn un(&mut self, op: UnOp, st: &Statement) -> Result<Op> {
        self.arity(st, 2..=2)?;
        Ok(Op::Un { op, d: self.word(st, &st.args[0])?, a: self.word(st, &st.args[1])? })
    }

    pub(super) fn bin(&mut self, op: BinOp, st: &Statement, bits: u32) -> Result<Op> {
        self.arity(st, 3..=3)?;
        let d = self.word(st, &st.args[0])?;
        let (a, b) = (self.sized_word(st, &st.args[1], bits)?, self.sized_word(st, &st.args[2], bits)?);
        Ok(Op::Bin { op, d, a, b })
    }

    pub(super) fn tri(&mut self, op: TriOp, st: &Statement) -> Result<Op> {
        self.arity(st, 4..=5)?;
        let [d, a, b, c] = [0, 1, 2, 3].map(|i| self.word(st, &st.args[i]));
        Ok(Op::Tri { op, d: d?, a: a?, b: b?, c: c? })
    }

    fn un64(&mut self, op: Un64, st: &Statement) -> Result<Op> {
        self.arity(st, 2..=2)?;
        Ok(Op::Un64 { op, d: self.double(st, &st.args[0])?, a: self.double(st, &st.args[1])? })
    }

    fn bin64(&mut self, op: Bin64, st: &Statement) -> Result<Op> {
        self.arity(st, 3..=3)?;
        let [d, a, b] = [0, 1, 2].map(|i| self.double(st, &st.args[i]));
        Ok(Op::Bin64 { op, d: d?, a: a?, b: b? })
    }

    fn tri64(&mut self, op: Tri64, st: &Statement) -> Result<Op> {
        self.arity(st, 4..=4)?;
        let [d, a, b, c] = [0, 1, 2, 3].map(|i| self.double(st, &st.args[i]));
        Ok(Op::Tri64 { op, d: d?, a: a?, b: b?, c: c? })
    }

    /// The opcodes that integers and floats share.
    pub(super) fn arith(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        if m.has("cc") {
            return self.carry_op(base, st, m, false, true);
        }
        let types = m.types();
        let [ty] = types[..] else { return Err(m.bad("expected one type")) };
        if !ty.integer() {
            return self.float_typed(base, st, m, ty);
        }
        let (bits, signed) = (ty.bits(), ty.signed());
        let pick = |u, s| if signed { s } else { u };
        match base {
            "mul" | "mad" => return self.multiply(base, st, m, ty),
            "neg" | "abs" => {
                let negate = base == "neg";
                return match bits {
                    64 => self.un64(if negate { Un64::Neg } else { Un64::Abs }, st),
                    32 => self.un(if negate { UnOp::Neg } else { UnOp::Abs }, st),
                    _ => self.un(if negate { UnOp::Neg16 } else { UnOp::Abs16 }, st),
                };
            }
            _ => {}
        }
        if m.has("sat") {
            return self.bin(if base == "add" { BinOp::AddSatS } else { BinOp::SubSatS }, st, 32);
        }
        #[rustfmt::skip]
        let (wide, word, short) = match base {
            "add" => (Bin64::Add, BinOp::Add, BinOp::Add16),
            "sub" => (Bin64::Sub, BinOp::Sub, BinOp::Sub16),
            "div" => (if signed { Bin64::DivS } else { Bin64::DivU }, pick(BinOp::DivU, BinOp::DivS), pick(BinOp::DivU16, BinOp::DivS16)),
            "rem" => (if signed { Bin64::RemS } else { Bin64::RemU }, pick(BinOp::RemU, BinOp::RemS), pick(BinOp::RemU16, BinOp::RemS16)),
            "min" => (if signed { Bin64::MinS } else { Bin64::MinU }, pick(BinOp::MinU, BinOp::MinS), pick(BinOp::MinU16, BinOp::MinS16)),
            "max" => (if signed { Bin64::MaxS } else { Bin64::MaxU }, pick(BinOp::MaxU, BinOp::MaxS), pick(BinOp::MaxU16, BinOp::MaxS16)),
            _ => return Err(m.bad("integer type")),
        };
        match bits {
            64 => self.bin64(wide, st),
            32 => self.bin(word, st, 32),
            _ => self.bin(short, st, 16),
        }
    }

    fn multiply(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>, ty: Ty) -> Result<Op> {
        let (bits, signed, mad) = (ty.bits(), ty.signed(), base == "mad");
        let part = m.need(&[("lo", 0), ("hi", 1), ("wide", 2)])?;
        if part == 2 && bits == 32 {
            self.arity(st, if mad { 4..=4 } else { 3..=3 })?;
            let d = self.double(st, &st.args[0])?;
            let (a, b) = (self.word(st, &st.args[1])?, self.word(st, &st.args[2])?);
            if mad {
                return Ok(Op::MadWide { signed, d, a, b, c: self.double(st, &st.args[3])? });
            }
            return Ok(Op::MulWide { signed, d, a, b });
        }
        let s = |u, v| if signed { v } else { u };
        match (bits, part, mad) {
            (64, 0, false) => self.bin64(Bin64::MulLo, st),
            (64, 1, false) => self.bin64(if signed { Bin64::MulHiS } else { Bin64::MulHiU }, st),
            (64, 0, true) => self.tri64(Tri64::MadLo, st),
            (64, 1, true) => self.tri64(if signed { Tri64::MadHiS } else { Tri64::MadHiU }, st),
            (32, 0, false) => self.bin(BinOp::MulLo, st, 32),
            (32, 1, false) => self.bin(s(BinOp::MulHiU, BinOp::MulHiS), st, 32),
            (32, 0, true) => self.tri(TriOp::MadLo, st),
            (32, 1, true) => self.tri(if signed { TriOp::MadHiS } else { TriOp::MadHiU }, st),
            (16, 0, false) => self.bin(BinOp::MulLo16, st, 16),
            (16, 1, false) => self.bin(s(BinOp::MulHiU16, BinOp::MulHiS16), st, 16),
            (16, 2, false) => self.bin(s(BinOp::MulWideU16, BinOp::MulWideS16), st, 16),
            (16, 0, true) => self.tri(TriOp::MadLo16, st),
            (16, 2, true) => self.tri(if signed { TriOp::MadWideS16 } else { TriOp::MadWideU16 }, st),
            _ => Err(m.bad("this width of product")),
        }
    }

    pub(super) fn carry(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let carry_out = m.has("cc");
        self.carry_op(base.trim_end_matches('c'), st, m, true, carry_out)
    }

    fn carry_op(
        &mut self,
        base: &str,
        st: &Statement,
        m: &mut Mods<'_>,
        carry_in: bool,
        carry_out: bool,
    ) -> Result<Op> {
        if m.ty()?.bits() != 32 || !matches!(base, "add" | "sub") {
            return Err(m.bad("the carry flag is implemented for 32-bit add and subtract"));
        }
        self.arity(st, 3..=3)?;
        let [d, a, b] = [0, 1, 2].map(|i| self.word(st, &st.args[i]));
        let op = CarryOp { subtract: base == "sub", carry_in, carry_out };
        Ok(Op::Carry { op, d: d?, a: a?, b: b? })
    }

    pub(super) fn integer(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        match base {
            "and" | "or" | "xor" | "not" | "cnot" => return self.logic(base, st, m),
            "shl" | "shr" => return self.shift(base, st, m),
            "shf" => {
                let right = m.need(&[("l", false), ("r", true)])?;
                let wrap = m.need(&[("wrap", true), ("clamp", false)])?;
                m.ty()?;
                return self.tri(if right { TriOp::ShfR { wrap } } else { TriOp::ShfL { wrap } }, st);
            }
            "prmt" => {
                m.ty()?;
                let mode = m.pick(&[
                    ("f4e", Prmt::F4e),
                    ("b4e", Prmt::B4e),
                    ("rc8", Prmt::Rc8),
                    ("ecl", Prmt::Ecl),
                    ("ecr", Prmt::Ecr),
                    ("rc16", Prmt::Rc16),
                ]);
                return self.tri(TriOp::Prmt(mode.unwrap_or(Prmt::Index)), st);
            }
            "lop3" => {
                m.ty()?;
                self.arity(st, 5..=5)?;
                let crate::syntax::Arg::Int(table) = st.args[4] else {
                    return Err(m.bad("the table of lop3 must be a constant"));
                };
                return self.tri(TriOp::Lop3(table as u8), st);
            }
            "dp4a" => {
                let types = m.types();
                let [a, b] = types[..] else { return Err(m.bad("expected two types")) };
                return self.tri(TriOp::Dp4a { a_signed: a.signed(), b_signed: b.signed() }, st);
            }
            _ => {}
        }
        let shift = m.has("shiftamt");
        let lo = m.has("lo");
        let ty = m.ty()?;
        let (bits, signed) = (ty.bits(), ty.signed());
        let count = match base {
            "popc" => Some(UnOp::Popc),
            "clz" => Some(UnOp::Clz),
            "bfind" => Some(match (signed, shift) {
                (false, false) => UnOp::BfindU,
                (true, false) => UnOp::BfindS,
                (false, true) => UnOp::BfindShiftU,
                (true, true) => UnOp::BfindShiftS,
            }),
            _ => None,
        };
        match (base, count) {
            (_, Some(op)) if bits == 64 => {
                self.arity(st, 2..=2)?;
                Ok(Op::Count64 { op, d: self.word(st, &st.args[0])?, a: self.double(st, &st.args[1])? })
            }
            (_, Some(op)) => self.un(op, st),
            ("brev", _) if bits == 64 => self.un64(Un64::Brev, st),
            ("brev", _) => self.un(UnOp::Brev, st),
            ("mul24", _) if lo => self.bin(BinOp::Mul24Lo, st, 32),
            ("sad", _) if bits == 32 => self.tri(if signed { TriOp::SadS } else { TriOp::SadU }, st),
            ("bfe", _) if bits == 32 => self.tri(if signed { TriOp::BfeS } else { TriOp::BfeU }, st),
            ("bfe" | "bfi", _) => self.field(base, st, ty),
            _ => Err(m.bad("this form")),
        }
    }

    fn field(&mut self, base: &str, st: &Statement, ty: Ty) -> Result<Op> {
        let bits = ty.bits();
        let insert = base == "bfi";
        self.arity(st, if insert { 5..=5 } else { 4..=4 })?;
        let (d, a) = (self.any(st, &st.args[0], bits)?, self.any(st, &st.args[1], bits)?);
        let b = if insert { Some(self.any(st, &st.args[2], bits)?) } else { None };
        let at = if insert { 3 } else { 2 };
        let (pos, len) = (self.word(st, &st.args[at])?, self.word(st, &st.args[at + 1])?);
        let op = match (insert, ty.signed()) {
            (true, _) => FieldOp::Insert,
            (false, true) => FieldOp::ExtractS,
            (false, false) => FieldOp::ExtractU,
        };
        Ok(Op::Field { op, d, a, b, pos, len })
    }

    fn logic(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let ty = m.ty()?;
        if ty == Ty::Pred {
            let op = match base {
                "and" => PredOp::And,
                "or" => PredOp::Or,
                "xor" => PredOp::Xor,
                _ => PredOp::Not,
            };
            self.arity(st, if base == "not" { 2..=2 } else { 3..=3 })?;
            let d = self.pred_dst(st, &st.args[0])?;
            let a = self.pred(st, &st.args[1])?;
            let b = if base == "not" { a } else { self.pred(st, &st.args[2])? };
            return Ok(Op::Pred { op, d, a, b });
        }
        let wide = ty.bits() == 64;
        match (base, wide) {
            ("and", true) => self.bin64(Bin64::And, st),
            ("or", true) => self.bin64(Bin64::Or, st),
            ("xor", true) => self.bin64(Bin64::Xor, st),
            ("not", true) => self.un64(Un64::Not, st),
            ("and", false) => self.bin(BinOp::And, st, ty.bits()),
            ("or", false) => self.bin(BinOp::Or, st, ty.bits()),
            ("xor", false) => self.bin(BinOp::Xor, st, ty.bits()),
            ("not", false) => self.un(if ty.bits() == 16 { UnOp::Not16 } else { UnOp::Not }, st),
            ("cnot", false) if ty.bits() == 32 => self.un(UnOp::Cnot, st),
            _ => Err(unsupported(st, "this form")),
        }
    }

    fn shift(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let ty = m.ty()?;
        let (left, signed) = (base == "shl", ty.signed());
        self.arity(st, 3..=3)?;
        if ty.bits() == 64 {
            let op = if left { Shift64::Shl } else { [Shift64::ShrU, Shift64::ShrS][usize::from(signed)] };
            let (d, a) = (self.double(st, &st.args[0])?, self.double(st, &st.args[1])?);
            return Ok(Op::Shift64 { op, d, a, b: self.word(st, &st.args[2])? });
        }
        let op = match (ty.bits(), left, signed) {
            (32, true, _) => BinOp::Shl,
            (32, false, false) => BinOp::ShrU,
            (32, false, true) => BinOp::ShrS,
            (16, true, _) => BinOp::Shl16,
            (16, false, false) => BinOp::ShrU16,
            (16, false, true) => BinOp::ShrS16,
            _ => return Err(m.bad("this width")),
        };
        let d = self.word(st, &st.args[0])?;
        // The amount is always 32 bits wide; the value has the width of the operation.
        let a = self.sized_word(st, &st.args[1], ty.bits())?;
        let Reg::W(b) = self.any(st, &st.args[2], 32)? else { return Err(m.bad("64-bit shift amount")) };
        Ok(Op::Bin { op, d, a, b })
    }
}
