//! Dispatch of arithmetic: rows in, rows out, with the lanes that are defined.

use super::compare::{compare, resize, test};
use super::int;
use super::regs::{LANES, Row, lanes};
use super::warp::Warp;
use crate::float::{Round, canonical, fp32, fp64, half_op};
use crate::isa::{Extend, FpMode, FpOp, Half, Op, PredOp, Reg};
use crate::memory::{generic, specific};

impl Warp {
    /// Everything that neither branches nor touches memory nor needs other lanes.
    pub(crate) fn alu(&mut self, op: &Op, m: u32) {
        let r = &mut self.regs;
        match *op {
            Op::MovW { d, a } => {
                let (row, ok) = (*r.w(a), r.w_ok(a));
                r.put_w(d, &row, m, ok);
            }
            Op::MovD { d, a } => {
                let (row, ok) = (*r.d(a), r.d_ok(a));
                r.put_d(d, &row, m, ok);
            }
            Op::Un { op, d, a } => {
                let row = int::un(op, r.w(a));
                r.put_w(d, &row, m, r.w_ok(a));
            }
            Op::Bin { op, d, a, b } => {
                let row = int::bin(op, r.w(a), r.w(b));
                r.put_w(d, &row, m, r.w_ok(a) & r.w_ok(b));
            }
            Op::Tri { op, d, a, b, c } => {
                let row = int::tri(op, r.w(a), r.w(b), r.w(c));
                r.put_w(d, &row, m, r.w_ok(a) & r.w_ok(b) & r.w_ok(c));
            }
            Op::Un64 { op, d, a } => {
                let row = int::un64(op, r.d(a));
                r.put_d(d, &row, m, r.d_ok(a));
            }
            Op::Bin64 { op, d, a, b } => {
                let row = int::bin64(op, r.d(a), r.d(b));
                r.put_d(d, &row, m, r.d_ok(a) & r.d_ok(b));
            }
            Op::Tri64 { op, d, a, b, c } => {
                let row = int::tri64(op, r.d(a), r.d(b), r.d(c));
                r.put_d(d, &row, m, r.d_ok(a) & r.d_ok(b) & r.d_ok(c));
            }
            Op::Shift64 { op, d, a, b } => {
                let row = int::shift64(op, r.d(a), r.w(b));
                r.put_d(d, &row, m, r.d_ok(a) & r.w_ok(b));
            }
            Op::Count64 { op, d, a } => {
                let row: Row = std::array::from_fn(|l| super::bits::count64(op, r.d(a)[l]));
                r.put_w(d, &row, m, r.d_ok(a));
            }
            Op::MulWide { signed, d, a, b } => {
                let row = int::mul_wide(signed, r.w(a), r.w(b));
                r.put_d(d, &row, m, r.w_ok(a) & r.w_ok(b));
            }
            Op::MadWide { signed, d, a, b, c } => {
                let mut row = int::mul_wide(signed, r.w(a), r.w(b));
                for (x, c) in row.iter_mut().zip(r.d(c)) {
                    *x = x.wrapping_add(*c);
                }
                r.put_d(d, &row, m, r.w_ok(a) & r.w_ok(b) & r.d_ok(c));
            }
            Op::Field { op, d, a, b, pos, len } => self.field(op, d, a, b, pos, len, m),
            Op::Carry { op, d, a, b } => {
                let mut row = [0; LANES];
                for l in lanes(m) {
                    let carry = if op.carry_in { u64::from(self.carry >> l & 1) } else { 0 };
                    let (x, y) = (u64::from(r.w(a)[l]), u64::from(r.w(b)[l]));
                    let wide =
                        if op.subtract { x.wrapping_sub(y).wrapping_sub(carry) } else { x + y + carry };
                    row[l] = wide as u32;
                    if op.carry_out {
                        self.carry = self.carry & !(1 << l) | ((wide >> 32) as u32 & 1) << l;
                    }
                }
                r.put_w(d, &row, m, r.w_ok(a) & r.w_ok(b));
            }
            Op::Fp32 { op, mode, d, a, b, c } => {
                let row = fp32_row(op, mode, r.w(a), r.w(b), r.w(c));
                r.put_w(d, &row, m, r.w_ok(a) & r.w_ok(b) & r.w_ok(c));
            }
            Op::Fp64 { op, d, a, b, c } => {
                let row = std::array::from_fn(|l| fp64(op, r.d(a)[l], r.d(b)[l], r.d(c)[l]));
                r.put_d(d, &row, m, r.d_ok(a) & r.d_ok(b) & r.d_ok(c));
            }
            Op::Half { op, mode, format, packed, d, a, b, c } => {
                let row = half_row(op, mode, format, packed, [r.w(a), r.w(b), r.w(c)]);
                r.put_w(d, &row, m, r.w_ok(a) & r.w_ok(b) & r.w_ok(c));
            }
            Op::Setp(ref s) => self.setp(s, m),
            Op::Set { cmp, ty, ftz, float, d, a, b } => {
                let yes = if float { 1f32.to_bits() } else { u32::MAX };
                let at = |l| if compare(cmp, ty, ftz, r.lane(a, l), r.lane(b, l)) { yes } else { 0 };
                let row: Row = std::array::from_fn(at);
                r.put_w(d, &row, m, r.ok(a) & r.ok(b));
            }
            Op::TestP { kind, ty, d, a } => {
                let bits = lanes(m).filter(|&l| test(kind, ty, r.lane(a, l))).fold(0, |s, l| s | 1 << l);
                r.put_p(d, bits, m, r.ok(a));
            }
            Op::Pred { op, d, a, b } => {
                let (x, y) = (r.p(a), r.p(b));
                let value = match op {
                    PredOp::Mov => x,
                    PredOp::Not => !x,
                    PredOp::And => x & y,
                    PredOp::Or => x | y,
                    PredOp::Xor => x ^ y,
                };
                r.put_p(d, value, m, r.p_ok(a) & r.p_ok(b));
            }
            Op::SelW { d, a, b, p } => {
                let pick = r.p(p);
                let row: Row =
                    std::array::from_fn(|l| if pick >> l & 1 == 1 { r.w(a)[l] } else { r.w(b)[l] });
                r.put_w(d, &row, m, r.p_ok(p) & (pick & r.w_ok(a) | !pick & r.w_ok(b)));
            }
            Op::SelD { d, a, b, p } => {
                let pick = r.p(p);
                let row = std::array::from_fn(|l| if pick >> l & 1 == 1 { r.d(a)[l] } else { r.d(b)[l] });
                r.put_d(d, &row, m, r.p_ok(p) & (pick & r.d_ok(a) | !pick & r.d_ok(b)));
            }
            Op::Extend { kind, d, a } => self.each(d, a, m, |x| match kind {
                Extend::Zero(bits) => resize(x, bits, false),
                Extend::Sign { from, to } => resize(resize(x, from, true), to, false),
            }),
            Op::Cvt { ref spec, d, a, b } => self.cvt(spec, d, a, b, m),
            Op::Pack(ref p) => self.pack(p, m),
            Op::CvtaFrom { space, d, a } => self.each(Reg::D(d), Reg::D(a), m, |x| generic(space, x)),
            // The offset in the window; an address of another space stays as it is and fails when used.
            Op::CvtaTo { space, d, a } => self.each(d, Reg::D(a), m, |x| match specific(x) {
                (s, at) if s == space => at,
                _ => x | 1 << 31,
            }),
            Op::IsSpace { space, d, a } => {
                let bits = lanes(m).filter(|&l| specific(r.d(a)[l]).0 == space).fold(0, |s, l| s | 1 << l);
                r.put_p(d, bits, m, r.d_ok(a));
            }
            // The warp's loop handles all others.
            _ => {}
        }
    }

