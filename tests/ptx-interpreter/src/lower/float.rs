//! Floating-point arithmetic.

use super::Builder;
use super::mods::Mods;
use crate::error::Result;
use crate::float::Round;
use crate::isa::{FpMode, FpOp, Half, Op};
use crate::syntax::{Statement, Ty};

impl Builder<'_> {
    pub(super) fn float(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let ty = m.ty()?;
        self.float_typed(base, st, m, ty)
    }

    pub(super) fn float_typed(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>, ty: Ty) -> Result<Op> {
        let (nan, relu) = (m.has("NaN"), m.has("relu"));
        // `.approx` and `.full` promise less than what is computed, so they select nothing.
        let _ = m.has("approx") || m.has("full");
        let mode = FpMode { round: m.round(), ftz: m.has("ftz"), sat: m.has("sat") };
        let (op, operands) = match base {
            "add" => (FpOp::Add, 2),
            "sub" => (FpOp::Sub, 2),
            "mul" => (FpOp::Mul, 2),
            "fma" if relu => (FpOp::FmaRelu, 3),
            "fma" | "mad" => (FpOp::Fma, 3),
            "div" => (FpOp::Div, 2),
            "min" => (if nan { FpOp::MinNan } else { FpOp::Min }, 2),
            "max" => (if nan { FpOp::MaxNan } else { FpOp::Max }, 2),
            "copysign" => (FpOp::Copysign, 2),
            "neg" => (FpOp::Neg, 1),
            "abs" => (FpOp::Abs, 1),
            "rcp" => (FpOp::Rcp, 1),
            "sqrt" => (FpOp::Sqrt, 1),
            "rsqrt" => (FpOp::Rsqrt, 1),
            "ex2" => (FpOp::Ex2, 1),
            "lg2" => (FpOp::Lg2, 1),
            "sin" => (FpOp::Sin, 1),
            "cos" => (FpOp::Cos, 1),
            "tanh" => (FpOp::Tanh, 1),
            _ => return Err(m.bad("floating-point type")),
        };
        if relu && op != FpOp::FmaRelu {
            return Err(m.bad("modifier `.relu` is implemented for fma"));
        }
        self.arity(st, operands + 1..=operands + 1)?;
        // Operands that the operation does not have repeat the first one; they are never looked at.
        let at = |i: usize| &st.args[if i <= operands { i } else { 1 }];
        if ty == Ty::F64 {
            if mode.round != Round::Nearest || mode.ftz || mode.sat {
                return Err(m.bad("f64 is implemented with rounding to nearest only"));
            }
            let [d, a, b, c] = [0, 1, 2, 3].map(|i| self.double(st, at(i)));
            return Ok(Op::Fp64 { op, d: d?, a: a?, b: b?, c: c? });
        }
        let (format, packed) = match ty {
            Ty::F32 => {
                let [d, a, b, c] = [0, 1, 2, 3].map(|i| self.word(st, at(i)));
                return Ok(Op::Fp32 { op, mode, d: d?, a: a?, b: b?, c: c? });
            }
            Ty::F16 => (Half::F16, false),
            Ty::F16x2 => (Half::F16, true),
            Ty::Bf16 => (Half::Bf16, false),
            Ty::Bf16x2 => (Half::Bf16, true),
            _ => return Err(m.bad("floating-point type")),
        };
        let bits = ty.bits();
        let [d, a, b, c] = [0, 1, 2, 3].map(|i| self.sized_word(st, at(i), bits));
        Ok(Op::Half { op, mode, format, packed, d: d?, a: a?, b: b?, c: c? })
    }
}
