//! Integer operations on rows.

use super::bits::{bfind, dp4a, extract, lop3, prmt, shift_amount};
use super::regs::{Row, Row64};
use crate::isa::{Bin64, BinOp, Shift64, Tri64, TriOp, Un64, UnOp};

#[inline(always)]
pub(crate) fn map(a: &Row, f: impl Fn(u32) -> u32) -> Row {
    std::array::from_fn(|l| f(a[l]))
}

#[inline(always)]
pub(crate) fn zip(a: &Row, b: &Row, f: impl Fn(u32, u32) -> u32) -> Row {
    std::array::from_fn(|l| f(a[l], b[l]))
}

#[inline(always)]
pub(crate) fn zip3(a: &Row, b: &Row, c: &Row, f: impl Fn(u32, u32, u32) -> u32) -> Row {
    std::array::from_fn(|l| f(a[l], b[l], c[l]))
}

#[inline(always)]
fn zip64(a: &Row64, b: &Row64, f: impl Fn(u64, u64) -> u64) -> Row64 {
    std::array::from_fn(|l| f(a[l], b[l]))
}

/// Sign extension of the low 16 bits.
fn s16(x: u32) -> i32 {
    i32::from(x as u16 as i16)
}

fn u16_of(x: u32) -> u32 {
    x & 0xffff
}

pub(crate) fn un(op: UnOp, a: &Row) -> Row {
    match op {
        UnOp::Not => map(a, |x| !x),
        UnOp::Neg => map(a, u32::wrapping_neg),
        UnOp::Abs => map(a, |x| (x as i32).wrapping_abs() as u32),
        UnOp::Not16 => map(a, |x| u16_of(!x)),
        UnOp::Neg16 => map(a, |x| u16_of(x.wrapping_neg())),
        UnOp::Abs16 => map(a, |x| u16_of(s16(x).wrapping_abs() as u32)),
        UnOp::Popc => map(a, u32::count_ones),
        UnOp::Clz => map(a, u32::leading_zeros),
        UnOp::Brev => map(a, u32::reverse_bits),
        UnOp::Cnot => map(a, |x| u32::from(x == 0)),
        UnOp::BfindU => map(a, |x| bfind(u64::from(x), 32, false)),
        UnOp::BfindS => map(a, |x| bfind(u64::from(x), 32, true)),
        UnOp::BfindShiftU => map(a, |x| shift_amount(bfind(u64::from(x), 32, false), 31)),
        UnOp::BfindShiftS => map(a, |x| shift_amount(bfind(u64::from(x), 32, true), 31)),
    }
}

/// Division by zero gives all ones, its remainder the dividend: what the hardware does where PTX says nothing.
fn div_rem(a: i64, b: i64) -> (i64, i64) {
    if b == 0 { (-1, a) } else { (a.wrapping_div(b), a.wrapping_rem(b)) }
}