    pub(crate) fn each(&mut self, d: Reg, a: Reg, m: u32, f: impl Fn(u64) -> u64) {
        let r = &mut self.regs;
        let ok = r.ok(a);
        match (d, a) {
            (Reg::D(d), Reg::W(a)) => {
                let row = r.w(a).map(|x| f(x.into()));
                r.put_d(d, &row, m, ok);
            }
            (Reg::D(d), Reg::D(a)) => {
                let row = r.d(a).map(f);
                r.put_d(d, &row, m, ok);
            }
            (Reg::W(d), Reg::W(a)) => {
                let row = r.w(a).map(|x| f(x.into()) as u32);
                r.put_w(d, &row, m, ok);
            }
            (Reg::W(d), Reg::D(a)) => {
                let row = r.d(a).map(|x| f(x) as u32);
                r.put_w(d, &row, m, ok);
            }
        }
    }
}

/// The plain modes of the common operations in loops that the compiler can widen, the others lane by lane.
fn fp32_row(op: FpOp, mode: FpMode, a: &Row, b: &Row, c: &Row) -> Row {
    let f = f32::from_bits;
    if mode.round == Round::Nearest && !mode.ftz && !mode.sat {
        match op {
            FpOp::Add => return int::zip(a, b, |x, y| canonical(f(x) + f(y))),
            FpOp::Sub => return int::zip(a, b, |x, y| canonical(f(x) - f(y))),
            FpOp::Mul => return int::zip(a, b, |x, y| canonical(f(x) * f(y))),
            FpOp::Fma => return fma_row(a, b, c),
            _ => {}
        }
    }
    std::array::from_fn(|l| fp32(op, mode, a[l], b[l], c[l]))
}

