//! Operations with several forms: bit fields, comparisons, conversions, packing.

use super::bits;
use super::compare::{compare, convert};
use super::regs::{LANES, lanes};
use super::warp::Warp;
use crate::isa::{CmpTy, Cvt, FieldOp, NumTy, Pack, PredOp, Reg, Setp, W};

impl Warp {
    #[expect(clippy::too_many_arguments, reason = "the operands of one instruction")]
    pub(crate) fn field(&mut self, op: FieldOp, d: Reg, a: Reg, b: Option<Reg>, pos: W, len: W, m: u32) {
        let bits = if matches!(d, Reg::D(_)) { 64 } else { 32 };
        let r = &mut self.regs;
        let ok = r.ok(a) & b.map_or(u32::MAX, |b| r.ok(b)) & r.w_ok(pos) & r.w_ok(len);
        let row: [u64; LANES] = std::array::from_fn(|l| {
            let (x, p, n) = (r.lane(a, l), r.w(pos)[l], r.w(len)[l]);
            match op {
                FieldOp::Insert => bits::insert(x, b.map_or(0, |b| r.lane(b, l)), p, n, bits),
                FieldOp::ExtractU => bits::extract(x, p, n, bits, false),
                FieldOp::ExtractS => bits::extract(x, p, n, bits, true),
            }
        });
        match d {
            Reg::D(d) => r.put_d(d, &row, m, ok),
            Reg::W(d) => r.put_w(d, &row.map(|x| x as u32), m, ok),
        }
    }

    pub(crate) fn setp(&mut self, s: &Setp, m: u32) {
        let r = &mut self.regs;
        let ok = r.ok(s.a) & r.ok(s.b);
        let ballot = |f: &dyn Fn(usize) -> bool| lanes(m).filter(|&l| f(l)).fold(0u32, |b, l| b | 1 << l);
        let (a, b) = (s.a, s.b);
        let low = match (s.ty, a, b) {
            // The comparison of loop counters and bounds.
            (CmpTy::S32 | CmpTy::U32, Reg::W(a), Reg::W(b)) => {
                let (x, y) = (r.w(a), r.w(b));
                ballot(&|l| compare(s.cmp, s.ty, false, x[l].into(), y[l].into()))
            }
            _ => ballot(&|l| compare(s.cmp, s.ty, s.ftz, r.lane(a, l), r.lane(b, l))),
        };
        let packed = matches!(s.ty, CmpTy::Packed(_));
        let high = if packed {
            ballot(&|l| compare(s.cmp, s.ty, s.ftz, r.lane(a, l) >> 16, r.lane(b, l) >> 16))
        } else {
            !low
        };
        let (with, with_ok) = match s.combine {
            Some((_, p)) => (r.p(p), r.p_ok(p)),
            None => (u32::MAX, u32::MAX),
        };
        let join = |x: u32| match s.combine {
            Some((PredOp::And, _)) => x & with,
            Some((PredOp::Or, _)) => x | with,
            Some((PredOp::Xor, _)) => x ^ with,
            _ => x,
        };
        r.put_p(s.d, join(low), m, ok & with_ok);
        if let Some(q) = s.q {
            r.put_p(q, join(high), m, ok & with_ok);
        }
    }

    pub(crate) fn cvt(&mut self, spec: &Cvt, d: Reg, a: Reg, b: Option<W>, m: u32) {
        let shift = match spec.to {
            NumTy::F16x2 | NumTy::Bf16x2 if spec.from == NumTy::F32 => Some(16),
            NumTy::E4m3x2 | NumTy::E5m2x2 if spec.from == NumTy::F32 => Some(8),
            _ => None,
        };
        if let (Some(shift), Some(b)) = (shift, b) {
            // The first source goes to the high part.
            let r = &mut self.regs;
            let ok = r.ok(a) & r.w_ok(b);
            for l in lanes(m) {
                let value = convert(spec, r.lane(a, l)) << shift | convert(spec, r.w(b)[l].into());
                r.put_lane(d, l, value);
            }
            if let Reg::W(w) = d {
                let row = *r.w(w);
                r.put_w(w, &row, m, ok);
            }
            return;
        }
        let parts = match spec.from {
            NumTy::E4m3x2 | NumTy::E5m2x2 => Some((8, 16)),
            NumTy::F16x2 | NumTy::Bf16x2 => {
                Some((16, if matches!(spec.to, NumTy::E4m3x2 | NumTy::E5m2x2) { 8 } else { 16 }))
            }
            _ => None,
        };
        match parts {
            Some((from, to)) => self.each(d, a, m, |x| convert(spec, x) | convert(spec, x >> from) << to),
            None => self.each(d, a, m, |x| convert(spec, x)),
        }
    }

    pub(crate) fn pack(&mut self, p: &Pack, m: u32) {
        let r = &mut self.regs;
        let bits = u32::from(p.bits);
        let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
        let ok = if p.join { p.parts.iter().fold(u32::MAX, |s, x| s & r.ok(*x)) } else { r.ok(p.whole) };
        for l in lanes(m) {
            if p.join {
                let value = p.parts.iter().rev().fold(0u64, |s, x| s << bits | r.lane(*x, l) & mask);
                r.put_lane(p.whole, l, value);
            } else {
                let value = r.lane(p.whole, l);
                for (i, part) in p.parts.iter().enumerate() {
                    r.put_lane(*part, l, value >> (bits * i as u32) & mask);
                }
            }
        }
        let written: &[Reg] = if p.join { std::slice::from_ref(&p.whole) } else { &p.parts };
        for d in written {
            match *d {
                Reg::W(w) => {
                    let row = *r.w(w);
                    r.put_w(w, &row, m, ok);
                }
                Reg::D(w) => {
                    let row = *r.d(w);
                    r.put_d(w, &row, m, ok);
                }
            }
        }
    }
}
