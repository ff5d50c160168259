//! The layer norm with the sum by the last block: launch, reference and bound.

use maskrank_ptx::{Arg, Gpu, Launch, Module, Result, Stats};

use crate::gemm::numbers;

/// PTX of `kernels/row_norm.cu`.
pub(crate) const PTX: &str = include_str!("../../kernels/row_norm.ptx");
const EPS: f32 = 1e-5;

/// One problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) rows: usize,
    pub(crate) width: usize,
}

/// Rows and total.
pub(crate) struct Outcome {
    pub(crate) y: Vec<f32>,
    pub(crate) total: f32,
    pub(crate) ticket: u32,
    pub(crate) stats: Stats,
}

/// Runs the kernel in `module`.
pub(crate) fn launch(module: &Module, case: Case) -> Result<Outcome> {
    let Case { rows, width } = case;
    let mut gpu = Gpu::new();
    let x = gpu.input("x", &numbers(3, rows * width));
    let (gain, shift) = (gpu.input("gain", &numbers(4, width)), gpu.input("shift", &numbers(5, width)));
    let y = gpu.output::<f32>("y", rows * width);
    let (partial, total) = (gpu.output::<f32>("partial", rows), gpu.output::<f32>("total", 1));
    let ticket = gpu.inout("ticket", &[0u32]);
    let stats = [x, gain, shift, y, partial, total, ticket]
        .into_iter()
        .fold(Launch::new(module, "row_norm"), |l, b| l.arg(Arg::Buffer(b)))
        .arg(Arg::I32(width as i32))
        .arg(Arg::F32(EPS))
        .grid([rows as u32, 1, 1])
        .block([128, 1, 1])
        .step_limit(1_000_000)
        .detail()
        .run(&mut gpu)?;
    let (total, ticket) = (gpu.read::<f32>(total)[0], gpu.read::<u32>(ticket)[0]);
    Ok(Outcome { y: gpu.read(y), total, ticket, stats })
}

/// Compares with `f64`.
pub(crate) fn check(case: Case, got: &Outcome) -> std::result::Result<(), String> {
    let Case { rows, width } = case;
    let (x, gain, shift) = (numbers(3, rows * width), numbers(4, width), numbers(5, width));
    let n = width as f64;
    let (mut total, mut total_bound) = (0.0, 0.0);
    for r in 0..rows {
        let row: Vec<f64> = x[r * width..(r + 1) * width].iter().map(|v| f64::from(*v)).collect();
        let mean = row.iter().sum::<f64>() / n;
        let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        let deviation = (variance + f64::from(EPS)).sqrt();
        for c in 0..width {
            let normal = (row[c] - mean) / deviation;
            let expected = normal * f64::from(gain[c]) + f64::from(shift[c]);
            // Errors of mean and variance grow with the width; both are divided by the deviation.
            let eps = f64::from(f32::EPSILON);
            let bound = eps * ((n + 8.0) / deviation + 8.0) * (1.0 + normal.abs());
            let err = (f64::from(got.y[r * width + c]) - expected).abs();
            let fits = err <= bound;
            if !fits {
                return Err(format!(
                    "{case:?} row {r} col {c}: expected {expected}, got {}",
                    got.y[r * width + c]
                ));
            }
            total += expected;
            total_bound += bound + eps * expected.abs() * n;
        }
    }
    let fits = (f64::from(got.total) - total).abs() <= total_bound;
    if !fits || got.ticket != 0 {
        return Err(format!("{case:?}: total {}, expected {total}; ticket {}", got.total, got.ticket));
    }
    Ok(())
}
