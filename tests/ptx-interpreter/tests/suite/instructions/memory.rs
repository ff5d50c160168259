//! Loads, stores, spaces, atomics and asynchronous copies.

use maskrank_ptx::{FaultKind, Space};

use super::{module, run};

fn values() -> Vec<[u64; 4]> {
    (0..32u64).map(|i| [i, i.wrapping_mul(0x0123_4567_89ab_cdef), i ^ 0xff, 1 << i]).collect()
}

fn results(body: &str, tail: &str, expected: impl Fn(usize, &[[u64; 4]]) -> u64) {
    let inputs = values();
    let got = run(&module(body, tail), &inputs).unwrap_or_else(|e| panic!("{body}: {e}"));
    for (i, got) in got.into_iter().enumerate() {
        let expected = expected(i, &inputs);
        assert_eq!(got, expected, "{body}: lane {i}: expected {expected:#x}, got {got:#x}");
    }
}

fn fault(body: &str, tail: &str) -> FaultKind {
    let e = run(&module(body, tail), &values()).expect_err(body);
    e.fault().unwrap_or_else(|| panic!("{body}: {e}")).kind.clone()
}

const SHARED: &str = ".shared .align 16 .b8 s[1024];";

#[test]
fn widths_and_signs() {
    results("ld.global.u8 %r8, [%d2+9]; cvt.u64.u32 %d8, %r8;", "", |i, v| v[i][1] >> 8 & 0xff);
    results("ld.global.s8 %r8, [%d2+9]; cvt.s64.s32 %d8, %r8;", "", |i, v| {
        i64::from((v[i][1] >> 8) as i8) as u64
    });
    results("ld.global.s16 %r8, [%d2+10]; cvt.s64.s32 %d8, %r8;", "", |i, v| {
        i64::from((v[i][1] >> 16) as i16) as u64
    });
    results(
        "ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%r8, %r9, %r10, %r11}, [%d2]; mov.b64 %d8, {%r10, %r11};",
        "",
        |i, v| v[i][1],
    );
    results(
        "ld.global.v4.u16 {%h8, %h9, %h10, %h11}, [%d2+8]; mov.b64 %d8, {%h11, %h10, %h9, %h8};",
        "",
        |i, v| (0..4).map(|k| (v[i][1] >> (16 * k) & 0xffff) << (48 - 16 * k)).sum(),
    );
    results("ld.volatile.global.u64 %d8, [%d2+24];", "", |i, v| v[i][3]);
    results("ld.global.s32 %d8, [%d2+8];", "", |i, v| i64::from(v[i][1] as i32) as u64);
}

#[test]
fn shared_memory_and_generic_addresses() {
    // Every lane writes its word and, after the barrier, reads its neighbour's through a generic address.
    let body = "
        mov.u32 %r9, s; shl.b32 %r10, %r4, 2; add.s32 %r11, %r9, %r10;
        st.shared.u32 [%r11], %r6;
        bar.sync 0;
        xor.b32 %r12, %r4, 1; shl.b32 %r12, %r12, 2; cvt.u64.u32 %d9, %r12;
        mov.u64 %d10, s; cvta.shared.u64 %d10, %d10; add.s64 %d10, %d10, %d9;
        isspacep.shared %p1, %d10; isspacep.global %p2, %d10;
        ld.u32 %r8, [%d10]; selp.u32 %r13, 1, 0, %p1; @%p2 add.s32 %r13, %r13, 8;
        mov.b64 %d8, {%r8, %r13};";
    results(&format!("{SHARED}{body}"), "", |i, v| v[i ^ 1][2] | 1 << 32);
    let bytes = "
        mov.u32 %r9, s; add.s32 %r9, %r9, %r4; st.shared.u8 [%r9], %r6; bar.sync 0;
        and.b32 %r10, %r4, 28; mov.u32 %r9, s; add.s32 %r9, %r9, %r10; ld.shared.u32 %r8, [%r9]; cvt.u64.u32 %d8, %r8;";
    results(&format!("{SHARED}{bytes}"), "", |i, v| {
        (0..4).map(|k| (v[i / 4 * 4 + k][2] & 0xff) << (8 * k)).sum()
    });
}

