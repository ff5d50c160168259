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
