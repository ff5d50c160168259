//! Speed of the interpreter on the tensor-core kernel.

use std::time::Instant;

use maskrank_ptx::Module;

use crate::gemm;

/// Multiply-adds a second below which something is broken: a tenth of what an idle pair of cores must reach, because
/// tests share the machine with other work. `cargo run -p maskrank-ptx --example speed` measures the real figure.
const FLOOR: f64 = 1e8;

#[test]
fn tensor_core_kernels_are_fast_enough_for_tests() {
    let module = Module::parse(gemm::PTX).unwrap();
    let case = gemm::Case { m: 256, n: 512, k: 1024 };
    let mut best = 0f64;
    for _ in 0..3 {
        let start = Instant::now();
        let (d, _) = gemm::launch(&module, case, false).unwrap();
        let rate = (case.m * case.n * case.k) as f64 / start.elapsed().as_secs_f64();
        assert_eq!(d.len(), case.m * case.n);
        best = best.max(rate);
    }
    assert!(best >= FLOOR, "{best:.3e} multiply-adds a second, expected at least {FLOOR:.0e}");
}
