//! Proof that these tests can fail: faults planted in the shipped PTX, each of which must be caught.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Kernel, featurize, gemm, head, mutated};

/// What is wrong, the kernel, and the change to its PTX.
const FAULTS: &[(&str, &str, &str, &str, &str)] = &[
    ("copies are not waited for", "gemm_bf16", "gemm_bf16_64x64_bias", "cp.async.wait_group 2;", ""),
    (
        "one stage too few is waited for",
        "gemm_bf16",
        "gemm_bf16_64x64_bias",
        "wait_group 2;",
        "wait_group 3;",
    ),
    ("barriers are missing", "gemm_bf16", "gemm_bf16_64x64_relu", "bar.sync \t0;", ""),
    (
        "fragments are transposed",
        "gemm_bf16",
        "gemm_bf16_64x64_bias",
        "m8n8.x4.shared",
        "m8n8.x4.trans.shared",
    ),
    (
        "results are stored in another type",
        "gemm_bf16",
        "gemm_bf16_64x64_bias",
        "cvt.rn.bf16x2",
        "cvt.rn.f16x2",
    ),
    (
        "operands are taken for another type",
        "gemm_bf16",
        "gemm_bf16_16x32_bias",
        "bf16.bf16.f32",
        "f16.f16.f32",
    ),
    ("slices are read before they are whole", "gemm_bf16", "gemm_bf16_64x64_mask", "bar.warp.sync", "// "),
    (
        "a scale is added instead",
        "gemm_f32",
        "gemm_f32_64x64_bias",
        "fma.rn.f32",
        "add.f32 %f1, %f1, %f1; // ",
    ),
    ("a row is summed before it is whole", "featurize", "featurize_f32_to_f32", "bar.sync \t0;", ""),
    (
        "one equal feature makes a row flat",
        "featurize",
        "featurize_f32_to_f32",
        "vote.sync.any",
        "vote.sync.all",
    ),
    ("the clamp is upside down", "featurize", "featurize_f32_to_f32", "min.f32", "max.f32"),
    ("a status is replaced while it is read", "head", "head_f32", "bar.warp.sync", "// "),
    ("lanes are not summed", "head", "head_f32", "shfl.sync.bfly.b32", "shfl.sync.up.b32"),
];

fn check(kernel: &Kernel) {
    match kernel.entry.name.split('_').next() {
        Some("gemm") => gemm::once(kernel),
        Some("featurize") => featurize::check(kernel),
        _ => head::check(kernel),
    }
}

#[test]
fn every_planted_fault_is_caught() {
    let missed: Vec<&str> = FAULTS
        .iter()
        .filter(|(_, unit, name, from, to)| {
            let kernel = mutated(unit, name, from, to);
            catch_unwind(AssertUnwindSafe(|| check(&kernel))).is_ok()
        })
        .map(|(what, ..)| *what)
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