#[test]
fn local_constant_and_module_memory() {
    let local = "
        .local .align 8 .b8 stack[32];
        mov.u64 %d9, stack; cvta.local.u64 %d9, %d9; and.b64 %d10, %d4, 3; shl.b64 %d10, %d10, 3; add.s64 %d9, %d9, %d10;
        st.u64 [%d9], %d5; ld.u64 %d8, [%d9];";
    results(local, "", |i, v| v[i][1]);
    let table = ".const .align 4 .u32 table[4] = {10, 20, 30, -1};";
    let body = "and.b32 %r9, %r4, 3; shl.b32 %r9, %r9, 2; mov.u32 %r10, table; add.s32 %r9, %r9, %r10; ld.const.u32 %r8, [%r9]; cvt.u64.u32 %d8, %r8;";
    results(body, table, |i, _| [10, 20, 30, 0xffff_ffff][i % 4]);
    let global = ".global .align 4 .u32 counter = 7;";
    let body = "mov.u64 %d9, counter; atom.global.add.u32 %r8, [%d9], 1; cvt.u64.u32 %d8, %r8;";
    results(body, global, |i, _| 7 + i as u64);
}

#[test]
fn atomics_in_shared_memory() {
    let atom = |op: &str, start: &str, read: &str| {
        format!(
            "{SHARED} setp.eq.s32 %p1, %r4, 0; @%p1 st.shared.u32 [s], {start}; bar.sync 0;
             {op}
             bar.sync 0; ld.shared.u32 %r9, [s]; {read}"
        )
    };
    let last = "cvt.u64.u32 %d8, %r9;";
    results(&atom("red.shared.add.u32 [s], %r4;", "5", last), "", |_, _| 5 + 31 * 32 / 2);
    results(&atom("atom.shared.max.s32 %r8, [s], %r4;", "-3", last), "", |_, _| 31);
    results(&atom("atom.shared.min.u32 %r8, [s], %r4;", "90", last), "", |_, _| 0);
    results(&atom("atom.shared.or.b32 %r8, [s], %r7;", "0", last), "", |_, _| 0xffff_ffff);
    results(&atom("atom.shared.inc.u32 %r8, [s], 9;", "0", last), "", |_, _| 2);
    results(&atom("atom.shared.dec.u32 %r8, [s], 9;", "0", last), "", |_, _| 8);
    results(&atom("atom.shared.exch.b32 %r8, [s], %r6;", "77", "cvt.u64.u32 %d8, %r8;"), "", |i, v| {
        if i == 0 { 77 } else { v[i - 1][2] }
    });
    results(&atom("atom.shared.cas.b32 %r8, [s], %r4, %r5;", "0", "cvt.u64.u32 %d8, %r8;"), "", |_, _| 0);
    results(&atom("cvt.rn.f32.u32 %r8, %r4; atom.shared.add.f32 %r8, [s], %r8;", "0", last), "", |_, _| {
        u64::from(496f32.to_bits())
    });
    results(
        &atom("mov.u32 %r8, 0x3f804000; red.shared.add.noftz.bf16x2 [s], %r8;", "0", last),
        "",
        |_, _| {
            // 32 times (2.0 low, 1.0 high).
            0x4200_4280
        },
    );
}

#[test]
fn atomics_in_global_memory() {
    let cell = ".global .align 16 .b8 cell[16];";
    let text = |op: &str| format!("mov.u64 %d9, cell; {op}");
    results(&text("atom.global.add.u64 %d8, [%d9], 3;"), cell, |i, _| 3 * i as u64);
    results(
        &text("atom.global.cas.b64 %d8, [%d9], %d4, %d10;").replace("cell; ", "cell; add.u64 %d10, %d4, 1; "),
        cell,
        |i, _| i as u64,
    );
    results(&text("atom.acq_rel.gpu.global.exch.b64 %d8, [%d9], %d4;"), cell, |i, _| {
        (i as u64).saturating_sub(1)
    });
    results(
        &text("atom.add.global.f64 %d8, [%d9], %d10;")
            .replace("cell; ", "cell; mov.u64 %d10, 0d3FF0000000000000; "),
        cell,
        |i, _| (i as f64).to_bits(),
    );
    results(
        &text("red.global.add.v2.f32 [%d9], {%r8, %r9}; mov.u64 %d8, 1;")
            .replace("cell; ", "cell; mov.u32 %r8, 0; mov.u32 %r9, 0; "),
        cell,
        |_, _| 1,
    );
    results(
        &text(
            "atom.global.and.b32 %r8, [%d9], %r4; atom.global.xor.b32 %r9, [%d9+4], %r5; cvt.u64.u32 %d8, %r9;",
        ),
        cell,
        |i, v| v[..i].iter().fold(0, |s, x| s ^ x[1]) & 0xffff_ffff,
    );
    results(
        &text("atom.global.min.s64 %d8, [%d9], %d10;").replace("cell; ", "cell; sub.s64 %d10, 0, %d4; "),
        cell,
        |i, _| {
            if i < 2 { 0 } else { (i as u64 - 1).wrapping_neg() }
        },
    );
    results(
        "createpolicy.fractional.L2::evict_last.b64 %d9, 1.0; ld.global.L2::cache_hint.u64 %d8, [%d2], %d9;",
        "",
        |i, _| i as u64,
    );
}

