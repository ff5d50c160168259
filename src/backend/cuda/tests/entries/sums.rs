//! `gemm` with the epilogue `sums`: rows of requests, whose second part meets the weights of the first once more.

use bytemuck::Zeroable;
use maskrank_ptx::Gpu;

use super::{Kernel, Output, Random, close, rows_word};
use crate::Precision;
use crate::backend::cuda::params::{GemmGroup, GemmParams};

/// Columns of the weights that the kernel must leave alone, before and behind those that it multiplies.
const BEFORE: usize = 64;

/// Every edge of the tile, two groups: one whose row goes over the weights twice, and one once.
pub(super) fn check(kernel: &Kernel, precision: Precision, tile: (usize, usize)) {
    let (m, n) = tile;
    let all = if kernel.target == "compute_80" { vec![0, 1, m - 1, m, m + 1] } else { vec![1, m + 1] };
    for rows in all {
        run(kernel, precision, tile, rows, &[(n + 1, 192, 2), (61, 64, 1)]);
    }
}

/// Groups of `(width, k, repeats)`.
fn run(
    kernel: &Kernel,
    precision: Precision,
    (tile_m, tile_n): (usize, usize),
    rows: usize,
    groups: &[(usize, usize, usize)],
) {
    let (gpu, mut random) = (&mut Gpu::new(), Random(rows as u64 + 11));
    let mut params = GemmParams::zeroed();
    params.rows = rows_word(gpu, rows);
    params.num_groups = groups.len() as u32;
    let (mut tiles, mut operands) = (0, Vec::new());
    for (&(width, k, repeats), out) in groups.iter().zip(&mut params.groups) {
        let (n, a_stride) = (width.next_multiple_of(64), repeats * k + 64);
        let a = random.matrix(precision, rows, repeats * k, repeats * k);
        let b = random.matrix(precision, n, BEFORE + k, BEFORE + k + 64);
        let sums = Output::new(gpu, Precision::F32, rows, n, n);
        let size = crate::backend::cuda::element::bytes(precision);
        *out = GemmGroup {
            a: a.input(gpu, "a", a_stride),
            b: b.input(gpu, "b", b.columns) + (BEFORE * size) as u64,
            scratch: sums.address(gpu),
            a_stride: a_stride as u32,
            b_stride: b.columns as u32,
            k: (repeats * k) as u32,
            repeat_k: k as u32,
            n: n as u32,
            first_tile: tiles,
            ..GemmGroup::zeroed()
        };
        tiles += n.div_ceil(tile_n) as u32;
        operands.push((a, b, sums, k));
    }
    // A graph is set for more rows of tiles than a later call has.
    let grid = [tiles, rows.div_ceil(tile_m) as u32 + 1, 1];
    kernel.run(gpu, grid, 0, bytemuck::bytes_of(&params));
    for (index, (a, b, sums, k)) in operands.iter().enumerate() {
        let found = sums.values(gpu);
        let n = b.values.len() / b.columns;
        for (row, found) in found.chunks(n).enumerate() {
            let what = format!("{} {} rows {rows} group {index} row {row}", kernel.target, kernel.entry.name);
            let sums: Vec<(f64, f64)> = (0..n)
                .map(|column| {
                    let weights = b.row(column)[BEFORE..BEFORE + k].iter().cycle();
                    let products = a.row(row).iter().zip(weights).map(|(a, b)| a * b);
                    products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()))
                })
                .collect();
            let expected: Vec<f64> = sums.iter().map(|sum| sum.0).collect();
            // One rounding for each addition; none for products wider than the sum.
            close(&what, found, &expected, |column| a.columns as f64 * 2f64.powi(-24) * sums[column].1);
        }
    }
}
