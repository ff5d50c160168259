//! The kernels that work on rows, and the arithmetic in them, against the reference and against f64.

use std::borrow::Cow;

use maskrank::Precision;
use maskrank::wgpu_testing::TestDevice;
use maskrank_reference::layer_norm::{Affine, layer_norm as reference};

use super::{F32, Random, floor, unit};

pub(crate) fn layer_norm(device: &TestDevice, precision: Precision) {
    // (offset, spread) of a row's values: plain, far from zero, tiny under epsilon 0, huge.
    let scales = [(0.0, 1.0), (100.0, 1.0), (0.0, 1e-4), (0.0, 1e4)];
    for (index, &rows) in [1, 2, 33].iter().enumerate() {
        for scratch in [false, true] {
            let groups = [(1, 1e-5), (2, 1e-5), (31, 0.0), (129, 1e-3), (512, 0.0), (1025, 1e-5)];
            let mut random = Random(index as u64);
            let operands: Vec<[Vec<f64>; 3]> = groups
                .iter()
                .map(|&(width, _)| {
                    let (offset, spread) = scales[random.next() as usize % scales.len()];
                    let value = |random: &mut Random| {
                        let v = offset + spread * random.signed();
                        if scratch { f64::from(v as f32) } else { device.rounded(v) }
                    };
                    let x = (0..rows * width).map(|_| value(&mut random)).collect();
                    let affine = |random: &mut Random, base: f64| {
                        (0..width).map(|_| f64::from((base + random.signed()) as f32)).collect()
                    };
                    [x, affine(&mut random, 1.0), affine(&mut random, 0.0)]
                })
                .collect();
            let name = format!("layer_norm rows {rows} scratch {scratch} seed {index}");
            let found = device.layer_norm(rows, &groups, &operands, scratch).unwrap();
            for ((found, &(width, epsilon)), [x, gamma, beta]) in found.iter().zip(&groups).zip(&operands) {
                let affine = Affine { weight: Cow::Borrowed(gamma), bias: Cow::Borrowed(beta) };
                let expected = reference(x, width, epsilon, Some(&affine));
                for (i, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
                    let (row, column) = (i / width, i % width);
                    let row = &x[row * width..(row + 1) * width];
                    let mean = row.iter().sum::<f64>() / width as f64;
                    let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / width as f64;
                    let deviation = (variance + epsilon).sqrt();
                    let largest = row.iter().map(|v| (v - row[0]).abs()).fold(0.0, f64::max) / deviation;
                    // Sums of `width` deviations from the row's first value, in a tree; a few more roundings.
                    let depth = 12.0 + (width as f64 / 128.0);
                    let bound = depth * F32 * gamma[column].abs() * (1.0 + 3.0 * largest)
                        + 2.0 * F32 * beta[column].abs()
                        + unit(precision) * expected.abs()
                        + floor(precision);
                    let error = (found - expected).abs();
                    assert!(
                        error <= bound,
                        "{name}: width {width} row {} col {column}: expected {expected}, got {found}, |err| \
                         {error:.1e} > bound {bound:.1e} ({precision})",
                        i / width,
                    );
                }
            }
        }
    }
}

/// Units in the last place that the shader's logarithm may be off, before storage rounds it.
const LOG_ULPS: f64 = 4.0;

pub(crate) fn log_1p(device: &TestDevice, precision: Precision) {
    let mut values: Vec<f32> = vec![
        0.0,
        -0.0,
        1e-38,
        1e-30,
        1e-7,
        0.41,
        0.414_213_54,
        0.414_213_6,
        0.5,
        1.0,
        1.828_427,
        3.0,
        1e3,
        16_777_216.0,
        33_554_432.0,
        6e7,
        1e30,
        f32::MAX,
        -f32::MAX,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    let mut random = Random(11);
    // Every exponent, both signs.
    values.extend((0..4096u32).map(|i| {
        let bits = ((i % 254 + 1) << 23) | (random.next() as u32 & 0x007f_ffff) | ((i & 1) << 31);
        f32::from_bits(bits)
    }));
    // Around the switch of the exponent, and where features are.
    values.extend((0..4096).map(|_| 0.414 + 0.001 * random.signed() as f32));
    values.extend((0..4096).map(|_| (100.0 * random.signed() * random.signed()) as f32));
    let width = 61;
    values.truncate(values.len() / width * width);
    let found = device.log_1p(width, &values).unwrap();
    let mut worst = 0.0f64;
    for (&v, &found) in values.iter().zip(&found) {
        let expected = if v.is_finite() { f64::from(v).signum() * f64::from(v.abs()).ln_1p() } else { 0.0 };
        let expected = if v == 0.0 { 0.0 } else { expected };
        let store = if precision == Precision::F32 { 0.0 } else { unit(precision) };
        let bound = (LOG_ULPS * 2.0 * F32 + store) * expected.abs() + floor(precision);
        let error = (found - expected).abs();
        assert!(
            error <= bound,
            "log_1p({v:e}): expected {expected:e}, got {found:e}, |err| {error:.1e} > bound {bound:.1e} ({precision})"
        );
        worst = worst.max(error / (2.0 * F32 * expected.abs()).max(1e-38));
    }
    println!("log_1p: worst error {worst:.2} units in the last place");
}

/// Relative error of a probability, given its logit: a tenth of what the golden cases allow.
const SIGMOID: f64 = 1e-6;

pub(crate) fn sigmoid(device: &TestDevice, _: Precision) {
    let mut random = Random(5);
    // Sums of stored parts: the logits below are exact in every storage type.
    let logits: Vec<f32> =
        (0..2000).map(|i| ((i as f64 - 1000.0) / 1000.0 * 30.0 + random.signed() / 64.0) as f32).collect();
    let logits: Vec<f32> = logits.iter().map(|&l| (l * 256.0).round() / 256.0).collect();
    for ln_ratio in [0.0f32, -2.3, 0.7] {
        let found = device.sigmoid(&logits, ln_ratio).unwrap();
        for (&logit, [p, q]) in logits.iter().zip(found) {
            // The calibrated logit is a sum in f32: half a unit in its last place moves q by that much, relatively.
            let sum = f64::from(logit) + f64::from(ln_ratio);
            for (name, found, x, slack) in [("p", p, f64::from(logit), 0.0), ("q", q, sum, F32 * sum.abs())] {
                let expected = if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) };
                let error = (f64::from(found) - expected).abs();
                let bound = (SIGMOID + slack) * expected;
                assert!(
                    error <= bound,
                    "{name} of logit {logit} ln_ratio {ln_ratio}: expected {expected:e}, got {found:e}, |err| \
                     {error:.1e} > bound {bound:.1e}"
                );
            }
        }
    }
}
