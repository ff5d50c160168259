//! Bit counts, bit fields and byte permutations of single values.

use crate::isa::{Prmt, UnOp};

/// Position of the highest bit that differs from the sign, -1 if none (`bfind`).
pub(crate) fn bfind(x: u64, bits: u32, signed: bool) -> u32 {
    let negative = signed && x >> (bits - 1) & 1 == 1;
    let x = if negative { !x } else { x } & (u64::MAX >> (64 - bits));
    if x == 0 { u32::MAX } else { 63 - x.leading_zeros() }
}

pub(crate) fn count64(op: UnOp, x: u64) -> u32 {
    match op {
        UnOp::Popc => x.count_ones(),
        UnOp::Clz => x.leading_zeros(),
        UnOp::BfindU => bfind(x, 64, false),
        UnOp::BfindS => bfind(x, 64, true),
        UnOp::BfindShiftU | UnOp::BfindShiftS => shift_amount(bfind(x, 64, op == UnOp::BfindShiftS), 63),
        _ => 0,
    }
}

/// `.shiftamt`: how far left the found bit must go to reach the top.
pub(crate) fn shift_amount(found: u32, top: u32) -> u32 {
    if found == u32::MAX { u32::MAX } else { top - found }
}

pub(crate) fn lop3(a: u32, b: u32, c: u32, table: u8) -> u32 {
    let mut out = 0;
    for i in 0..8 {
        if table >> i & 1 == 1 {
            let pick = |x: u32, bit: u32| if i >> bit & 1 == 1 { x } else { !x };
            out |= pick(a, 2) & pick(b, 1) & pick(c, 0);
        }
    }
    out
}

pub(crate) fn prmt(mode: Prmt, a: u32, b: u32, c: u32) -> u32 {
    let bytes = u64::from(a) | u64::from(b) << 32;
    let byte = |i: u32| (bytes >> (8 * (i & 7))) as u32 & 0xff;
    let n = c & 3;
    let index = |i: u32| match mode {
        Prmt::Index => c >> (4 * i),
        Prmt::F4e => n + i,
        Prmt::B4e => n.wrapping_sub(i) & 7,
        Prmt::Rc8 => n,
        Prmt::Ecl => i.max(n),
        Prmt::Ecr => i.min(n),
        Prmt::Rc16 => (n & 1) * 2 + (i & 1),
    };
    (0..4).fold(0, |out, i| {
        let k = index(i);
        let v = byte(k);
        // Bit 3 of a selector replicates the sign of the byte.
        let v = if mode == Prmt::Index && k & 8 != 0 { if v & 0x80 != 0 { 0xff } else { 0 } } else { v };
        out | v << (8 * i)
    })
}

/// Bit field of `len` bits at `pos`; the sign bit of a field that runs over the top is the top bit (`bfe`).
pub(crate) fn extract(x: u64, pos: u32, len: u32, bits: u32, signed: bool) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    let all = u64::MAX >> (64 - bits);
    if len == 0 {
        return 0;
    }
    let sign = signed && x >> (pos + len - 1).min(bits - 1) & 1 == 1;
    let field = if pos >= bits { 0 } else { (x & all) >> pos };
    let ones = if sign { all } else { 0 };
    // Bits taken from the value: those of the field that the value has.
    let have = len.min(bits.saturating_sub(pos));
    let low = if have == 0 { 0 } else { u64::MAX >> (64 - have) };
    (field & low) | (ones & !low)
}

/// `b` with the low `len` bits of `a` at `pos` (`bfi`).
pub(crate) fn insert(a: u64, b: u64, pos: u32, len: u32, bits: u32) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    let all = u64::MAX >> (64 - bits);
    if pos >= bits || len == 0 {
        return b & all;
    }
    let field = if len >= 64 { u64::MAX } else { (1 << len) - 1 };
    let mask = (field << pos) & all;
    (a << pos & mask) | (b & all & !mask)
}

pub(crate) fn dp4a(a: u32, b: u32, c: u32, a_signed: bool, b_signed: bool) -> u32 {
    let byte = |x: u32, i: usize, signed: bool| {
        let v = x.to_le_bytes()[i];
        if signed { i32::from(v as i8) } else { i32::from(v) }
    };
    (0..4).fold(c, |s, i| s.wrapping_add((byte(a, i, a_signed) * byte(b, i, b_signed)) as u32))
}
