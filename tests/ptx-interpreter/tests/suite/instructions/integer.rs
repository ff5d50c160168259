//! Integer arithmetic, logic, shifts, bit fields and comparisons.

use super::Out::{D, H, P, R};
use super::{Case, case, check, integers};

fn lo(x: u64) -> u64 {
    x & 0xffff_ffff
}
fn s(x: u64) -> i64 {
    i64::from(x as i32)
}
fn h(x: u64) -> u64 {
    x & 0xffff
}
fn sh(x: u64) -> i64 {
    i64::from(x as i16)
}

const ARITHMETIC: &[Case] =
    &[
        case("add.s32 %r8, %r4, %r5;", R, |v| lo(lo(v[0]) + lo(v[1]))),
        case("add.u64 %d8, %d4, %d5;", D, |v| (u128::from(v[0]) + u128::from(v[1])) as u64),
        case("add.s16 %h8, %h4, %h5;", H, |v| h(h(v[0]) + h(v[1]))),
        case("add.sat.s32 %r8, %r4, %r5;", R, |v| {
            lo((s(v[0]) + s(v[1])).clamp(-(1 << 31), (1 << 31) - 1) as u64)
        }),
        case("sub.s32 %r8, %r4, %r5;", R, |v| lo((s(v[0]) - s(v[1])) as u64)),
        case("sub.s64 %d8, %d4, %d5;", D, |v| (i128::from(v[0]) - i128::from(v[1])) as u64),
        case("sub.u16 %h8, %h4, %h5;", H, |v| h((sh(v[0]) - sh(v[1])) as u64)),
        case("mul.lo.s32 %r8, %r4, %r5;", R, |v| lo((s(v[0]) * s(v[1])) as u64)),
        case("mul.hi.s32 %r8, %r4, %r5;", R, |v| lo(((s(v[0]) * s(v[1])) >> 32) as u64)),
        case("mul.hi.u32 %r8, %r4, %r5;", R, |v| (lo(v[0]) * lo(v[1])) >> 32),
        case("mul.wide.s32 %d8, %r4, %r5;", D, |v| (s(v[0]) * s(v[1])) as u64),
        case("mul.wide.u32 %d8, %r4, %r5;", D, |v| lo(v[0]) * lo(v[1])),
        case("mul.wide.u16 %r8, %h4, %h5;", R, |v| h(v[0]) * h(v[1])),
        case("mul.wide.s16 %r8, %h4, %h5;", R, |v| lo((sh(v[0]) * sh(v[1])) as u64)),
        case("mul.lo.u16 %h8, %h4, %h5;", H, |v| h(h(v[0]) * h(v[1]))),
        case("mul.lo.s64 %d8, %d4, %d5;", D, |v| (u128::from(v[0]) * u128::from(v[1])) as u64),
        case("mul.hi.u64 %d8, %d4, %d5;", D, |v| ((u128::from(v[0]) * u128::from(v[1])) >> 64) as u64),
        case("mul.hi.s64 %d8, %d4, %d5;", D, |v| {
            ((i128::from(v[0] as i64) * i128::from(v[1] as i64)) >> 64) as u64
        }),
        case("mad.lo.s32 %r8, %r4, %r5, %r6;", R, |v| lo((s(v[0]) * s(v[1])).wrapping_add(s(v[2])) as u64)),
        case("mad.hi.s32 %r8, %r4, %r5, %r6;", R, |v| {
            lo(((s(v[0]) * s(v[1])) >> 32).wrapping_add(s(v[2])) as u64)
        }),
        case("mad.hi.u64 %d8, %d4, %d5, %d6;", D, |v| {
            (((u128::from(v[0]) * u128::from(v[1])) >> 64) as u64).wrapping_add(v[2])
        }),
        case("mad.hi.s64 %d8, %d4, %d5, %d6;", D, |v| {
            (((i128::from(v[0] as i64) * i128::from(v[1] as i64)) >> 64) as u64).wrapping_add(v[2])
        }),
        case("mad.wide.u16 %r8, %h4, %h5, %r6;", R, |v| lo(h(v[0]) * h(v[1]) + lo(v[2]))),
        case("mad.wide.s16 %r8, %h4, %h5, %r6;", R, |v| lo((sh(v[0]) * sh(v[1]) + s(v[2])) as u64)),
        case("mul.hi.u16 %h8, %h4, %h5;", H, |v| (h(v[0]) * h(v[1])) >> 16),
        case("mul.hi.s16 %h8, %h4, %h5;", H, |v| h(((sh(v[0]) * sh(v[1])) >> 16) as u64)),
        case("sub.sat.s32 %r8, %r4, %r5;", R, |v| {
            lo((s(v[0]) - s(v[1])).clamp(-(1 << 31), (1 << 31) - 1) as u64)
        }),
        case("sad.s32 %r8, %r4, %r5, %r6;", R, |v| lo((s(v[0]) - s(v[1])).unsigned_abs() + lo(v[2]))),
        case("neg.s16 %h8, %h4;", H, |v| h((-sh(v[0])) as u64)),
        case("abs.s16 %h8, %h4;", H, |v| h(sh(v[0]).unsigned_abs())),
        case("or.b64 %d5, %d5, 1; div.s64 %d8, %d4, %d5;", D, |v| {
            (i128::from(v[0] as i64) / i128::from((v[1] | 1) as i64)) as u64
        }),
        case("or.b64 %d5, %d5, 1; rem.u64 %d8, %d4, %d5;", D, |v| v[0] % (v[1] | 1)),
        case("or.b16 %h5, %h5, 1; div.s16 %h8, %h4, %h5;", H, |v| h((sh(v[0]) / sh(v[1] | 1)) as u64)),
        case("or.b16 %h5, %h5, 1; rem.u16 %h8, %h4, %h5;", H, |v| h(v[0]) % h(v[1] | 1)),
        case("mad.hi.u32 %r8, %r4, %r5, %r6;", R, |v| lo(((lo(v[0]) * lo(v[1])) >> 32) + lo(v[2]))),
        case("mad.wide.u32 %d8, %r4, %r5, %d6;", D, |v| (lo(v[0]) * lo(v[1])).wrapping_add(v[2])),
        case("mad.wide.s32 %d8, %r4, %r5, %d6;", D, |v| ((s(v[0]) * s(v[1])) as u64).wrapping_add(v[2])),
        case("mad.lo.u64 %d8, %d4, %d5, %d6;", D, |v| v[0].wrapping_mul(v[1]).wrapping_add(v[2])),
        case("mad.lo.u16 %h8, %h4, %h5, %h6;", H, |v| h(h(v[0]) * h(v[1]) + h(v[2]))),
        case("add.cc.u32 %r8, %r4, %r5; addc.u32 %r9, %r6, %r7; mov.b64 %d8, {%r8, %r9};", D, |v| {
            (lo(v[0]) | v[2] << 32).wrapping_add(lo(v[1]) | v[3] << 32)
        }),
        case("sub.cc.u32 %r8, %r4, %r5; subc.u32 %r9, %r6, %r7; mov.b64 %d8, {%r8, %r9};", D, |v| {
            (lo(v[0]) | v[2] << 32).wrapping_sub(lo(v[1]) | v[3] << 32)
        }),
        case("or.b32 %r5, %r5, 1; div.s32 %r8, %r4, %r5;", R, |v| lo((s(v[0]) / s(v[1] | 1)) as u64)),
        case("or.b32 %r5, %r5, 1; rem.s32 %r8, %r4, %r5;", R, |v| lo((s(v[0]) % s(v[1] | 1)) as u64)),
        case("or.b32 %r5, %r5, 1; div.u32 %r8, %r4, %r5;", R, |v| lo(v[0]) / lo(v[1] | 1)),
        case("or.b32 %r5, %r5, 1; rem.u32 %r8, %r4, %r5;", R, |v| lo(v[0]) % lo(v[1] | 1)),
        case("or.b64 %d5, %d5, 1; div.u64 %d8, %d4, %d5;", D, |v| v[0] / (v[1] | 1)),
        case("or.b64 %d5, %d5, 1; rem.s64 %d8, %d4, %d5;", D, |v| {
            (i128::from(v[0] as i64) % i128::from((v[1] | 1) as i64)) as u64
        }),
        case("or.b16 %h5, %h5, 1; div.u16 %h8, %h4, %h5;", H, |v| h(v[0]) / h(v[1] | 1)),
        case("or.b16 %h5, %h5, 1; rem.s16 %h8, %h4, %h5;", H, |v| h((sh(v[0]) % sh(v[1] | 1)) as u64)),
        case("neg.s32 %r8, %r4;", R, |v| lo((-s(v[0])) as u64)),
        case("abs.s32 %r8, %r4;", R, |v| lo(s(v[0]).unsigned_abs())),
        case("neg.s64 %d8, %d4;", D, |v| (!v[0]).wrapping_add(1)),
        case("abs.s64 %d8, %d4;", D, |v| (v[0] as i64).unsigned_abs()),
        case("min.s32 %r8, %r4, %r5;", R, |v| lo(if s(v[0]) < s(v[1]) { v[0] } else { v[1] })),
        case("max.u32 %r8, %r4, %r5;", R, |v| if lo(v[0]) > lo(v[1]) { lo(v[0]) } else { lo(v[1]) }),
        case("min.u64 %d8, %d4, %d5;", D, |v| if v[0] < v[1] { v[0] } else { v[1] }),
        case("max.s64 %d8, %d4, %d5;", D, |v| if (v[0] as i64) > v[1] as i64 { v[0] } else { v[1] }),
        case("min.u16 %h8, %h4, %h5;", H, |v| if h(v[0]) < h(v[1]) { h(v[0]) } else { h(v[1]) }),
        case("max.s16 %h8, %h4, %h5;", H, |v| if sh(v[0]) > sh(v[1]) { h(v[0]) } else { h(v[1]) }),
        case("sad.u32 %r8, %r4, %r5, %r6;", R, |v| {
            lo((lo(v[0]) as i64 - lo(v[1]) as i64).unsigned_abs() + lo(v[2]))
        }),
        case("mul24.lo.u32 %r8, %r4, %r5;", R, |v| lo((v[0] & 0xff_ffff) * (v[1] & 0xff_ffff))),
        case("dp4a.s32.s32 %r8, %r4, %r5, %r6;", R, |v| {
            let dot: i64 =
                (0..4).map(|i| i64::from((v[0] >> (8 * i)) as i8) * i64::from((v[1] >> (8 * i)) as i8)).sum();
            lo((dot + s(v[2])) as u64)
        }),
        case("dp4a.u32.u32 %r8, %r4, %r5, %r6;", R, |v| {
            let dot: u64 = (0..4).map(|i| (v[0] >> (8 * i) & 0xff) * (v[1] >> (8 * i) & 0xff)).sum();
            lo(dot + lo(v[2]))
        }),
    ];

