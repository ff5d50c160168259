//! Fragment layouts of `ldmatrix` and `mma.sync`, against tables typed from the PTX ISA manual.
//!
//! Section "Warp-level matrix load instruction: ldmatrix": thread 0 holds the first two elements of row 0, thread 1 the
//! next two, thread 4 starts row 1. Sections "Matrix Fragments for mma.m16n8k16 with floating point type", "Matrix
//! Fragments for mma.m16n8k8" and "... m16n8k4": the tables below give, for chosen lanes, the elements in the order
//! of the fragment's registers.

use maskrank_ptx::{Arg, FaultKind, Gpu, Launch, Module};

/// (lane, [(row, column); elements]) of A, 16-bit elements, m16n8k16: T0..T31 with a0,a1 | a2,a3 | a4,a5 | a6,a7.
const A16: [(usize, [(usize, usize); 8]); 4] = [
    (0, [(0, 0), (0, 1), (8, 0), (8, 1), (0, 8), (0, 9), (8, 8), (8, 9)]),
    (1, [(0, 2), (0, 3), (8, 2), (8, 3), (0, 10), (0, 11), (8, 10), (8, 11)]),
    (6, [(1, 4), (1, 5), (9, 4), (9, 5), (1, 12), (1, 13), (9, 12), (9, 13)]),
    (31, [(7, 6), (7, 7), (15, 6), (15, 7), (7, 14), (7, 15), (15, 14), (15, 15)]),
];
/// B, 16-bit elements, m16n8k16, as (k, column): b0,b1 | b2,b3.
const B16: [(usize, [(usize, usize); 4]); 3] = [
    (0, [(0, 0), (1, 0), (8, 0), (9, 0)]),
    (7, [(6, 1), (7, 1), (14, 1), (15, 1)]),
    (29, [(2, 7), (3, 7), (10, 7), (11, 7)]),
];
/// A, tf32, m16n8k8: a0 | a1 | a2 | a3.
const A32: [(usize, [(usize, usize); 4]); 3] = [
    (0, [(0, 0), (8, 0), (0, 4), (8, 4)]),
    (5, [(1, 1), (9, 1), (1, 5), (9, 5)]),
    (31, [(7, 3), (15, 3), (7, 7), (15, 7)]),
];
/// B, tf32, m16n8k8, as (k, column): b0 | b1.
const B32: [(usize, [(usize, usize); 2]); 3] =
    [(0, [(0, 0), (4, 0)]), (6, [(2, 1), (6, 1)]), (31, [(3, 7), (7, 7)])];
/// C and D: c0,c1 | c2,c3.
const C: [(usize, [(usize, usize); 4]); 3] = [
    (0, [(0, 0), (0, 1), (8, 0), (8, 1)]),
    (10, [(2, 4), (2, 5), (10, 4), (10, 5)]),
    (31, [(7, 6), (7, 7), (15, 6), (15, 7)]),
];

/// One `mma` whose fragments come as they are: 4 words of A, 2 of B and 4 of C for each lane.
fn mma(op: &str, regs: [usize; 3], a: &[u32], b: &[u32], c: &[u32]) -> Vec<f32> {
    let list =
        |first: usize, n: usize| (first..first + n).map(|r| format!("%r{r}")).collect::<Vec<_>>().join(", ");
    let [na, nb, nc] = regs;
    let text = format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry t(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 d)
{{ .reg .b32 %r<40>; .reg .b64 %d<10>;
   mov.u32 %r0, %tid.x;
   ld.param.u64 %d0, [a]; ld.param.u64 %d1, [b]; ld.param.u64 %d2, [c]; ld.param.u64 %d3, [d];
   mad.wide.u32 %d0, %r0, 16, %d0; mad.wide.u32 %d1, %r0, 8, %d1; mad.wide.u32 %d2, %r0, 16, %d2; mad.wide.u32 %d3, %r0, 16, %d3;
   ld.global.v4.u32 {{%r4, %r5, %r6, %r7}}, [%d0]; ld.global.v2.u32 {{%r8, %r9}}, [%d1];
   ld.global.v4.u32 {{%r12, %r13, %r14, %r15}}, [%d2];
   mov.u32 %r16, 0; mov.u32 %r17, 0; mov.u32 %r18, 0; mov.u32 %r19, 0;
   {op} {{{}}}, {{{}}}, {{{}}}, {{{}}};
   st.global.v4.u32 [%d3], {{%r16, %r17, %r18, %r19}}; }}",
        list(16, nc), list(4, na), list(8, nb), list(12, nc)
    );
    let module = Module::parse(&text).unwrap();
    let mut gpu = Gpu::new();
    let [a, b, c] = [("a", a), ("b", b), ("c", c)].map(|(n, x)| gpu.input(n, x));
    let d = gpu.output::<f32>("d", 128);
    let launch = [a, b, c, d].into_iter().fold(Launch::new(&module, "t"), |l, x| l.arg(Arg::Buffer(x)));
    launch.block([32, 1, 1]).run(&mut gpu).unwrap();
    gpu.read(d)
}

