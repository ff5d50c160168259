//! Branches, divergence, calls, guards and scopes.

use maskrank_ptx::{Error, FaultKind, Module};

use super::{module, run};

fn values(n: u64) -> Vec<[u64; 4]> {
    (0..n).map(|i| [i, i * i, 7, 1000 - i]).collect()
}

fn results(body: &str, tail: &str, expected: impl Fn(u64) -> u64) {
    let got = run(&module(body, tail), &values(32)).unwrap_or_else(|e| panic!("{body}: {e}"));
    for (i, got) in got.into_iter().enumerate() {
        assert_eq!(got, expected(i as u64), "{body}: lane {i}");
    }
}

#[test]
fn lanes_loop_their_own_number_of_times() {
    // Sum of 1..=lane, then all lanes meet again for a vote.
    let body = "
        mov.u32 %r8, 0; mov.u32 %r9, %r4;
    LOOP:
        setp.eq.s32 %p1, %r9, 0;
        @%p1 bra DONE;
        add.s32 %r8, %r8, %r9;
        add.s32 %r9, %r9, -1;
        bra LOOP;
    DONE:
        vote.sync.ballot.b32 %r10, 1, 0xffffffff;
        mov.b64 %d8, {%r8, %r10};";
    results(body, "", |i| (i * (i + 1) / 2) | (0xffff_ffff << 32));
}

#[test]
fn nested_branches_reconverge() {
    let body = "
        and.b32 %r9, %r4, 1; setp.eq.s32 %p1, %r9, 0;
        and.b32 %r9, %r4, 2; setp.eq.s32 %p2, %r9, 0;
        @%p1 bra EVEN;
        @!%p2 bra THREE;
        mov.u32 %r8, 100; bra.uni JOIN;
    THREE:
        mov.u32 %r8, 300; bra JOIN;
    EVEN:
        mov.u32 %r8, 200;
        @%p2 add.s32 %r8, %r8, 1;
    JOIN:
        bar.warp.sync -1;
        activemask.b32 %r9;
        mov.b64 %d8, {%r8, %r9};";
    results(body, "", |i| [201, 100, 200, 300][(i % 4) as usize] | 0xffff_ffff << 32);
}

#[test]
fn a_table_of_branches() {
    let body = "
        and.b32 %r9, %r4, 3;
        ts: .branchtargets L0, L1, L2, L1;
        brx.idx %r9, ts;
    L0: mov.u64 %d8, 10; bra JOIN;
    L1: mov.u64 %d8, 11; bra JOIN;
    L2: mov.u64 %d8, 12;
    JOIN:";
    results(body, "", |i| [10, 11, 12, 11][(i % 4) as usize]);
}

#[test]
fn device_functions_with_parameters() {
    let function = "
.func (.param .b32 result) power(.param .b32 base, .param .b32 exponent)
{
    .reg .pred %p<3>; .reg .b32 %r<6>;
    ld.param.u32 %r1, [base];
    ld.param.u32 %r2, [exponent];
    mov.u32 %r3, 1;
AGAIN:
    setp.eq.u32 %p1, %r2, 0;
    @%p1 bra OUT;
    mul.lo.u32 %r3, %r3, %r1;
    sub.u32 %r2, %r2, 1;
    bra AGAIN;
OUT:
    st.param.b32 [result], %r3;
    ret;
}";
    let call = |base: &str, to: &str| {
        format!(
            "{{ .param .b32 p0; .param .b32 p1; .param .b32 q;
              st.param.b32 [p0], {base}; st.param.b32 [p1], 3;
              call.uni (q), power, (p0, p1);
              ld.param.b32 {to}, [q]; }}"
        )
    };
    let body = format!("{}{} cvt.u64.u32 %d8, %r9;", call("%r4", "%r8"), call("2", "%r10"));
    let body = body.replace("cvt.u64.u32", "add.s32 %r9, %r8, %r10; cvt.u64.u32");
    results(&body, function, |i| i * i * i + 8);
}

#[test]
fn scopes_hide_names() {
    let body = "
        mov.u32 %r8, 5;
        { .reg .b32 t; .reg .pred q; setp.gt.u32 q, %r4, 15; mov.u32 t, 1; @q bra SKIP; mov.u32 t, 2; SKIP: add.s32 %r8, %r8, t; }
        { .reg .b32 t; .reg .pred q; setp.gt.u32 q, %r4, 7; mov.u32 t, 10; @q bra SKIP; mov.u32 t, 20; SKIP: add.s32 %r8, %r8, t; }
        cvt.u64.u32 %d8, %r8;";
    results(body, "", |i| 5 + if i > 15 { 1 } else { 2 } + if i > 7 { 10 } else { 20 });
}

#[test]
fn hints_and_waits_do_nothing() {
    let body =
        "griddepcontrol.wait; nanosleep.u32 20; griddepcontrol.launch_dependents; prefetch.global.L2 [%d0];
        pmevent 1; fence.acq_rel.gpu; fence.proxy.async; mov.u64 %d8, %d7;";
    results(body, "", |i| 1000 - i);
}

#[test]
fn unknown_things_are_named() {
    let error = |line: &str| module(line, "").check("t").map_err(|e| e.to_string());
    for (line, names) in [
        ("frobnicate.u32 %r8, %r4;", "frobnicate"),
        ("add.u32.quick %r8, %r4, %r5;", "quick"),
        ("ld.global.wild.u32 %r8, [%d0];", "wild"),
        ("mov.u32 %r8, %r999;", "%r999"),
        (
            "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r8,%r9,%r10,%r11}, {%r4,%r4,%r4,%r4}, {%r4,%r4}, {%r4,%r4,%r4,%r4};",
            "m16n8k16",
        ),
        ("bra NOWHERE;", "NOWHERE"),
    ] {
        let text = error(line).expect_err(line);
        assert!(text.contains(names) && text.contains("line"), "{line}: {text}");
    }
    assert!(matches!(Module::parse(".version 8.0\n.entry t(\n ? )"), Err(Error::Syntax { line: 3, .. })));
}

#[test]
fn endless_loops_and_traps_end() {
    let stuck = run(&module("FOREVER: bra FOREVER; mov.u64 %d8, 0;", ""), &values(1)).unwrap_err();
    assert!(matches!(stuck.fault().unwrap().kind, FaultKind::Stuck { .. }), "{stuck}");
    let body = "setp.eq.s32 %p1, %r4, 5; @%p1 trap; mov.u64 %d8, 0;";
    let trap = run(&module(body, ""), &values(32)).unwrap_err();
    assert_eq!(
        (trap.fault().unwrap().kind.clone(), trap.fault().unwrap().thread),
        (FaultKind::Trap, [5, 0, 0])
    );
}
