//! Whole kernels, as the compiler emitted them.

use maskrank_ptx::Module;

use crate::{gemm, row_norm};

#[test]
fn gemm_matches_the_reference() {
    let module = Module::parse(gemm::PTX).unwrap();
    for (m, n, k) in [(64, 64, 32), (1, 1, 8), (63, 65, 40), (128, 192, 256), (17, 130, 104), (65, 63, 8)] {
        let case = gemm::Case { m, n, k };
        let (d, _) = gemm::launch(&module, case, false).unwrap_or_else(|e| panic!("{case:?}: {e}"));
        gemm::check(case, &d).unwrap();
    }
}

#[test]
fn row_norm_matches_the_reference() {
    let module = Module::parse(row_norm::PTX).unwrap();
    for (rows, width) in [(1, 2), (1, 128), (3, 127), (7, 129), (40, 256), (200, 31)] {
        let case = row_norm::Case { rows, width };
        let got = row_norm::launch(&module, case).unwrap_or_else(|e| panic!("{case:?}: {e}"));
        row_norm::check(case, &got).unwrap();
    }
}

#[test]
fn memory_behaviour_can_be_asserted() {
    let module = Module::parse(gemm::PTX).unwrap();
    let case = gemm::Case { m: 128, n: 128, k: 128 };
    let (_, stats) = gemm::launch(&module, case, true).unwrap();
    // Four blocks; each reads 64 rows of A and of B, 2 bytes an element.
    let copies = stats.of("cp.async.cg");
    assert_eq!(copies.global_bytes as usize, 4 * 2 * 64 * case.k * 2);
    assert_eq!(copies.sectors, copies.ideal_sectors, "rows of 64 bytes are whole sectors");
    // Four warps, K / 16 steps, 2 x 4 tiles of 16 x 8 each.
    assert_eq!(stats.of("mma.sync").warps as usize, 4 * 4 * case.k / 16 * 8);
    let loads = stats.of("ldmatrix");
    assert!(loads.shared_requests > 0);
    assert_eq!(loads.wavefronts, loads.ideal_wavefronts, "the swizzle leaves no bank conflict");
    assert_eq!(stats.total.global_bytes as usize, copies.global_bytes as usize + case.m * case.n * 4);
    assert!(stats.by_line.keys().all(|(file, line)| file == "kernels/gemm_bf16.cu" && *line > 0));
    // Without the exclusive-or, eight rows of 64 bytes meet in the same banks: half of them, twice over.
    let straight = gemm::PTX.replace("and.b32  \t%r217, %r216, 3;", "mov.u32 \t%r217, 0;");
    let (_, stats) = gemm::launch(&Module::parse(&straight).unwrap(), case, true).unwrap();
    let loads = stats.of("ldmatrix");
    assert!(loads.wavefronts > loads.ideal_wavefronts, "{loads:?}");

    let module = Module::parse(row_norm::PTX).unwrap();
    let got = row_norm::launch(&module, row_norm::Case { rows: 8, width: 256 }).unwrap();
    let reads = got.stats.of("ld.global.nc");
    assert_eq!(reads.sectors, reads.ideal_sectors, "columns are read in order");
}
