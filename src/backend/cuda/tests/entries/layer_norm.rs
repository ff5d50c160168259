//! `layer_norm`: one segment and several, narrow rows and rows wider than a warp keeps in registers.

use bytemuck::Zeroable;
use maskrank_ptx::Gpu;

use super::{Output, Random, Stored, close, floats, kernels, precision, rows_word, unit_roundoff};
use crate::backend::cuda::params::{LayerNormGroup, LayerNormParams};

const EPSILON: f64 = 1e-5;
const ROWS_PER_BLOCK: usize = 4;

#[test]
fn layer_norm() {
    for kernel in kernels("layer_norm") {
        let precision = precision(kernel.entry.name.strip_prefix("layer_norm_").expect("a layer norm"));
        for rows in [0, 1, 3, 4, 5, 13] {
            let gpu = &mut Gpu::new();
            let mut random = Random(rows as u64);
            let mut params = LayerNormParams::zeroed();
            params.rows = rows_word(gpu, rows);
            let mut cases = Vec::new();
            // Widths of segments; each is followed by zeros up to a multiple of 64.
            for (segments, out) in [vec![61], vec![3, 64, 1], vec![1024, 65]].iter().zip(&mut params.groups) {
                let valid: Vec<f64> = segments
                    .iter()
                    .flat_map(|&w: &usize| {
                        (0..w.next_multiple_of(64)).map(move |i| f64::from(u8::from(i < w)))
                    })
                    .collect();
                let padded = valid.len();
                let values: Vec<f64> =
                    (0..rows * padded).map(|i| random.signed() * 3.0 * valid[i % padded]).collect();
                let input = Stored::new(precision, &values, padded);
                let gamma: Vec<f64> =
                    valid.iter().map(|v| v * f64::from((1.5 + random.signed()) as f32)).collect();
                let beta: Vec<f64> = valid.iter().map(|v| v * f64::from(random.signed() as f32)).collect();
                let output = Output::new(gpu, precision, rows, padded, padded + 64);
                *out = LayerNormGroup {
                    input: input.input(gpu, "input", padded + 8),
                    out: output.address(gpu),
                    valid: floats(gpu, "valid", &valid),
                    gamma: floats(gpu, "gamma", &gamma),
                    beta: floats(gpu, "beta", &beta),
                    input_stride: (padded + 8) as u32,
                    out_stride: (padded + 64) as u32,
                    padded: padded as u32,
                    width: segments.iter().sum::<usize>() as u32,
                    epsilon: EPSILON as f32,
                    reserved: 0,
                };
                cases.push((valid, input, gamma, beta, output));
            }
            let grid = [(rows + 1).div_ceil(ROWS_PER_BLOCK) as u32, cases.len() as u32, 1];
            kernel.run(gpu, grid, 0, bytemuck::bytes_of(&params));
            for (valid, input, gamma, beta, output) in &cases {
                let found = output.values(gpu);
                for (row, found) in found.chunks(valid.len()).enumerate() {
                    let expected = reference(input.row(row), valid, gamma, beta);
                    let what = format!("{} {} rows {rows} row {row}", kernel.target, kernel.entry.name);
                    let (width, roundoff) = (valid.iter().sum::<f64>(), unit_roundoff(precision));
                    close(&what, found, &expected, |i| {
                        if valid[i] == 0.0 {
                            return 0.0;
                        }
                        // Inputs are below 3 and the deviation above 1: the mean's error, a few roundings, the store.
                        let inner = gamma[i].abs() * (width + 8.0) * 2f64.powi(-24) * 3.0;
                        inner + (roundoff + 2f64.powi(-22)) * (expected[i].abs() + 1e-6)
                    });
                }
            }
        }
    }
}

fn reference(row: &[f64], valid: &[f64], gamma: &[f64], beta: &[f64]) -> Vec<f64> {
    let width = valid.iter().sum::<f64>();
    let mean = row.iter().sum::<f64>() / width;
    let variance = row.iter().zip(valid).map(|(v, is)| is * (v - mean).powi(2)).sum::<f64>() / width;
    let deviation = (variance + EPSILON).sqrt();
    (0..row.len()).map(|i| valid[i] * ((row[i] - mean) / deviation * gamma[i] + beta[i])).collect()
}
