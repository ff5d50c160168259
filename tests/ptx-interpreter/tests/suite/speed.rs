//! Speed of the interpreter on the tensor-core kernel.

use std::time::Instant;

use maskrank_ptx::Module;

use crate::gemm;

/// Multiply-adds per second that a forward of the production model needs, on two cores.
const REQUIRED: f64 = 1e9;

#[test]
fn tensor_core_kernels_run_at_a_billion_products_a_second() {
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
    println!("{best:.3e} multiply-adds a second");
}
