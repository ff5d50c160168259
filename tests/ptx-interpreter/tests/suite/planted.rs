//! Planted faults: one change to a real kernel, which the interpreter must catch, and name rightly.

use maskrank_ptx::{Error, FaultKind, Hazard, Module};

use crate::{gemm, row_norm};

/// Which kernel is changed, and the problem that it then runs.
#[derive(Clone, Copy)]
enum Kernel {
    Gemm(gemm::Case),
    RowNorm(row_norm::Case),
}

/// How a fault must show itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Caught {
    Race(Hazard),
    AsyncPending,
    Poison,
    OutOfBounds,
    Misaligned,
    Barrier,
    Uninitialized,
    WarpDivergence,
    ReadOnlyWrite,
    Stuck,
    Canary,
    /// No hazard, but numbers that do not match the reference.
    WrongResult,
}

/// One change of the text: which occurrence of what becomes what.
struct Edit(usize, &'static str, &'static str);

fn apply(text: &str, edit: &Edit) -> String {
    let Edit(nth, find, replace) = edit;
    let found = text.match_indices(find).nth(*nth);
    let (at, _) =
        found.unwrap_or_else(|| panic!("occurrence {nth} of `{find}` is not in the golden PTX any more"));
    format!("{}{replace}{}", &text[..at], &text[at + find.len()..])
}

fn classify(e: &Error) -> Option<Caught> {
    if matches!(e, Error::Canary { .. }) {
        return Some(Caught::Canary);
    }
    Some(match &e.fault()?.kind {
        FaultKind::Race { hazard, .. } => Caught::Race(*hazard),
        FaultKind::AsyncPending { .. } => Caught::AsyncPending,
        FaultKind::PoisonRead { .. } => Caught::Poison,
        FaultKind::OutOfBounds { .. } => Caught::OutOfBounds,
        FaultKind::Misaligned { .. } => Caught::Misaligned,
        FaultKind::Barrier { .. } => Caught::Barrier,
        FaultKind::UninitializedRegister { .. } => Caught::Uninitialized,
        FaultKind::WarpDivergence { .. } => Caught::WarpDivergence,
        FaultKind::ReadOnlyWrite { .. } => Caught::ReadOnlyWrite,
        FaultKind::Stuck { .. } => Caught::Stuck,
        _ => return None,
    })
}

fn plant(kernel: Kernel, edits: &[Edit], expected: Caught) {
    let golden = match kernel {
        Kernel::Gemm(_) => gemm::PTX,
        Kernel::RowNorm(_) => row_norm::PTX,
    };
    let module = Module::parse(&edits.iter().fold(golden.to_string(), |t, e| apply(&t, e))).unwrap();
    let outcome = match kernel {
        Kernel::Gemm(case) => gemm::launch(&module, case, false).map(|(d, _)| gemm::check(case, &d)),
        Kernel::RowNorm(case) => row_norm::launch(&module, case).map(|o| row_norm::check(case, &o)),
    };
    match outcome {
        Ok(Ok(())) => panic!("nothing noticed the fault, expected {expected:?}"),
        Ok(Err(difference)) => assert_eq!(expected, Caught::WrongResult, "{difference}"),
        Err(e) => {
            assert_eq!(classify(&e), Some(expected), "{e}");
            if let Some(f) = e.fault() {
                // A report without its place is of no use.
                let (file, line) = f.site.source.clone().unwrap_or_else(|| panic!("no source line: {e}"));
                assert!(file.ends_with(".cu") || file.ends_with(".hpp"), "{file}");
                assert!(line > 0 && f.site.ptx_line > 0 && e.to_string().contains(&f.kernel), "{e}");
            }
        }
    }
}

const GEMM: Kernel = Kernel::Gemm(gemm::Case { m: 64, n: 64, k: 160 });
const GEMM_RAGGED: Kernel = Kernel::Gemm(gemm::Case { m: 61, n: 59, k: 40 });
const NORM: Kernel = Kernel::RowNorm(row_norm::Case { rows: 5, width: 300 });

macro_rules! planted {
    ($($name:ident: $kernel:expr, [$($edit:expr),+] => $caught:expr;)+) => {$(
        #[test]
        fn $name() {
            plant($kernel, &[$($edit),+], $caught);
        }
    )+};
}

use Hazard::{ReadAfterWrite, WriteAfterRead};