/// A shift amount that an unsigned register gives, as a number that cannot overflow.
fn amount(x: u64, width: u64) -> u64 {
    lo(x).min(width)
}

const BITS: &[Case] = &[
    case("and.b32 %r8, %r4, %r5;", R, |v| lo(v[0] & v[1])),
    case("or.b64 %d8, %d4, %d5;", D, |v| v[0] | v[1]),
    case("xor.b16 %h8, %h4, %h5;", H, |v| h(v[0] ^ v[1])),
    case("not.b32 %r8, %r4;", R, |v| lo(u64::MAX - v[0])),
    case("not.b64 %d8, %d4;", D, |v| u64::MAX - v[0]),
    case("not.b16 %h8, %h4;", H, |v| 0xffff - h(v[0])),
    case("cnot.b32 %r8, %r4;", R, |v| u64::from(lo(v[0]) == 0)),
    case("shl.b32 %r8, %r4, %r5;", R, |v| lo(lo(v[0]) << amount(v[1], 32))),
    case("shr.u32 %r8, %r4, %r5;", R, |v| lo(v[0]) >> amount(v[1], 32)),
    case("shr.s32 %r8, %r4, %r5;", R, |v| lo((s(v[0]) >> amount(v[1], 32)) as u64)),
    case("shl.b64 %d8, %d4, %r5;", D, |v| (u128::from(v[0]) << amount(v[1], 64)) as u64),
    case("shr.u64 %d8, %d4, %r5;", D, |v| (u128::from(v[0]) >> amount(v[1], 64)) as u64),
    case("shr.s64 %d8, %d4, %r5;", D, |v| (i128::from(v[0] as i64) >> amount(v[1], 64)) as u64),
    case("shl.b16 %h8, %h4, %r5;", H, |v| h(h(v[0]) << amount(v[1], 16))),
    case("shr.s16 %h8, %h4, %r5;", H, |v| h((sh(v[0]) >> amount(v[1], 16)) as u64)),
    case("shf.l.wrap.b32 %r8, %r4, %r5, %r6;", R, |v| {
        (u128::from(lo(v[0]) | v[1] << 32) << (v[2] % 32) >> 32) as u64 & 0xffff_ffff
    }),
    case("shf.r.wrap.b32 %r8, %r4, %r5, %r6;", R, |v| lo((lo(v[0]) | v[1] << 32) >> (v[2] % 32))),
    case("shf.l.clamp.b32 %r8, %r4, %r5, %r6;", R, |v| {
        (u128::from(lo(v[0]) | v[1] << 32) << amount(v[2], 32) >> 32) as u64 & 0xffff_ffff
    }),
    case("shf.r.clamp.b32 %r8, %r4, %r5, %r6;", R, |v| lo((lo(v[0]) | v[1] << 32) >> amount(v[2], 32))),
    case("lop3.b32 %r8, %r4, %r5, %r6, 0xE8;", R, |v| lo(v[0] & v[1] | v[0] & v[2] | v[1] & v[2])),
    case("lop3.b32 %r8, %r4, %r5, %r6, 0x96;", R, |v| lo(v[0] ^ v[1] ^ v[2])),
    case("lop3.b32 %r8, %r4, %r5, %r6, 0xCA;", R, |v| lo(v[0] & v[1] | !v[0] & v[2])),
    case("popc.b32 %r8, %r4;", R, |v| (0..32).map(|i| v[0] >> i & 1).sum()),
    case("popc.b64 %r8, %d4;", R, |v| (0..64).map(|i| v[0] >> i & 1).sum()),
    case("clz.b32 %r8, %r4;", R, |v| (0..32).take_while(|i| v[0] >> (31 - i) & 1 == 0).count() as u64),
    case("clz.b64 %r8, %d4;", R, |v| (0..64).take_while(|i| v[0] >> (63 - i) & 1 == 0).count() as u64),
    case("brev.b32 %r8, %r4;", R, |v| (0..32).map(|i| (v[0] >> i & 1) << (31 - i)).sum()),
    case("brev.b64 %d8, %d4;", D, |v| (0..64).map(|i| (v[0] >> i & 1) << (63 - i)).sum()),
    case("bfind.u32 %r8, %r4;", R, |v| (0..32).rev().find(|i| v[0] >> i & 1 == 1).map_or(0xffff_ffff, |i| i)),
    case("bfind.s32 %r8, %r4;", R, |v| {
        let sign = v[0] >> 31 & 1;
        (0..32).rev().find(|i| v[0] >> i & 1 != sign).map_or(0xffff_ffff, |i| i)
    }),
    case("bfind.u64 %r8, %d4;", R, |v| (0..64).rev().find(|i| v[0] >> i & 1 == 1).map_or(0xffff_ffff, |i| i)),
    case("bfind.s64 %r8, %d4;", R, |v| {
        let sign = v[0] >> 63;
        (0..64).rev().find(|i| v[0] >> i & 1 != sign).map_or(0xffff_ffff, |i| i)
    }),
    case("shr.u16 %h8, %h4, %r5;", H, |v| h(v[0]) >> amount(v[1], 16)),
    case("bfe.s64 %d8, %d4, %r5, %r6;", D, |v| {
        let (pos, len) = (v[1] & 0xff, v[2] & 0xff);
        let sign = if len == 0 { 0 } else { v[0] >> (pos + len - 1).min(63) & 1 };
        let bit = |i: u64| if i < len && pos + i < 64 { v[0] >> (pos + i) & 1 } else { sign };
        (0..64).map(|i| bit(i) << i).sum()
    }),
    case("bfind.shiftamt.u32 %r8, %r4;", R, |v| {
        (0..32).rev().find(|i| v[0] >> i & 1 == 1).map_or(0xffff_ffff, |i| 31 - i)
    }),
    case("bfe.u32 %r8, %r4, %r5, %r6;", R, |v| {
        let (pos, len) = (v[1] & 0xff, v[2] & 0xff);
        (0..32).filter(|i| *i < len && pos + i < 32).map(|i| (v[0] >> (pos + i) & 1) << i).sum()
    }),
    case("bfe.s32 %r8, %r4, %r5, %r6;", R, |v| {
        let (pos, len) = (v[1] & 0xff, v[2] & 0xff);
        let sign = if len == 0 { 0 } else { v[0] >> (pos + len - 1).min(31) & 1 };
        let bit = |i: u64| if i < len && pos + i < 32 { v[0] >> (pos + i) & 1 } else { sign };
        (0..32).map(|i| bit(i) << i).sum()
    }),
    case("bfe.u64 %d8, %d4, %r5, %r6;", D, |v| {
        let (pos, len) = (v[1] & 0xff, v[2] & 0xff);
        (0..64).filter(|i| *i < len && pos + i < 64).map(|i| (v[0] >> (pos + i) & 1) << i).sum()
    }),
    case("bfi.b32 %r8, %r4, %r5, %r6, %r7;", R, |v| {
        let (pos, len) = (v[2] & 0xff, v[3] & 0xff);
        let bit = |i: u64| if i >= pos && i < pos + len { v[0] >> (i - pos) & 1 } else { v[1] >> i & 1 };
        (0..32).map(|i| bit(i) << i).sum()
    }),
    case("bfi.b64 %d8, %d4, %d5, %r6, %r7;", D, |v| {
        let (pos, len) = (v[2] & 0xff, v[3] & 0xff);
        let bit = |i: u64| if i >= pos && i < pos + len { v[0] >> (i - pos) & 1 } else { v[1] >> i & 1 };
        (0..64).map(|i| bit(i) << i).sum()
    }),
    case("prmt.b32 %r8, %r4, %r5, %r6;", R, |v| {
        let bytes: Vec<u64> =
            (0..8).map(|i| if i < 4 { v[0] >> (8 * i) } else { v[1] >> (8 * (i - 4)) } & 0xff).collect();
        let pick = |i: u64| {
            let selector = v[2] >> (4 * i) & 0xf;
            let byte = bytes[(selector & 7) as usize];
            if selector & 8 == 0 { byte } else { (byte >> 7) * 0xff }
        };
        (0..4).map(|i| pick(i) << (8 * i)).sum()
    }),
    case("prmt.b32.f4e %r8, %r4, %r5, %r6;", R, |v| lo((lo(v[0]) | v[1] << 32) >> (8 * (v[2] & 3)))),
    case("prmt.b32.b4e %r8, %r4, %r5, %r6;", R, |v| {
        // Backward from byte n, around the eight bytes.
        let twice = u128::from(lo(v[0]) | v[1] << 32) * (1 + (1 << 64));
        (0..4).map(|i| ((twice >> (8 * (8 + (v[2] & 3) - i))) as u64 & 0xff) << (8 * i)).sum()
    }),
    case("prmt.b32.rc8 %r8, %r4, %r5, %r6;", R, |v| (v[0] >> (8 * (v[2] & 3)) & 0xff) * 0x0101_0101),
    case("prmt.b32.ecl %r8, %r4, %r5, %r6;", R, |v| {
        (0..4).map(|i| (v[0] >> (8 * i.max(v[2] & 3)) & 0xff) << (8 * i)).sum()
    }),
    case("prmt.b32.ecr %r8, %r4, %r5, %r6;", R, |v| {
        (0..4).map(|i| (v[0] >> (8 * i.min(v[2] & 3)) & 0xff) << (8 * i)).sum()
    }),
    case("prmt.b32.rc16 %r8, %r4, %r5, %r6;", R, |v| {
        let half = if v[2] & 1 == 0 { h(v[0]) } else { h(v[0] >> 16) };
        half | half << 16
    }),
];