fn half_row(op: FpOp, mode: FpMode, format: Half, packed: bool, rows: [&Row; 3]) -> Row {
    let [a, b, c] = rows;
    std::array::from_fn(|l| {
        let low = half_op(op, mode, format, a[l], b[l], c[l]);
        if packed { low | half_op(op, mode, format, a[l] >> 16, b[l] >> 16, c[l] >> 16) << 16 } else { low }
    })
}

/// `f32` fused multiply-add of a row without a library call for each lane.
///
/// The product is exact in `f64`. Rounding the `f64` sum again to `f32` differs from one rounding only where that sum
/// lies exactly between two `f32`, or where the result is subnormal; those lanes are computed again.
fn fma_row(a: &Row, b: &Row, c: &Row) -> Row {
    let f = |x: u32| f64::from(f32::from_bits(x));
    let mut out = [0; LANES];
    let (mut halfway, mut tiny) = (false, false);
    for l in 0..LANES {
        let sum = f(a[l]) * f(b[l]) + f(c[l]);
        let rounded = sum as f32;
        halfway |= sum.to_bits() as u32 & 0x1fff_ffff == 0x1000_0000;
        tiny |= (rounded.to_bits() & 0x7f80_0000 == 0) & (sum.to_bits() << 1 != 0);
        out[l] = canonical(rounded);
    }
    if tiny {
        return std::array::from_fn(|l| fp32(FpOp::Fma, FpMode::PLAIN, a[l], b[l], c[l]));
    }
    if halfway {
        for l in 0..LANES {
            // Only an inexact sum can mislead the second rounding.
            let (p, z) = (f(a[l]) * f(b[l]), f(c[l]));
            let s = p + z;
            let v = s - p;
            if (p - (s - v)) + (z - v) != 0.0 {
                out[l] = fp32(FpOp::Fma, FpMode::PLAIN, a[l], b[l], c[l]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fma_rounds_once() {
        // Products and sums near ties, cancellations, subnormals, infinities: random mantissas, chosen exponents.
        let mut state = 0x9e37_79b9u32;
        let mut next = |exponents: [u32; 4]| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let coarse = if state & 0x10 == 0 { 0x007f_ffff } else { 0x007f_f000 };
            (state >> 3 & coarse) | exponents[(state >> 30) as usize] << 23 | state << 31
        };
        for _ in 0..20_000 {
            let a: Row = std::array::from_fn(|_| next([127, 1, 64, 254]));
            let b: Row = std::array::from_fn(|_| next([127, 63, 126, 128]));
            let c: Row = std::array::from_fn(|_| next([127, 0, 103, 151]));
            let got = fma_row(&a, &b, &c);
            for l in 0..LANES {
                let f = f32::from_bits;
                let expected = canonical(f(a[l]).mul_add(f(b[l]), f(c[l])));
                assert_eq!(got[l], expected, "{:#x} * {:#x} + {:#x}", a[l], b[l], c[l]);
            }
        }
    }
}