/// Element (row, column) of D from the lanes' registers, by the formula of the manual, inverted.
fn d_at(d: &[f32], row: usize, col: usize) -> f32 {
    d[(row % 8 * 4 + col / 2) * 4 + row / 8 * 2 + col % 2]
}

/// A single one in A's fragment at (lane, element) and ones in a single column of B find out where the element is:
/// D is 1 at its row only where B has a one at its k.
fn locate_a(
    op: &str,
    lane: usize,
    element: usize,
    per: usize,
    one: u32,
    k: usize,
    b_of: impl Fn(usize) -> Vec<u32>,
) -> (usize, usize) {
    let mut a = vec![0u32; 128];
    a[lane * 4 + element / per] = one << (16 * (element % per));
    let regs = [k / 2 / per, k / 4 / per, 4];
    let mut found = Vec::new();
    for depth in 0..k {
        let d = mma(op, regs, &a, &b_of(depth), &[0; 128]);
        found.extend((0..16).filter(|r| d_at(&d, *r, 0) == 1.0).map(|r| (r, depth)));
    }
    assert_eq!(found.len(), 1, "{op}: lane {lane} element {element}: {found:?}");
    found[0]
}

const BF16: &str = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32";
const F16: &str = "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32";
const TF32: &str = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32";

/// Fragment of B with a one at (k, 0), placed by the table for lanes 0..3, which hold column 0.
fn b16_at(k: usize, one: u32) -> Vec<u32> {
    let mut b = vec![0; 64];
    // Column 0 belongs to lanes 0..3: k = 2 lane, 2 lane + 1 in the first register, 8 more in the second.
    b[k % 8 / 2 * 2 + k / 8] = one << (16 * (k % 2));
    b
}

fn b32_at(k: usize, one: u32) -> Vec<u32> {
    let mut b = vec![0; 64];
    b[k % 4 * 2 + k / 4] = one;
    b
}

#[test]
fn a_fragments_lie_as_in_the_manual() {
    for (op, one) in [(BF16, 0x3f80), (F16, 0x3c00)] {
        for (lane, table) in A16 {
            for (i, at) in table.into_iter().enumerate() {
                assert_eq!(
                    locate_a(op, lane, i, 2, one, 16, |k| b16_at(k, one)),
                    at,
                    "{op} lane {lane} a{i}"
                );
            }
        }
    }
    let one = 1f32.to_bits();
    for (lane, table) in A32 {
        for (i, at) in table.into_iter().enumerate() {
            assert_eq!(locate_a(TF32, lane, i, 1, one, 8, |k| b32_at(k, one)), at, "tf32 lane {lane} a{i}");
        }
    }
}