pub(crate) fn bin(op: BinOp, a: &Row, b: &Row) -> Row {
    let (si, ui) = (|x: u32| i64::from(x as i32), i64::from);
    match op {
        BinOp::Add => zip(a, b, u32::wrapping_add),
        BinOp::Sub => zip(a, b, u32::wrapping_sub),
        BinOp::Add16 => zip(a, b, |x, y| u16_of(x.wrapping_add(y))),
        BinOp::Sub16 => zip(a, b, |x, y| u16_of(x.wrapping_sub(y))),
        BinOp::MulLo => zip(a, b, u32::wrapping_mul),
        BinOp::MulLo16 => zip(a, b, |x, y| u16_of(x.wrapping_mul(y))),
        BinOp::MulHiU => zip(a, b, |x, y| ((u64::from(x) * u64::from(y)) >> 32) as u32),
        BinOp::MulHiS => zip(a, b, |x, y| ((si(x) * si(y)) >> 32) as u32),
        BinOp::MulHiU16 => zip(a, b, |x, y| (u16_of(x) * u16_of(y)) >> 16),
        BinOp::MulHiS16 => zip(a, b, |x, y| u16_of(((s16(x) * s16(y)) >> 16) as u32)),
        BinOp::MulWideU16 => zip(a, b, |x, y| u16_of(x) * u16_of(y)),
        BinOp::MulWideS16 => zip(a, b, |x, y| (s16(x) * s16(y)) as u32),
        BinOp::Mul24Lo => zip(a, b, |x, y| (x & 0xff_ffff).wrapping_mul(y & 0xff_ffff)),
        BinOp::AddSatS => zip(a, b, |x, y| (x as i32).saturating_add(y as i32) as u32),
        BinOp::SubSatS => zip(a, b, |x, y| (x as i32).saturating_sub(y as i32) as u32),
        BinOp::DivU => zip(a, b, |x, y| div_rem(ui(x), ui(y)).0 as u32),
        BinOp::DivS => zip(a, b, |x, y| div_rem(si(x), si(y)).0 as u32),
        BinOp::RemU => zip(a, b, |x, y| div_rem(ui(x), ui(y)).1 as u32),
        BinOp::RemS => zip(a, b, |x, y| div_rem(si(x), si(y)).1 as u32),
        BinOp::DivU16 => zip(a, b, |x, y| u16_of(div_rem(ui(u16_of(x)), ui(u16_of(y))).0 as u32)),
        BinOp::DivS16 => zip(a, b, |x, y| u16_of(div_rem(s16(x).into(), s16(y).into()).0 as u32)),
        BinOp::RemU16 => zip(a, b, |x, y| u16_of(div_rem(ui(u16_of(x)), ui(u16_of(y))).1 as u32)),
        BinOp::RemS16 => zip(a, b, |x, y| u16_of(div_rem(s16(x).into(), s16(y).into()).1 as u32)),
        BinOp::MinU => zip(a, b, u32::min),
        BinOp::MaxU => zip(a, b, u32::max),
        BinOp::MinS => zip(a, b, |x, y| (x as i32).min(y as i32) as u32),
        BinOp::MaxS => zip(a, b, |x, y| (x as i32).max(y as i32) as u32),
        BinOp::MinU16 => zip(a, b, |x, y| u16_of(x).min(u16_of(y))),
        BinOp::MaxU16 => zip(a, b, |x, y| u16_of(x).max(u16_of(y))),
        BinOp::MinS16 => zip(a, b, |x, y| u16_of(s16(x).min(s16(y)) as u32)),
        BinOp::MaxS16 => zip(a, b, |x, y| u16_of(s16(x).max(s16(y)) as u32)),
        BinOp::And => zip(a, b, |x, y| x & y),
        BinOp::Or => zip(a, b, |x, y| x | y),
        BinOp::Xor => zip(a, b, |x, y| x ^ y),
        // Shift amounts beyond the width clamp.
        BinOp::Shl => zip(a, b, |x, y| if y > 31 { 0 } else { x << y }),
        BinOp::ShrU => zip(a, b, |x, y| if y > 31 { 0 } else { x >> y }),
        BinOp::ShrS => zip(a, b, |x, y| ((x as i32) >> y.min(31)) as u32),
        BinOp::Shl16 => zip(a, b, |x, y| if y > 15 { 0 } else { u16_of(x << y) }),
        BinOp::ShrU16 => zip(a, b, |x, y| if y > 15 { 0 } else { u16_of(x) >> y }),
        BinOp::ShrS16 => zip(a, b, |x, y| u16_of((s16(x) >> y.min(15)) as u32)),
    }
}

pub(crate) fn tri(op: TriOp, a: &Row, b: &Row, c: &Row) -> Row {
    let wide = |x: u32, y: u32| u64::from(x) * u64::from(y);
    let wide_s = |x: u32, y: u32| (i64::from(x as i32) * i64::from(y as i32)) as u64;
    let pair = |lo: u32, hi: u32| u64::from(lo) | u64::from(hi) << 32;
    match op {
        TriOp::MadLo => zip3(a, b, c, |x, y, z| x.wrapping_mul(y).wrapping_add(z)),
        TriOp::MadLo16 => zip3(a, b, c, |x, y, z| u16_of(x.wrapping_mul(y).wrapping_add(z))),
        TriOp::MadHiU => zip3(a, b, c, |x, y, z| ((wide(x, y) >> 32) as u32).wrapping_add(z)),
        TriOp::MadHiS => zip3(a, b, c, |x, y, z| ((wide_s(x, y) >> 32) as u32).wrapping_add(z)),
        TriOp::MadWideU16 => zip3(a, b, c, |x, y, z| (u16_of(x) * u16_of(y)).wrapping_add(z)),
        TriOp::MadWideS16 => zip3(a, b, c, |x, y, z| ((s16(x) * s16(y)) as u32).wrapping_add(z)),
        TriOp::Lop3(table) => zip3(a, b, c, |x, y, z| lop3(x, y, z, table)),
        TriOp::ShfL { wrap } => zip3(a, b, c, |x, y, n| {
            let n = if wrap { n & 31 } else { n.min(32) };
            ((pair(x, y) << n) >> 32) as u32
        }),
        TriOp::ShfR { wrap } => zip3(a, b, c, |x, y, n| {
            let n = if wrap { n & 31 } else { n.min(32) };
            (pair(x, y) >> n) as u32
        }),
        TriOp::Prmt(mode) => zip3(a, b, c, |x, y, z| prmt(mode, x, y, z)),
        TriOp::BfeU => zip3(a, b, c, |x, p, n| extract(u64::from(x), p, n, 32, false) as u32),
        TriOp::BfeS => zip3(a, b, c, |x, p, n| extract(u64::from(x), p, n, 32, true) as u32),
        TriOp::SadU => zip3(a, b, c, |x, y, z| z.wrapping_add(x.abs_diff(y))),
        TriOp::SadS => zip3(a, b, c, |x, y, z| z.wrapping_add((x as i32).abs_diff(y as i32))),
        TriOp::Dp4a { a_signed, b_signed } => zip3(a, b, c, |x, y, z| dp4a(x, y, z, a_signed, b_signed)),
        TriOp::SlctS32 => zip3(a, b, c, |x, y, z| if z as i32 >= 0 { x } else { y }),
        TriOp::SlctF32 => zip3(a, b, c, |x, y, z| if f32::from_bits(z) >= 0.0 { x } else { y }),
    }
}

