//! Shuffles, votes, matches, reductions and block barriers.

use maskrank_ptx::{FaultKind, Hazard};

use super::{module, run};

fn values(n: u64) -> Vec<[u64; 4]> {
    (0..n).map(|i| [i, (i * 37) % 11, i / 4, 0x100 + i]).collect()
}

fn results(body: &str, threads: u64, expected: impl Fn(usize) -> u64) {
    let got = run(&module(body, ""), &values(threads)).unwrap_or_else(|e| panic!("{body}: {e}"));
    for (i, got) in got.into_iter().enumerate() {
        let expected = expected(i);
        assert_eq!(got, expected, "{body}: thread {i}: expected {expected:#x}, got {got:#x}");
    }
}

fn fault(body: &str, threads: u64) -> FaultKind {
    run(&module(body, ""), &values(threads)).expect_err(body).fault().expect(body).kind.clone()
}

#[test]
fn shuffles() {
    let shfl = |mode: &str, b: &str, c: &str| {
        format!(
            "shfl.sync.{mode}.b32 %r8|%p1, %r7, {b}, {c}, -1; selp.u32 %r9, 1, 0, %p1; mov.b64 %d8, {{%r8, %r9}};"
        )
    };
    let value = |from: usize, inside: bool| (0x100 + from as u64) | (u64::from(inside) << 32);
    results(&shfl("bfly", "5", "31"), 32, |i| value(i ^ 5, true));
    results(&shfl("up", "3", "0"), 32, |i| value(if i < 3 { i } else { i - 3 }, i >= 3));
    results(&shfl("down", "3", "31"), 32, |i| value(if i > 28 { i } else { i + 3 }, i <= 28));
    results(&shfl("idx", "9", "31"), 32, |_| value(9, true));
    // Segments of eight lanes: c = (32 - 8) << 8 | 7 (or 0 for `up`).
    results(&shfl("down", "3", "0x1807"), 32, |i| value(if i % 8 > 4 { i } else { i + 3 }, i % 8 <= 4));
    results(&shfl("idx", "5", "0x1807"), 32, |i| value(i / 8 * 8 + 5, true));
    results(&shfl("up", "2", "0x1800"), 32, |i| value(if i % 8 < 2 { i } else { i - 2 }, i % 8 >= 2));
}

#[test]
fn votes_matches_and_reductions() {
    results("setp.gt.u32 %p2, %r4, 9; vote.sync.ballot.b32 %r8, %p2, -1; cvt.u64.u32 %d8, %r8;", 32, |_| {
        0xffff_fc00
    });
    let vote = |op: &str, p: &str| {
        format!("setp.gt.u32 %p2, %r4, 9; vote.sync.{op}.pred %p1, {p}, -1; selp.u64 %d8, 1, 0, %p1;")
    };
    results(&vote("any", "%p2"), 32, |_| 1);
    results(&vote("all", "%p2"), 32, |_| 0);
    results(&vote("all", "1"), 32, |_| 1);
    results(&vote("uni", "!%p2"), 32, |_| 0);
    results("match.any.sync.b32 %r8, %r6, -1; cvt.u64.u32 %d8, %r8;", 32, |i| 0xf << (i / 4 * 4));
    results("match.all.sync.b32 %r8|%p1, %r6, -1; selp.u64 %d8, 1, 0, %p1;", 32, |_| 0);
    results("redux.sync.add.u32 %r8, %r4, -1; cvt.u64.u32 %d8, %r8;", 32, |_| 496);
    results("redux.sync.max.s32 %r8, %r5, -1; cvt.u64.u32 %d8, %r8;", 32, |_| 10);
    results("redux.sync.min.u32 %r8, %r7, -1; cvt.u64.u32 %d8, %r8;", 32, |_| 0x100);
    results("redux.sync.xor.b32 %r8, %r4, -1; cvt.u64.u32 %d8, %r8;", 32, |_| 0);
    results("elect.sync %r8|%p1, -1; selp.u32 %r9, 1, 0, %p1; mov.b64 %d8, {%r8, %r9};", 32, |i| {
        u64::from(i == 0) << 32
    });
    results("mov.u32 %r8, %lanemask_lt; mov.u32 %r9, %laneid; mov.b64 %d8, {%r8, %r9};", 40, |i| {
        ((1u64 << (i % 32)) - 1) | (i as u64 % 32) << 32
    });
}

#[test]
fn half_a_warp_takes_part() {
    let body = "
        setp.lt.u32 %p1, %r4, 16; mov.u32 %r8, 0;
        @!%p1 bra JOIN;
        shfl.sync.bfly.b32 %r8, %r7, 1, 31, 0xffff;
    JOIN: cvt.u64.u32 %d8, %r8;";
    results(body, 32, |i| if i < 16 { 0x100 + (i as u64 ^ 1) } else { 0 });
    assert!(matches!(fault(&body.replace("0xffff", "0x1ffff"), 32), FaultKind::WarpDivergence { .. }));
}

