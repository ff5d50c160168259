//! Proof that these tests can fail: faults planted in the shipped PTX, each of which must be caught.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Kernel, featurize, gemm, head, mutated};

/// A change to a kernel's PTX.
enum Change {
    /// Everywhere.
    All(&'static str, &'static str),
    /// At its first place.
    First(&'static str, &'static str),
    /// In the lines that contain the first text.
    In(&'static str, &'static str, &'static str),
    /// The last two of B's registers in every `mma`.
    SwapFragments,
}
use Change::{All, First, In, SwapFragments};

impl Change {
    fn apply(&self, text: &str) -> String {
        let lines = |change: &dyn Fn(&str) -> String| -> String {
            text.lines().flat_map(|line| [change(line), "\n".to_owned()]).collect()
        };
        match self {
            All(from, to) => text.replace(from, to),
            First(from, to) => text.replacen(from, to, 1),
            In(key, from, to) => {
                lines(&|line| if line.contains(key) { line.replace(from, to) } else { line.to_owned() })
            }
            SwapFragments => lines(&|line| {
                let parts: Vec<&str> = line.split(['{', '}']).collect();
                match (line.contains("mma.sync"), parts.get(5).and_then(|b| b.split_once(", "))) {
                    (true, Some((first, second))) => {
                        line.replace(&format!("{{{first}, {second}}}"), &format!("{{{second}, {first}}}"))
                    }
                    _ => line.to_owned(),
                }
            }),
        }
    }
}

const TILE: &str = "gemm_bf16_64x64_bias";
const NORM: &str = "gemm_bf16_64x64_norm";

/// What is wrong, the unit, the kernel, and the change to its PTX.
const FAULTS: &[(&str, &str, &str, Change)] = &[
    ("copies are not waited for", "gemm_bf16", TILE, All("cp.async.wait_group 2;", "")),
    ("one stage too few is waited for", "gemm_bf16", TILE, All("wait_group 2;", "wait_group 3;")),
    ("copies are misaligned", "gemm_bf16", TILE, In("cp.async.cg", "], 16,", "+4], 16,")),
    ("copies land one chunk further on", "gemm_bf16", TILE, In("cp.async.cg", "], [", "+16], [")),
    ("the next step starts a chunk too early", "gemm_bf16", TILE, In("add.s64", ", 128;", ", 112;")),
    ("one side does not swizzle", "gemm_bf16", TILE, First("xor.b32", "or.b32")),
    ("fragments are swapped", "gemm_bf16", TILE, SwapFragments),
    ("fragments are transposed", "gemm_bf16", TILE, All("m8n8.x4.shared", "m8n8.x4.trans.shared")),
    ("sums start with what was there", "gemm_bf16", TILE, In("mov.f32", ", 0f00000000;", ", %f1;")),
    ("rows that do not exist are stored", "gemm_bf16", TILE, All("min.u32", "max.u32")),
    ("barriers are missing", "gemm_bf16", "gemm_bf16_64x64_relu", All("bar.sync \t0;", "")),
    ("results are stored in another type", "gemm_bf16", TILE, All("cvt.rn.bf16x2", "cvt.rn.f16x2")),
    (
        "operands are taken for another type",
        "gemm_bf16",
        "gemm_bf16_16x32_bias",
        All("bf16.bf16.f32", "f16.f16.f32"),
    ),
    (
        "slices are read before they are whole",
        "gemm_bf16",
        "gemm_bf16_64x64_mask",
        All("bar.warp.sync", "// "),
    ),
    ("the last block does not see the others' sums", "gemm_bf16", NORM, All("membar.gl;", "")),
    ("the ticket is not put back", "gemm_bf16", NORM, In("st.global.u32", "st.global.u32", "// ")),
    ("a request's sums are taken away", "gemm_bf16", TILE, All("add.f32", "sub.f32")),
    (
        "what rounding cut off meets other weights",
        "gemm_bf16",
        "gemm_bf16_16x32_sums",
        All("sub.s64", "add.s64"),
    ),
    (
        "a scale is added instead",
        "gemm_f32",
        "gemm_f32_64x64_bias",
        All("fma.rn.f32", "add.f32 %f1, %f1, %f1; // "),
    ),
    ("a row is summed before it is whole", "featurize", "featurize_f32_to_f32", All("bar.sync \t0;", "")),
    (
        "one equal feature makes a row flat",
        "featurize",
        "featurize_f32_to_f32",
        All("vote.sync.any", "vote.sync.all"),
    ),
    ("the clamp is upside down", "featurize", "featurize_f32_to_f32", All("min.f32", "max.f32")),
    ("a status is replaced while it is read", "head", "head_f32", All("bar.warp.sync", "// ")),
    ("lanes are not summed", "head", "head_f32", All("shfl.sync.bfly.b32", "shfl.sync.up.b32")),
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
        .filter(|(_, unit, name, change)| {
            let kernel = mutated(unit, name, |text| change.apply(text));
            catch_unwind(AssertUnwindSafe(|| check(&kernel))).is_ok()
        })
        .map(|(what, ..)| *what)
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
