//! `gemm` around every edge of its tiles, against the reference's linear layer.

use maskrank::Precision;
use maskrank::wgpu_testing::{EPILOGUE_BIAS, EPILOGUE_MULTIPLY, EPILOGUE_RELU, GemmCase, TestDevice};
use maskrank_reference::linear::{linear, relu};

use super::{F32, Random, floor, unit};

/// Around both tiles' rows, and a prime.
const ROWS: [usize; 11] = [1, 2, 15, 16, 17, 31, 63, 64, 65, 127, 129];
/// (columns, K) of groups that share a dispatch: around the tiles' columns and K-steps, primes, and mixtures.
const GROUPS: [&[(usize, usize)]; 6] = [
    &[(1, 1)],
    &[(63, 31), (64, 32), (65, 33)],
    &[(3, 97), (130, 64), (7, 5)],
    &[(127, 17), (128, 15)],
    &[(129, 16)],
    &[(31, 1021)],
];
const EPILOGUES: [(u32, bool); 4] =
    [(EPILOGUE_BIAS, false), (EPILOGUE_BIAS, true), (EPILOGUE_RELU, false), (EPILOGUE_MULTIPLY, false)];

pub(crate) fn edges(device: &TestDevice, precision: Precision) {
    for (seed, &rows) in ROWS.iter().enumerate() {
        // Every row count meets some of the groups and epilogues, and each of those every kind of row count.
        for (index, groups) in GROUPS.iter().enumerate() {
            let (epilogue, scratch) = EPILOGUES[(seed + index) % EPILOGUES.len()];
            check(device, precision, seed as u64, rows, groups, epilogue, scratch);
        }
    }
}

pub(crate) fn check(
    device: &TestDevice,
    precision: Precision,
    seed: u64,
    rows: usize,
    groups: &[(usize, usize)],
    epilogue: u32,
    scratch: bool,
) {
    let mut random = Random(seed);
    let operands: Vec<[Vec<f64>; 5]> = groups
        .iter()
        .map(|&(columns, k)| {
            [rows * k, columns * k, columns, rows * columns, columns]
                .map(|count| random.stored(device, count))
        })
        .collect();
    let case = GemmCase { epilogue, rows, groups, operands: &operands, scratch };
    let name =
        format!("gemm rows {rows} groups {groups:?} epilogue {epilogue} scratch {scratch} seed {seed}");
    let found = [0, 1].map(|tile| {
        let found = device.gemm(&case, tile).unwrap_or_else(|error| panic!("{name} tile {tile}: {error}"));
        for ((found, &(columns, k)), [a, w, bias, multiplier, scale]) in found.iter().zip(groups).zip(&operands) {
            let absolute = |values: &[f64]| values.iter().map(|v| v.abs()).collect::<Vec<f64>>();
            let scaled = |a: &[f64], w: &[f64], scale: &[f64], bias: &[f64]| -> Vec<f64> {
                let sums = linear(a, w, &vec![0.0; columns]);
                sums.iter().enumerate().map(|(i, v)| v * scale[i % columns] + bias[i % columns]).collect()
            };
            let mut expected = scaled(a, w, scale, bias);
            let mut size = scaled(&absolute(a), &absolute(w), &absolute(scale), &absolute(bias));
            match epilogue {
                EPILOGUE_RELU => relu(&mut expected),
                EPILOGUE_MULTIPLY => {
                    expected.iter_mut().zip(multiplier).for_each(|(v, m)| *v *= m);
                    size.iter_mut().zip(multiplier).for_each(|(v, m)| *v *= m.abs());
                }
                _ => {}
            }
            for (i, ((&found, &expected), &size)) in found.iter().zip(&expected).zip(&size).enumerate() {
                // K products and K sums round once each, the scale and the bias too; then the store.
                let store = if scratch { F32 } else { unit(precision) };
                let bound = (2 * k + 4) as f64 * F32 * size + store * expected.abs() + floor(precision);
                let error = (found - expected).abs();
                assert!(
                    error <= bound,
                    "{name} tile {tile}: row {} col {}: expected {expected}, got {found}, |err| {error:.1e} > \
                     bound {bound:.1e} (K={k}, {precision})",
                    i / columns,
                    i % columns,
                );
            }
        }
        found
    });
    assert_eq!(found[0], found[1], "{name}: both tiles give the same bits");
}