#[test]
fn b_fragments_lie_as_in_the_manual() {
    // A holds k + 1 in every row, so D's column tells the k of the one in B.
    let check = |op: &str,
                 regs: [usize; 3],
                 a: Vec<u32>,
                 lane: usize,
                 word: usize,
                 value: u32,
                 (k, col): (usize, usize)| {
        let mut b = vec![0u32; 64];
        b[lane * 2 + word] = value;
        let d = mma(op, regs, &a, &b, &[0; 128]);
        for row in 0..16 {
            for c in 0..8 {
                let expected = if c == col { (k + 1) as f32 } else { 0.0 };
                assert_eq!(d_at(&d, row, c), expected, "{op} lane {lane} word {word} at {row}, {c}");
            }
        }
    };
    let bf16 = |x: usize| (x as f32).to_bits() >> 16;
    let a16: Vec<u32> = (0..32usize)
        .flat_map(|lane| {
            let pair = |k: usize| bf16(k + 1) | bf16(k + 2) << 16;
            let k = lane % 4 * 2;
            [pair(k), pair(k), pair(k + 8), pair(k + 8)]
        })
        .collect();
    for (lane, table) in B16 {
        for (i, at) in table.into_iter().enumerate() {
            check(BF16, [4, 2, 4], a16.clone(), lane, i / 2, 0x3f80 << (16 * (i % 2)), at);
        }
    }
    let number = |x: usize| (x as f32).to_bits();
    let a32: Vec<u32> =
        (0..32).flat_map(|l| [l % 4, l % 4, l % 4 + 4, l % 4 + 4].map(|k| number(k + 1))).collect();
    for (lane, table) in B32 {
        for (i, at) in table.into_iter().enumerate() {
            check(TF32, [4, 2, 4], a32.clone(), lane, i, 1f32.to_bits(), at);
        }
    }
}

#[test]
fn accumulators_lie_as_in_the_manual() {
    // With A = 0, D is C: lane by lane and register by register. With C = 0 and one row and column, the place shows.
    let c: Vec<u32> = (0..128).map(|i| (i as f32).to_bits()).collect();
    let d = mma(BF16, [4, 2, 4], &[0; 128], &[0; 64], &c);
    assert_eq!(d, (0..128).map(|i| i as f32).collect::<Vec<_>>());
    for (lane, table) in C {
        for (i, (row, col)) in table.into_iter().enumerate() {
            // A: one at (row, 0). B: one at (0, col). By the tables above: lane 4 (row % 8), register row / 8.
            let (mut a, mut b) = (vec![0u32; 128], vec![0u32; 64]);
            a[row % 8 * 16 + row / 8] = 0x3f80;
            b[col * 8] = 0x3f80;
            let d = mma(BF16, [4, 2, 4], &a, &b, &[0; 128]);
            let ones: Vec<_> = (0..128).filter(|x| d[*x] == 1.0).collect();
            assert_eq!(ones, [lane * 4 + i], "c{i} of lane {lane}");
        }
    }
}

#[test]
fn smaller_depths_use_the_first_registers() {
    // With one in every element, D counts the depth; C is added.
    let c: Vec<u32> = (0..128).map(|_| 0.5f32.to_bits()).collect();
    for (op, regs, one, k) in [
        ("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", [2, 1, 4], 0x3f80_3f80, 8),
        ("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", [2, 1, 4], 0x3c00_3c00, 8),
        ("mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", [2, 1, 4], 0x3f80_0000, 4),
        (TF32, [4, 2, 4], 0x3f80_0000, 8),
        (F16, [4, 2, 4], 0x3c00_3c00, 16),
    ] {
        let d = mma(op, regs, &[one; 128], &[one; 64], &c);
        assert!(d.iter().all(|x| *x == k as f32 + 0.5), "{op}: {d:?}");
    }
}

#[test]
fn sums_in_f16_are_packed_by_two() {
    // C holds 1.0 and 2.0 in its pairs; each sum gains 16 products of 1.
    let d = mma(
        "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16",
        [4, 2, 2],
        &[0x3c00_3c00; 128],
        &[0x3c00_3c00; 64],
        &[0x4000_3c00; 128],
    );
    for lane in d.chunks(4) {
        // 17.0 is 0x4c40, 18.0 is 0x4c80; the other two registers were zero.
        assert_eq!([lane[0].to_bits(), lane[1].to_bits(), lane[2].to_bits()], [0x4c80_4c40, 0x4c80_4c40, 0]);
    }
}

#[test]
fn tf32_ignores_the_low_bits() {
    let d = mma(TF32, [4, 2, 4], &[0x3f80_1fff; 128], &[0x3f80_1fff; 64], &[0; 128]);
    assert!(d.iter().all(|x| *x == 8.0), "{d:?}");
}