planted! {
    // Pipeline of asynchronous copies.
    wait_leaves_one_group_too_many: GEMM, [Edit(0, "cp.async.wait_group 1;", "cp.async.wait_group 2;")]
        => Caught::AsyncPending;
    wait_is_missing: GEMM, [Edit(0, "cp.async.wait_group 1;", "")] => Caught::AsyncPending;
    commit_is_missing: GEMM, [Edit(2, "cp.async.commit_group;", "")] => Caught::AsyncPending;
    barrier_of_the_mainloop_is_missing: GEMM, [Edit(0, "bar.sync \t0;", "")] => Caught::Race(ReadAfterWrite);
    barrier_before_the_wait: GEMM, [
        Edit(0, "cp.async.wait_group 1;", "bar.sync \t0;"), Edit(1, "bar.sync \t0;", "cp.async.wait_group 1;")
    ] => Caught::Race(ReadAfterWrite);
    stage_is_refilled_while_in_use: GEMM, [Edit(0, "add.s32 \t%r286, %r291, 16384;", "add.s32 \t%r286, %r291, 0;")]
        => Caught::AsyncPending;
    stage_is_never_filled: GEMM, [Edit(0, "cp.async.cg.shared.global [%r136], [%rd136], 16, %r137;", "")]
        => Caught::Poison;
    // Addresses.
    copy_is_misaligned: GEMM, [Edit(0, "add.s32 \t%r136, %r98, 4096;", "add.s32 \t%r136, %r98, 4104;")]
        => Caught::Misaligned;
    row_guard_is_off_by_one: GEMM_RAGGED, [Edit(0, "setp.lt.s32 \t%p17, %r16, %r83;", "setp.le.s32 \t%p17, %r16, %r83;")]
        => Caught::OutOfBounds;
    stage_lies_beyond_shared_memory: GEMM, [Edit(0, "add.s32 \t%r152, %r168, 8192;", "add.s32 \t%r152, %r168, 24576;")]
        => Caught::OutOfBounds;
    swizzle_on_the_reading_side_only: GEMM, [Edit(0, "and.b32  \t%r217, %r216, 3;", "and.b32  \t%r217, %r216, 1;")]
        => Caught::WrongResult;
    k_tail_is_not_zeroed: GEMM_RAGGED, [
        Edit(0, "selp.b32 \t%r153, 16, 0, %p5;", "mov.u32 \t%r153, 16;"),
        Edit(0, "selp.b32 \t%r194, 16, 0, %p7;", "mov.u32 \t%r194, 16;")
    ]
        => Caught::WrongResult;
    // Fragments and accumulators.
    halves_of_b_are_swapped: GEMM, [Edit(0, "{%r315, %r316}, {%f304", "{%r316, %r315}, {%f304")] => Caught::WrongResult;
    rows_of_a_are_swapped: GEMM, [Edit(0, "{%r310, %r311, %r312, %r313}, {%r315", "{%r311, %r310, %r313, %r312}, {%r315")]
        => Caught::WrongResult;
    matrix_is_transposed: GEMM, [Edit(0, "ldmatrix.sync.aligned.m8n8.x4.shared", "ldmatrix.sync.aligned.m8n8.x4.trans.shared")]
        => Caught::WrongResult;
    accumulator_starts_undefined: GEMM, [
        Edit(0, "mov.f32 \t%f289, 0f00000000;", ""), Edit(0, "mov.f32 \t%f289, 0f00000000;", "")
    ] => Caught::Uninitialized;
    // Tails of the output.
    column_guard_is_off_by_one: GEMM_RAGGED, [Edit(0, "setp.ge.s32 \t%p94, %r76, %r84;", "setp.gt.s32 \t%p94, %r76, %r84;")]
        => Caught::Canary;
    column_guard_is_missing: GEMM_RAGGED, [Edit(0, "@%p95 bra \t$L__BB0_61;", "")] => Caught::Race(Hazard::WriteAfterWrite);
    // Barriers and shared memory of the norm.
    barrier_before_the_sums_are_read: NORM, [Edit(1, "bar.sync \t0;", "")] => Caught::Race(ReadAfterWrite);
    barrier_before_the_sums_are_reused: NORM, [Edit(2, "bar.sync \t0;", "")] => Caught::Race(WriteAfterRead);
    barrier_in_a_branch: NORM, [Edit(1, "bar.sync \t0;", "@%p11 bar.sync \t0;")] => Caught::Barrier;
    leader_is_the_wrong_way_round: NORM, [Edit(0, "@%p11 bra", "@!%p11 bra")] => Caught::Race(Hazard::WriteAfterWrite);
    sums_are_indexed_past_their_end: NORM, [Edit(0, "smem_sums+12]", "smem_sums+16]")] => Caught::OutOfBounds;
    warp_leaves_early: NORM, [Edit(0, "and.b32  \t%r10, %r167, 31;", "and.b32  \t%r10, %r167, 31;\n\tsetp.gt.s32 %p48, %r167, 95;\n\t@%p48 ret;")]
        => Caught::Barrier;
    // Warp-wide instructions.
    lane_mask_names_half_a_warp: NORM, [Edit(0, "mov.u32 \t%r52, -1;", "mov.u32 \t%r52, 65535;")]
        => Caught::WarpDivergence;
    shuffle_distance_is_repeated: NORM, [Edit(0, "mov.u32 \t%r55, 8;", "mov.u32 \t%r55, 16;")] => Caught::WrongResult;
    // Global memory.
    fence_before_the_ticket_is_missing: NORM, [Edit(0, "membar.gl;", "")] => Caught::Race(ReadAfterWrite);
    fence_reaches_the_block_only: NORM, [Edit(0, "membar.gl;", "membar.cta;")] => Caught::Race(ReadAfterWrite);
    input_is_written: NORM, [Edit(0, "st.global.f32 \t[%rd108], %f111;", "st.global.f32 \t[%rd107], %f111;")]
        => Caught::ReadOnlyWrite;
    all_blocks_write_one_row: NORM, [Edit(0, "st.global.f32 \t[%rd92], %f155;", "st.global.f32 \t[%rd90], %f155;")]
        => Caught::Race(Hazard::WriteAfterWrite);
    column_loop_runs_too_far: NORM, [Edit(0, "add.s32 \t%r43, %r42, 1;", "add.s32 \t%r43, %r42, 2;")] => Caught::OutOfBounds;
    loop_never_ends: NORM, [Edit(0, "add.s32 \t%r154, %r154, -1;", "add.s32 \t%r154, %r154, 0;\n\tadd.s64 \t%rd103, %rd103, -512;")]
        => Caught::Stuck;
}
