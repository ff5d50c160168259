//! Faults planted in the shaders' text, one at a time: the checks of this target must catch each.
//!
//! A fault is caught when a kernel's own check or a golden case fails on the faulty device. A check that none of
//! these trips would prove nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use maskrank::Precision;
use maskrank::wgpu_testing::{Mutation, TestDevice, count_places};

use super::device::failures;
use super::{Named, gemm, open, rows};

struct Fault {
    name: &'static str,
    precision: Precision,
    from: &'static str,
    to: &'static str,
    /// Whether it is planted in the variant that rolls loops.
    rolled: bool,
}

const fn fault(name: &'static str, from: &'static str, to: &'static str) -> Fault {
    Fault { name, precision: Precision::F32, from, to, rolled: false }
}

const fn bf16_fault(name: &'static str, from: &'static str, to: &'static str) -> Fault {
    Fault { name, precision: Precision::Bf16, from, to, rolled: false }
}

const fn rolled_fault(name: &'static str, from: &'static str, to: &'static str) -> Fault {
    Fault { name, precision: Precision::F32, from, to, rolled: true }
}

const FAULTS: [Fault; 23] = [
    rolled_fault("gemm, rolled: the last step of a tile's K", "step < BLOCK_K;", "step < BLOCK_K - 1u;"),
    rolled_fault(
        "gemm, rolled: W's tile is loaded in part",
        "quad < BLOCK_K * QUADS_N;",
        "quad < BLOCK_K * QUADS_N / 2u;",
    ),
    fault(
        "gemm: rows past the end are stored",
        "num_stored = min(THREAD_M, (params.num_rows - before + THREADS_M - 1u) / THREADS_M);",
        "num_stored = THREAD_M;",
    ),
    fault(
        "gemm: the last K-step is left out",
        "k < tile.depth; k += BLOCK_K",
        "k + BLOCK_K < tile.depth; k += BLOCK_K",
    ),
    fault(
        "gemm: columns of padding keep their values",
        "constants.keep > vec4<f32>());\n//# if SCRATCH",
        "constants.keep > vec4<f32>(-1.0));\n//# if SCRATCH",
    ),
    fault("gemm: the next group's quads are stored too", "if quad < tile.quads {", "if quad <= tile.quads {"),
    fault("gemm: the panel's offset ignores K", "(panel * tile.depth + k", "(panel * BLOCK_K + k"),
    fault(
        "gemm: K and columns of W swapped in a quad",
        "vec4<f32>(a_$i.y), w1_$j",
        "vec4<f32>(a_$i.y), w2_$j",
    ),
    fault("gemm: no scale", "fma(sum, constants.scale, constants.bias)", "sum + constants.bias"),
    fault("gemm: no bias", "fma(sum, constants.scale, constants.bias)", "sum * constants.scale"),
    fault(
        "gemm: ReLU by magnitude",
        "let is_negative = (bits >= vec4<u32>(0x80000000u))",
        "let is_negative = (bits >= vec4<u32>(0xc0000000u))",
    ),
    fault("gemm: the multiplier's column", "tile.multiplier_column + quad]", "tile.multiplier_column]"),
    fault(
        "layer norm: variance over padding too",
        "part += dot(select(s, s * s, sweep == SWEEP_SQUARES), constants.keep);",
        "part += dot(select(s, s * s, sweep == SWEEP_SQUARES), vec4<f32>(1.0));",
    ),
    fault("layer norm: epsilon is not scaled", "fma(epsilon * scale, scale, variance)", "epsilon + variance"),
    fault(
        "layer norm: sample variance",
        "reciprocal(total / group.width,",
        "reciprocal(total / max(group.width - 1.0, 1.0),",
    ),
    fault(
        "reduce: the last subgroup or half is lost",
        "select(subgroupAdd(value), subgroupMax(value), operation == REDUCE_MAX);",
        "select(subgroupAdd(value), subgroupMax(value), operation == REDUCE_MAX) * f32(thread.subgroup != 1u);",
    ),
    fault(
        "featurize: log(|c|) of numbers above 1 only",
        "let exponent = i32((bitcast<u32>(1.0 + x) +",
        "let exponent = i32((bitcast<u32>(x) +",
    ),
    fault(
        "featurize: sign lost",
        "| (bits & 0x80000000u));\n    }\n    let constants",
        "| (bits & 0u));\n    }\n    let constants",
    ),
    fault(
        "featurize: clamp left out",
        "return clamp(fma(log, constants.log_scale, constants.log_shift), params.min_value, params.max_value);",
        "return fma(log, constants.log_scale, constants.log_shift);",
    ),
    fault(
        "featurize: non-finite values pass",
        "if !is_non_finite(bits) {\n        let magnitude",
        "if true {\n        let magnitude",
    ),
    fault(
        "head: calibration the wrong way round",
        "let q = sigmoid(logit + task.ln_ratio);",
        "let q = sigmoid(logit - task.ln_ratio);",
    ),
    bf16_fault(
        "storage: rounds towards zero",
        "let rounded = bits + vec4<u32>(0x7fffu) + ((bits >> vec4<u32>(16u)) & vec4<u32>(1u));",
        "let rounded = bits;",
    ),
    bf16_fault(
        "storage: halves of a word swapped",
        "vec4<u32>(quad.x << 16u, quad.x & 0xffff0000u,",
        "vec4<u32>(quad.x & 0xffff0000u, quad.x << 16u,",
    ),
];

pub(crate) fn trials() -> Vec<Named> {
    FAULTS
        .iter()
        .map(|fault| {
            let run: Box<dyn FnOnce() + Send> = Box::new(move || plant(fault));
            (format!("fault: {}", fault.name), run)
        })
        .collect()
}

fn plant(fault: &Fault) {
    let mutation = Mutation { from: fault.from, to: fault.to };
    assert_eq!(count_places(mutation), 1, "{}: the fault has one place in the shaders", fault.name);
    let variants = TestDevice::variants(fault.precision).unwrap();
    let variant = variants.iter().find(|name| name.contains("rolled") == fault.rolled).expect("both kinds");
    // A fault that does not compile would be caught by nothing but the compiler.
    let device = TestDevice::open(fault.precision, variant, Some(mutation)).expect("the fault compiles");
    let quietly = |check: &dyn Fn()| catch_unwind(AssertUnwindSafe(check)).is_err();
    let caught = quietly(&|| gemm::edges(&device, fault.precision))
        || quietly(&|| rows::layer_norm(&device, fault.precision))
        || quietly(&|| rows::log_1p(&device, fault.precision))
        || ["tiny-parallel", "ragged-input-norm", "share-none"].iter().any(|name| {
            let case = open(name).unwrap();
            failures(&device, fault.precision, &case, case.rows).is_some()
        });
    assert!(caught, "{}: no check noticed", fault.name);
}
