//! The reference against the golden cases: every array of `expected.safetensors`, every element, to 1e-9 relative.
//!
//! The expected values are PyTorch's, in f64. The two differ by the order of their sums only: at most 5e-12 relative in
//! these cases, in elements near 0. The bound leaves room for another order of sums; a wrong layer is far outside.

mod common;

use common::{CASES, Case};
use maskrank_reference::{Matrix, Output, Precision, Status, forward};

/// Largest error of any element, relative to that element.
const RELATIVE_BOUND: f64 = 1e-9;

#[test]
fn tiny_parallel() {
    check("tiny-parallel", 2);
}

#[test]
fn ragged_input_norm() {
    check("ragged-input-norm", 3);
}

#[test]
fn serial() {
    check("serial", 3);
}

#[test]
fn share_partial() {
    check("share-partial", 2);
}

#[test]
fn share_none() {
    check("share-none", 0);
}

#[test]
fn production() {
    check("production", 4);
}

/// No case folder is without its test above.
#[test]
fn every_case_is_tested() {
    let mut found: Vec<String> = std::fs::read_dir(common::folder("."))
        .expect("the golden folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut tested = CASES;
    tested.sort_unstable();
    assert_eq!(found, tested);
}

/// Runs a case in f64 and compares everything that is expected. `mask_blocks` is the number of blocks that its backbone
/// has, which must all be there.
fn check(name: &str, mask_blocks: usize) {
    let case = Case::read(name);
    let output =
        forward(&case.spec, case.tensors.as_ref(), &case.inputs(), &case.score_weights, Precision::F64)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(output.mask_blocks.len(), mask_blocks, "{name}: mask blocks");
    assert_eq!(output.status, vec![Status::Ok; case.rows], "{name}: status");

    let mut required: Vec<String> =
        ["logits", "probabilities", "calibrated_probabilities", "score", "score_uncalibrated"]
            .map(String::from)
            .into();
    if name != "production" {
        required.push("preprocessed".to_owned());
        required.extend((0..mask_blocks).map(|block| format!("mask_block.{block}")));
        required.extend(output.backbone.iter().map(|_| "backbone".to_owned()));
    }
    for array in required {
        assert!(case.expected.contains_key(&array), "{name}: {array} is among the expected arrays");
    }
    for (array, (shape, expected)) in &case.expected {
        let (found_shape, found) =
            named(&output, array).unwrap_or_else(|| panic!("{name}: no output {array}"));
        assert_eq!(&found_shape, shape, "{name}: shape of {array}");
        let width = shape.get(1).copied().unwrap_or(1);
        for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let (error, bound) = ((found - expected).abs(), RELATIVE_BOUND * expected.abs());
            assert!(
                error <= bound,
                "{name}/{array} seed {}: row {} col {}: expected {expected}, got {found}, |err| {error:e} > bound {bound:e}",
                case.seed,
                index / width,
                index % width,
            );
        }
    }
}

/// Shape and values of the output that the golden files call `name`.
fn named<'a>(output: &'a Output, name: &str) -> Option<(Vec<usize>, &'a [f64])> {
    let matrix = |matrix: &'a Matrix| Some((vec![matrix.rows(), matrix.width()], matrix.values()));
    let vector = |values: &'a [f64]| Some((vec![values.len()], values));
    match name {
        "preprocessed" => matrix(&output.preprocessed),
        "backbone" => matrix(output.backbone.as_ref()?),
        "logits" => matrix(&output.logits),
        "probabilities" => matrix(&output.probabilities),
        "calibrated_probabilities" => matrix(&output.calibrated_probabilities),
        "score" => vector(&output.score),
        "score_uncalibrated" => vector(&output.score_uncalibrated),
        _ => matrix(output.mask_blocks.get(name.strip_prefix("mask_block.")?.parse::<usize>().ok()?)?),
    }
}