#[test]
fn copies_zero_what_they_do_not_read() {
    let copy = |rest: &str, op: &str| {
        format!(
            "{SHARED} mov.u32 %r9, s; shl.b32 %r10, %r4, 4; add.s32 %r9, %r9, %r10; {op}
             cp.async.cg.shared.global [%r9], [%d2], 16{rest};
             cp.async.wait_all; ld.shared.v2.u64 {{%d9, %d8}}, [%r9];"
        )
    };
    results(&copy("", ""), "", |i, v| v[i][1]);
    results(&copy(", %r10", "mov.u32 %r10, 11;"), "", |i, v| v[i][1] & 0xff_ffff);
    results(&copy(", 0", ""), "", |_, _| 0);
    results(&copy(", %p3", "setp.gt.u32 %p3, %r4, 9;"), "", |i, v| if i > 9 { 0 } else { v[i][1] });
}

#[test]
fn groups_of_copies_land_in_order() {
    let text = |keep: u32, offset: u32| {
        format!(
            "{SHARED} mov.u32 %r9, s; shl.b32 %r10, %r4, 4; add.s32 %r9, %r9, %r10;
             cp.async.ca.shared.global [%r9], [%d2], 8; cp.async.commit_group;
             cp.async.ca.shared.global [%r9+8], [%d2+8], 8; cp.async.commit_group;
             cp.async.wait_group {keep}; ld.shared.u64 %d8, [%r9+{offset}];"
        )
    };
    results(&text(1, 0), "", |i, v| v[i][0]);
    results(&text(0, 8), "", |i, v| v[i][1]);
    assert!(matches!(fault(&text(1, 8), ""), FaultKind::AsyncPending { .. }));
    assert!(matches!(fault(&text(2, 0), ""), FaultKind::AsyncPending { .. }));
}

#[test]
fn wrong_accesses_are_faults() {
    let shared = |line: &str| fault(&format!("{SHARED} mov.u32 %r9, s; {line} mov.u64 %d8, 0;"), "");
    assert_eq!(
        shared("ld.shared.u32 %r8, [%r9];"),
        FaultKind::PoisonRead { space: Space::Shared, address: 0 }
    );
    let misaligned = FaultKind::Misaligned { space: Space::Shared, address: 2, required: 4 };
    assert_eq!(shared("ld.shared.u32 %r8, [%r9+2];"), misaligned);
    assert!(matches!(
        shared("st.shared.u64 [%r9+1024], %d4;"),
        FaultKind::OutOfBounds { space: Space::Shared, .. }
    ));
    assert!(matches!(shared("st.shared.u32 [%r9], %r4;"), FaultKind::Race { .. }), "32 lanes write one word");
    assert!(matches!(
        shared("ld.global.u32 %r8, [%d1];"),
        FaultKind::PoisonRead { space: Space::Global, .. }
    ));
    assert!(matches!(
        shared("ld.global.u32 %r8, [%d0+1024];"),
        FaultKind::OutOfBounds { space: Space::Global, .. }
    ));
    assert!(matches!(shared("st.global.u32 [%d2], %r4;"), FaultKind::ReadOnlyWrite { .. }));
    assert!(matches!(shared("ld.global.u32 %r8, [%d15];"), FaultKind::UninitializedRegister { .. }));
    assert!(matches!(shared("st.global.u64 [%d3], %d15;"), FaultKind::UninitializedRegister { .. }));
}