#[test]
fn ldmatrix_and_its_transpose() {
    // Element (r, c) of matrix q holds 64 q + 8 r + c.
    let element = |q: usize, r: usize, c: usize| (64 * q + 8 * r + c) as u16;
    for (count, transposed) in [(1, false), (2, false), (4, false), (4, true), (2, true)] {
        let trans = if transposed { ".trans" } else { "" };
        let regs: Vec<_> = (8..8 + count).map(|r| format!("%r{r}")).collect();
        let body = format!(
            ".shared .align 16 .b8 s[512]; mov.u32 %r20, s; shl.b32 %r21, %r0, 4; add.s32 %r20, %r20, %r21;
             st.shared.v2.u64 [%r20], {{%d4, %d5}}; bar.warp.sync -1;
             mov.u32 %r8, 0; mov.u32 %r9, 0; mov.u32 %r10, 0; mov.u32 %r11, 0;
             ldmatrix.sync.aligned.m8n8.x{count}{trans}.shared.b16 {{{}}}, [%r20];
             mov.b64 %d9, {{%r8, %r9}}; mov.b64 %d8, {{%r10, %r11}}; xor.b64 %d10, %d6, 0; setp.eq.u64 %p1, %d10, 0; @%p1 mov.u64 %d8, %d9;",
            regs.join(", ")
        );
        // Lane 8 q + r stores row r of matrix q; the third input chooses which half of the registers comes back.
        for half in 0..2u64 {
            let rows = (0..32usize).map(|l| {
                let word = |from: usize| {
                    (0..4).map(|i| u64::from(element(l / 8, l % 8, from + i)) << (16 * i)).sum()
                };
                [word(0), word(4), half, 0]
            });
            let got = super::run(&super::module(&body, ""), &rows.collect::<Vec<_>>()).unwrap();
            for (lane, got) in got.into_iter().enumerate() {
                for q in 0..2 {
                    let matrix = half as usize * 2 + q;
                    let place = |e: usize| {
                        if transposed { (lane % 4 * 2 + e, lane / 4) } else { (lane / 4, lane % 4 * 2 + e) }
                    };
                    let expected = if matrix < count {
                        (0..2).map(|e| u64::from(element(matrix, place(e).0, place(e).1)) << (16 * e)).sum()
                    } else {
                        0
                    };
                    assert_eq!(
                        got >> (32 * q) & 0xffff_ffff,
                        expected,
                        "x{count}{trans} lane {lane} matrix {matrix}"
                    );
                }
            }
        }
    }
}

#[test]
fn stmatrix_and_movmatrix_are_inverses_of_loads() {
    let body = "
        .shared .align 16 .b8 s[128]; mov.u32 %r20, s; and.b32 %r21, %r0, 7; shl.b32 %r21, %r21, 4; add.s32 %r20, %r20, %r21;
        stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r20], {%r4}; bar.warp.sync -1;
        ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%r8}, [%r20];
        movmatrix.sync.aligned.m8n8.trans.b16 %r9, %r4;
        mov.b64 %d8, {%r8, %r9};";
    let input: Vec<[u64; 4]> = (0..32).map(|l| [(l * 2) | ((l * 2 + 1) << 16), 0, 0, 0]).collect();
    for (lane, got) in super::run(&super::module(body, ""), &input).unwrap().into_iter().enumerate() {
        // Element (r, c) was 8 r + c; transposed, lane 4 r + t holds rows 2 t and 2 t + 1 of column r.
        let (r, t) = (lane as u64 / 4, lane as u64 % 4);
        let pair = (8 * (2 * t) + r) | ((8 * (2 * t + 1) + r) << 16);
        assert_eq!(got, pair | pair << 32, "lane {lane}");
    }
}

#[test]
fn matrices_need_whole_warps() {
    let body = "setp.lt.u32 %p1, %r0, 16; mov.u32 %r8, 0; @%p1 movmatrix.sync.aligned.m8n8.trans.b16 %r8, %r4; cvt.u64.u32 %d8, %r8;";
    let e = super::run(&super::module(body, ""), &[[0; 4]; 32]).unwrap_err();
    assert!(matches!(e.fault().unwrap().kind, FaultKind::WarpDivergence { .. }), "{e}");
}
