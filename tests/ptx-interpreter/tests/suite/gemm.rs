//! The tensor-core GEMM: launch, reference and bound.

use half::bf16;
use maskrank_ptx::{Arg, Gpu, Launch, Module, Padding, Result, Stats, Struct};

/// PTX of `kernels/gemm_bf16.cu`.
pub(crate) const PTX: &str = include_str!("../../kernels/gemm_bf16.ptx");
const STAGES: usize = 3;
/// Bytes of dynamic shared memory: (BLOCK_M + BLOCK_N) x BLOCK_K elements of 2 bytes a stage.
pub(crate) const SHARED: usize = STAGES * (64 + 64) * 32 * 2;

/// One problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

/// Numbers in [-1, 1) that depend on the seed only.
pub(crate) fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn halves(x: &[f32]) -> Vec<u16> {
    x.iter().map(|v| bf16::from_f32(*v).to_bits()).collect()
}

/// Runs the kernel in `module` and returns D, or the fault.
pub(crate) fn launch(module: &Module, case: Case, detail: bool) -> Result<(Vec<f32>, Stats)> {
    let Case { m, n, k } = case;
    let (a, b) = (numbers(1, m * k), numbers(2, n * k));
    let mut gpu = Gpu::new();
    let a = gpu.input("a", &halves(&a));
    let b = gpu.input("b", &halves(&b));
    let rows = Padding { stride: n + 3 };
    let d = gpu.output_rows::<f32>("d", m, n, rows);
    let int = |x: usize| Arg::I32(x as i32);
    let params = Struct::new().field(&Arg::Buffer(a)).field(&Arg::Buffer(b)).field(&Arg::Buffer(d));
    let params = params.field(&int(m)).field(&int(n)).field(&int(k)).field(&int(rows.stride)).build();
    let launch = Launch::new(module, "gemm_bf16")
        .grid([n.div_ceil(64) as u32, m.div_ceil(64) as u32, 1])
        .block([128, 1, 1])
        .shared(SHARED)
        .step_limit(10_000_000)
        .arg(params);
    let stats = if detail { launch.detail() } else { launch }.run(&mut gpu)?;
    Ok((gpu.read_rows(d, m, n, rows), stats))
}

/// Compares D with `f64` sums of the rounded inputs.
pub(crate) fn check(case: Case, d: &[f32]) -> std::result::Result<(), String> {
    let Case { m, n, k } = case;
    let wide = |x: Vec<f32>| x.into_iter().map(|v| bf16::from_f32(v).to_f64()).collect::<Vec<_>>();
    let (a, b) = (wide(numbers(1, m * k)), wide(numbers(2, n * k)));
    for i in 0..m {
        for j in 0..n {
            let terms = (0..k).map(|x| a[i * k + x] * b[j * k + x]);
            let (expected, size) = terms.fold((0.0, 0.0), |(s, t), p| (s + p, t + p.abs()));
            // Each of the k additions rounds a partial sum that is at most `size`.
            let bound = (k + 1) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
            let err = (f64::from(d[i * n + j]) - expected).abs();
            let fits = err <= bound;
            if !fits {
                return Err(format!(
                    "{case:?} row {i} col {j}: expected {expected}, got {}, bound {bound}",
                    d[i * n + j]
                ));
            }
        }
    }
    Ok(())
}