const CHOICE: &[Case] = &[
    case("setp.lt.s32 %p1, %r4, %r5;", P, |v| (s(v[0]) < s(v[1])).into()),
    case("setp.lt.u32 %p1, %r4, %r5;", P, |v| (lo(v[0]) < lo(v[1])).into()),
    case("setp.hs.u32 %p1, %r4, %r5;", P, |v| (lo(v[0]) >= lo(v[1])).into()),
    case("setp.ge.s64 %p1, %d4, %d5;", P, |v| (v[0] as i64 >= v[1] as i64).into()),
    case("setp.eq.b64 %p1, %d4, %d5;", P, |v| (v[0] == v[1]).into()),
    case("setp.ne.s16 %p1, %h4, %h5;", P, |v| (h(v[0]) != h(v[1])).into()),
    case("setp.le.u16 %p1, %h4, %h5;", P, |v| (h(v[0]) <= h(v[1])).into()),
    case("setp.gt.s32 %p2, %r6, 9; setp.lt.and.u32 %p1, %r4, %r5, %p2;", P, |v| {
        (lo(v[0]) < lo(v[1]) && s(v[2]) > 9).into()
    }),
    case(
        "setp.gt.s32 %p2, %r6, 9; setp.lt.or.u32 %p1|%p3, %r4, %r5, !%p2; selp.b32 %r8, 2, 0, %p3; selp.b32 %r9, 1, 0, %p1; add.s32 %r8, %r8, %r9;",
        R,
        |v| {
            let (c, with) = (lo(v[0]) < lo(v[1]), s(v[2]) <= 9);
            u64::from(c || with) + 2 * u64::from(!c || with)
        },
    ),
    case("setp.eq.s32 %p2, %r4, %r5; setp.lt.s32 %p3, %r4, %r6; xor.pred %p1, %p2, %p3;", P, |v| {
        ((lo(v[0]) == lo(v[1])) != (s(v[0]) < s(v[2]))).into()
    }),
    case("setp.eq.s32 %p2, %r4, %r5; not.pred %p1, %p2;", P, |v| (lo(v[0]) != lo(v[1])).into()),
    case("setp.eq.s32 %p2, %r4, %r5; selp.b64 %d8, %d6, %d7, %p2;", D, |v| {
        if lo(v[0]) == lo(v[1]) { v[2] } else { v[3] }
    }),
    case("slct.u32.s32 %r8, %r4, %r5, %r6;", R, |v| lo(if s(v[2]) >= 0 { v[0] } else { v[1] })),
    case("set.gt.u32.s32 %r8, %r4, %r5;", R, |v| if s(v[0]) > s(v[1]) { 0xffff_ffff } else { 0 }),
];

#[test]
fn arithmetic() {
    check(ARITHMETIC, &integers());
}

#[test]
fn bits() {
    check(BITS, &integers());
}

#[test]
fn comparisons_and_selections() {
    check(CHOICE, &integers());
}