#[test]
fn groups_of_lanes_with_their_own_masks() {
    // Both halves execute one shuffle and one vote, each for itself.
    let body = "
        mov.u32 %r12, 0xffff; setp.gt.u32 %p1, %r4, 15; @%p1 mov.u32 %r12, 0xffff0000;
        shfl.sync.down.b32 %r8, %r7, 1, 0x100f, %r12;
        setp.gt.u32 %p2, %r4, 9; vote.sync.all.pred %p3, %p2, %r12; selp.u32 %r9, 1, 0, %p3;
        mov.b64 %d8, {%r8, %r9};";
    results(body, 32, |i| (0x100 + if i % 16 == 15 { i } else { i + 1 } as u64) | (u64::from(i > 15) << 32));
    assert!(matches!(fault(&body.replace("0xffff0000", "0xff"), 32), FaultKind::WarpDivergence { .. }));
}

#[test]
fn barriers_order_and_count() {
    let exchange = |barrier: &str| {
        format!(
            ".shared .align 4 .b8 s[1024]; mov.u32 %r9, s; shl.b32 %r10, %r4, 2; add.s32 %r10, %r9, %r10;
             st.shared.u32 [%r10], %r7; {barrier}
             xor.b32 %r11, %r4, 33; shl.b32 %r11, %r11, 2; add.s32 %r11, %r9, %r11; ld.shared.u32 %r8, [%r11]; cvt.u64.u32 %d8, %r8;"
        )
    };
    let other = |i: usize| 0x100 + (i as u64 ^ 33);
    results(&exchange("bar.sync 0;"), 128, other);
    results(&exchange("barrier.cta.sync.aligned 3;"), 128, other);
    // Two pairs of warps, each with its own barrier.
    results(&exchange("shr.u32 %r12, %r4, 6; add.s32 %r12, %r12, 1; bar.sync %r12, 64;"), 128, other);
    let race = |f: FaultKind| {
        matches!(f, FaultKind::Race { hazard: Hazard::ReadAfterWrite | Hazard::WriteAfterRead, .. })
    };
    let early = fault(&exchange(""), 128);
    assert!(race(early.clone()) || matches!(early, FaultKind::PoisonRead { .. }), "{early:?}");
    // Pairs that do not exchange with each other are not ordered.
    assert!(race(fault(
        &exchange("shr.u32 %r12, %r4, 6; add.s32 %r12, %r12, 1; bar.sync %r12, 64;").replace("33;", "64;"),
        128
    )));
    // Warp synchronisation orders lanes of a warp only.
    results(&exchange("bar.warp.sync -1;").replace("33;", "1;"), 64, |i| 0x100 + (i as u64 ^ 1));
    assert!(race(fault(&exchange("").replace("33;", "1;"), 64)));
    // A shuffle synchronises execution, not memory.
    assert!(race(fault(&exchange("shfl.sync.bfly.b32 %r8, %r7, 1, 31, -1;").replace("33;", "1;"), 64)));
}

#[test]
fn producers_arrive_and_consumers_wait() {
    let body = "
        .shared .align 4 .b8 s[1024]; mov.u32 %r9, s; shl.b32 %r10, %r4, 2; add.s32 %r10, %r9, %r10; mov.u32 %r8, 0;
        setp.gt.u32 %p1, %r4, 31; @%p1 bra CONSUMER;
        st.shared.u32 [%r10], %r7; bar.arrive 1, 64; bra JOIN;
    CONSUMER:
        bar.sync 1, 64; ld.shared.u32 %r8, [%r10+-128];
    JOIN: cvt.u64.u32 %d8, %r8;";
    results(body, 64, |i| if i < 32 { 0 } else { 0x100 + i as u64 - 32 });
    let unordered = body.replace("bar.arrive 1, 64; bra", "bra").replace("bar.sync 1, 64;", "");
    assert!(matches!(fault(&unordered, 64), FaultKind::Race { hazard: Hazard::ReadAfterWrite, .. }));
    assert!(matches!(fault(&body.replace("bar.arrive 1, 64;", ""), 64), FaultKind::Barrier { .. }));
}

#[test]
fn barriers_reduce() {
    let body = |op: &str| format!("setp.gt.u32 %p2, %r4, 9; {op}");
    results(&body("bar.red.popc.u32 %r8, 0, %p2; cvt.u64.u32 %d8, %r8;"), 70, |_| 60);
    results(&body("bar.red.and.pred %p1, 0, %p2; selp.u64 %d8, 1, 0, %p1;"), 70, |_| 0);
    results(&body("bar.red.or.pred %p1, 0, !%p2; selp.u64 %d8, 1, 0, %p1;"), 70, |_| 1);
}

#[test]
fn barriers_that_cannot_complete() {
    for (body, threads) in [
        ("setp.gt.u32 %p1, %r4, 31; @%p1 exit; bar.sync 0; mov.u64 %d8, 0;", 64),
        ("setp.gt.u32 %p1, %r4, 5; @%p1 bar.sync 0; mov.u64 %d8, 0;", 32),
        ("setp.gt.u32 %p1, %r4, 31; @%p1 bar.sync 1; mov.u64 %d8, 0;", 64),
        ("bar.sync 0, 96; mov.u64 %d8, 0;", 64),
        ("bar.sync 16; mov.u64 %d8, 0;", 32),
    ] {
        assert!(matches!(fault(body, threads), FaultKind::Barrier { .. }), "{body}");
    }
}
