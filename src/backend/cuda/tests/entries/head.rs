//! `head`: logits to scores, with statuses, small probabilities, and each output left out once.

use bytemuck::Zeroable;
use maskrank_ptx::Gpu;

use super::{Kernel, Random, close, floats, kernels, precision, rows_word};
use crate::backend::cuda::params::{HeadParams, HeadTask};

const ROWS_PER_BLOCK: usize = 4;

fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

#[test]
fn head() {
    kernels("head").iter().for_each(check);
}

pub(super) fn check(kernel: &Kernel) {
    {
        let precision = precision(kernel.entry.name.strip_prefix("head_").expect("a head"));
        for (rows, tasks) in [(0, 1), (1, 10), (3, 2), (4, 1), (5, 3), (13, 48)] {
            for outputs in [[true; 3], [false, true, false]] {
                let gpu = &mut Gpu::new();
                let mut random = Random((rows * 64 + tasks) as u64);
                let mut params = HeadParams::zeroed();
                params.rows = rows_word(gpu, rows);
                params.num_tasks = tasks as u32;
                params.uses_uncalibrated = u32::from(rows == 5);
                // Candidate 2 has no norm: it keeps its status.
                let before: Vec<u32> = (0..rows.max(1)).map(|row| u32::from(row == 2)).collect();
                let status = gpu.inout("status", &before);
                params.status = gpu.address::<u32>(status, 0);
                let score = gpu.output::<f32>("score", rows.max(1));
                params.score = gpu.address::<f32>(score, 0);
                let per_task =
                    outputs.map(|wanted| wanted.then(|| gpu.output::<f32>("per task", rows.max(1) * tasks)));
                let at = |buffer: Option<_>| buffer.map_or(0, |buffer| gpu.address::<f32>(buffer, 0));
                [params.logits, params.probabilities, params.calibrated] = per_task.map(at);
                let mut expected = vec![vec![0.0; tasks]; rows];
                let mut slack = vec![vec![0.0; tasks]; rows];
                let mut ln_ratios = Vec::new();
                let mut weights = Vec::new();
                for task in 0..tasks {
                    let width = [1, 64, 128, 200][task % 4];
                    let padded = usize::next_multiple_of(width, 64);
                    let mut input = random.matrix(precision, rows, width, padded);
                    if rows == 13 && task == 0 {
                        // An infinity in candidate 4.
                        input.values[4 * padded] = f64::INFINITY;
                        input = super::Stored::new(precision, &input.values, padded);
                    }
                    let weight: Vec<f64> = (0..padded)
                        .map(|i| if i < width { f64::from((0.5 + random.signed()) as f32) } else { 0.0 })
                        .collect();
                    let small = |v: f64| f64::from(v as f32);
                    // A shift of -14 makes probabilities around 1e-6.
                    let (bias, scale, shift) =
                        (small(random.signed()), small(1.0 + random.signed() / 2.0), [0.0, -14.0][task % 2]);
                    let (ln_ratio, score_weight) =
                        (small(random.signed() * 3.0), small(random.signed() * 100.0));
                    let has_relu = task % 3 == 1;
                    params.tasks[task] = HeadTask {
                        input: input.input(gpu, "input", padded + 8),
                        weight: floats(gpu, "weight", &weight),
                        input_stride: (padded + 8) as u32,
                        padded: padded as u32,
                        bias: bias as f32,
                        has_relu: u32::from(has_relu),
                        scale: scale as f32,
                        shift: shift as f32,
                        ln_ratio: ln_ratio as f32,
                        score_weight: score_weight as f32,
                    };
                    for row in 0..rows {
                        let products = input.row(row).iter().zip(&weight).map(|(v, w)| v * w);
                        let (dot, size) = products.fold((0.0, 0.0), |(s, a), p| (s + p, a + p.abs()));
                        let logit: f64 = dot + bias;
                        expected[row][task] = scale * if has_relu { logit.max(0.0) } else { logit } + shift;
                        slack[row][task] = (width + 6) as f64
                            * 2f64.powi(-24)
                            * (scale.abs() * (size + bias.abs()) + shift.abs());
                    }
                    ln_ratios.push(ln_ratio);
                    weights.push(score_weight);
                }
                kernel.run(
                    gpu,
                    [(rows + 3).div_ceil(ROWS_PER_BLOCK).max(1) as u32, 1, 1],
                    0,
                    bytemuck::bytes_of(&params),
                );

                let (status, score) = (gpu.read::<u32>(status), gpu.read::<f32>(score));
                for row in 0..rows {
                    let what = format!("{} {} rows {rows} row {row}", kernel.target, kernel.entry.name);
                    let is_infinite = rows == 13 && row == 4;
                    assert_eq!(
                        status[row],
                        if row == 2 { 1 } else { 2 * u32::from(is_infinite) },
                        "{what}: status"
                    );
                    if status[row] != 0 {
                        assert!(score[row].is_nan(), "{what}: score {}", score[row]);
                        continue;
                    }
                    // |dσ| <= σ |dL|, and exp's few units in the last place.
                    let relative = |task: usize| {
                        slack[row][task] + 2f64.powi(-21) * (1.0 + expected[row][task].abs() / 8.0)
                    };
                    let values: [Vec<f64>; 3] = [
                        expected[row].clone(),
                        expected[row].iter().map(|&l| sigmoid(l)).collect(),
                        expected[row].iter().zip(&ln_ratios).map(|(l, r)| sigmoid(l + r)).collect(),
                    ];
                    for (index, buffer) in per_task.iter().enumerate() {
                        let Some(buffer) = buffer else { continue };
                        let found: Vec<f64> = gpu.read::<f32>(*buffer)[row * tasks..(row + 1) * tasks]
                            .iter()
                            .map(|&v| f64::from(v))
                            .collect();
                        close(&what, &found, &values[index], |task| {
                            if index == 0 {
                                slack[row][task] + 1e-30
                            } else {
                                relative(task) * values[index][task]
                            }
                        });
                    }
                    let from = &values[if rows == 5 { 1 } else { 2 }];
                    let sum = from.iter().zip(&weights).map(|(p, w)| p * w).sum::<f64>();
                    let size: f64 = (0..tasks)
                        .map(|t| (weights[t] * from[t]).abs() * (relative(t) + 2f64.powi(-18)))
                        .sum();
                    close(&what, &[f64::from(score[row])], &[sum], |_| size + 1e-30);
                }
            }
        }
    }
}