pub(crate) fn un64(op: Un64, a: &Row64) -> Row64 {
    a.map(|x| match op {
        Un64::Not => !x,
        Un64::Neg => x.wrapping_neg(),
        Un64::Abs => (x as i64).wrapping_abs() as u64,
        Un64::Brev => x.reverse_bits(),
    })
}

fn mul_hi_u(x: u64, y: u64) -> u64 {
    ((u128::from(x) * u128::from(y)) >> 64) as u64
}

fn mul_hi_s(x: u64, y: u64) -> u64 {
    ((i128::from(x as i64) * i128::from(y as i64)) >> 64) as u64
}

pub(crate) fn bin64(op: Bin64, a: &Row64, b: &Row64) -> Row64 {
    match op {
        Bin64::Add => zip64(a, b, u64::wrapping_add),
        Bin64::Sub => zip64(a, b, u64::wrapping_sub),
        Bin64::MulLo => zip64(a, b, u64::wrapping_mul),
        Bin64::MulHiU => zip64(a, b, mul_hi_u),
        Bin64::MulHiS => zip64(a, b, mul_hi_s),
        Bin64::DivU => zip64(a, b, |x, y| x.checked_div(y).unwrap_or(u64::MAX)),
        Bin64::RemU => zip64(a, b, |x, y| x.checked_rem(y).unwrap_or(x)),
        Bin64::DivS => zip64(a, b, |x, y| div_rem(x as i64, y as i64).0 as u64),
        Bin64::RemS => zip64(a, b, |x, y| div_rem(x as i64, y as i64).1 as u64),
        Bin64::MinU => zip64(a, b, u64::min),
        Bin64::MaxU => zip64(a, b, u64::max),
        Bin64::MinS => zip64(a, b, |x, y| (x as i64).min(y as i64) as u64),
        Bin64::MaxS => zip64(a, b, |x, y| (x as i64).max(y as i64) as u64),
        Bin64::And => zip64(a, b, |x, y| x & y),
        Bin64::Or => zip64(a, b, |x, y| x | y),
        Bin64::Xor => zip64(a, b, |x, y| x ^ y),
    }
}

pub(crate) fn tri64(op: Tri64, a: &Row64, b: &Row64, c: &Row64) -> Row64 {
    std::array::from_fn(|l| {
        let product = match op {
            Tri64::MadLo => a[l].wrapping_mul(b[l]),
            Tri64::MadHiU => mul_hi_u(a[l], b[l]),
            Tri64::MadHiS => mul_hi_s(a[l], b[l]),
        };
        product.wrapping_add(c[l])
    })
}

pub(crate) fn shift64(op: Shift64, a: &Row64, b: &Row) -> Row64 {
    std::array::from_fn(|l| {
        let (x, n): (u64, u32) = (a[l], b[l]);
        match op {
            Shift64::Shl => x.checked_shl(n).unwrap_or(0),
            Shift64::ShrU => x.checked_shr(n).unwrap_or(0),
            Shift64::ShrS => ((x as i64) >> n.min(63)) as u64,
        }
    })
}

/// Products of 32-bit factors with 64 bits.
pub(crate) fn mul_wide(signed: bool, a: &Row, b: &Row) -> Row64 {
    if signed {
        std::array::from_fn(|l| (i64::from(a[l] as i32) * i64::from(b[l] as i32)) as u64)
    } else {
        std::array::from_fn(|l| u64::from(a[l]) * u64::from(b[l]))
    }
}
