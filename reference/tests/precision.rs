//! The flavour that rounds: where it rounds, by hand and on the golden cases.

mod common;

use common::{CASES, Case};
use maskrank_reference::layer_norm::Affine;
use maskrank_reference::linear::Linear;
use maskrank_reference::mask_block::{MaskBlock, mask_block};
use maskrank_reference::mlp::{Mlp, mlp};
use maskrank_reference::spec::{self, Net, Sharing, Task};
use maskrank_reference::{Inputs, Output, Precision, Spec, forward};
use std::collections::BTreeMap;

const LOWER: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::F16, Precision::Bf16];

fn run(case: &Case, precision: Precision) -> Output {
    forward(&case.spec, case.tensors.as_ref(), &case.inputs(), &case.score_weights, precision)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

fn linear(weight: &[f64], bias: &[f64]) -> Linear<'static> {
    Linear { weight: weight.to_vec().into(), bias: bias.to_vec().into() }
}

#[test]
fn small_golden_cases() {
    for name in CASES.into_iter().filter(|name| *name != "production") {
        check(name);
    }
}

#[test]
fn production() {
    check("production");
}

/// Runs a case in every precision and checks the errors and what was rounded.
fn check(name: &str) {
    let case = Case::read(name);
    let truth = run(&case, Precision::F64);
    let lower = LOWER.map(|precision| run(&case, precision));
    within_the_f32_bar(&case, &truth, &lower[0]);
    errors_follow_the_unit_roundoff(&case, &truth, &lower);
    for (precision, output) in LOWER.into_iter().zip(&lower) {
        stored_values_are_rounded_and_logits_are_not(name, precision, output);
    }
}

/// Rounding to f32 stays within the bar for f32 kernels, `3e-5 + 1e-5 · |logit|`.
fn within_the_f32_bar(case: &Case, truth: &Output, rounded: &Output) {
    for (index, (&truth, &rounded)) in truth.logits.values().iter().zip(rounded.logits.values()).enumerate() {
        let (error, bound) = ((truth - rounded).abs(), 3e-5 + 1e-5 * truth.abs());
        assert!(
            error <= bound,
            "{} seed {}: logit {index}: |err| {error:e} > bound {bound:e}",
            case.name,
            case.seed
        );
    }
}

/// Root mean square of the logit errors: it grows with the unit roundoff from f32 to tf32 to bf16 (2⁻²⁴, 2⁻¹¹, 2⁻⁸),
/// within a factor of 4 of proportionally, and f16, whose mantissa is tf32's, has tf32's error within a factor of 2:
/// nothing in these cases is large or small enough to leave its range by much.
fn errors_follow_the_unit_roundoff(case: &Case, truth: &Output, lower: &[Output; 4]) {
    let [f32, tf32, f16, bf16] = lower.each_ref().map(|rounded| {
        let pairs = truth.logits.values().iter().zip(rounded.logits.values());
        (pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / truth.logits.values().len() as f64).sqrt()
    });
    for (what, ratio, expected, factor) in [
        ("tf32 / f32", tf32 / f32, 2f64.powi(13), 4.0),
        ("bf16 / tf32", bf16 / tf32, 2f64.powi(3), 4.0),
        ("f16 / tf32", f16 / tf32, 1.0, 2.0),
    ] {
        assert!(
            (expected / factor..=expected * factor).contains(&ratio),
            "{} seed {}: {what} is {ratio}, expected {expected} within a factor of {factor}",
            case.name,
            case.seed
        );
    }
}

/// Whatever is stored is a value of the format; the logits are not.
fn stored_values_are_rounded_and_logits_are_not(name: &str, precision: Precision, output: &Output) {
    let stored =
        [&output.preprocessed, &output.x].into_iter().chain(&output.mask_blocks).chain(&output.backbone);
    for matrix in stored {
        assert_eq!(&matrix.rounded(precision), matrix, "{name} {precision:?}: a stored matrix");
    }
    let rounded = output.logits.rounded(precision);
    let moved = output.logits.values().iter().zip(rounded.values()).filter(|(a, b)| a != b).count();
    assert!(2 * moved > output.logits.values().len(), "{name} {precision:?}: logits look rounded");
}

/// Two layers in bf16, with values halfway between two of its values: the hidden output is rounded, the last is not.
#[test]
fn mlp_rounds_its_hidden_outputs() {
    let tie = 1.0 + 2f64.powi(-8); // rounds to 1 in bf16
    let weights = Mlp {
        layers: vec![(linear(&[1.0], &[0.0]), None), (linear(&[tie], &[tie]), None)],
        final_layer_activation: false,
    };
    assert_eq!(mlp(&[tie], &weights, Precision::F64), [tie * tie + tie]);
    assert_eq!(
        mlp(&[tie], &weights, Precision::Bf16),
        [tie + tie],
        "weights are rounded when they are read, not here"
    );
}

/// Every place where a mask block stores a value, one at a time: the aggregation, the masked input, the norm's input.
#[test]
fn mask_block_rounds_where_it_stores() {
    let tie = 1.0 + 2f64.powi(-8);
    let norm = |weight: f64| Affine { weight: vec![weight, weight].into(), bias: vec![0.0, 0.0].into() };
    let block = |aggregation: f64, projection: f64| MaskBlock {
        input_layer_norm: None,
        aggregation: linear(&[0.0, 0.0], &[aggregation]),
        projection: linear(&[1.0, 0.0], &[0.0, projection]),
        hidden: linear(&[1.0, 0.0, 0.0, 1.0], &[0.0, 0.0]),
        layer_norm: norm(1.0),
    };
    // hidden is (aggregation, projection) for a net of ones; the norm of (a, b) with d = (a − b) / 2 is ±d / sqrt(d² + ε)
    let unit = |a: f64, b: f64| {
        let d = (a - b) / 2.0;
        d / (d * d + 1e-5).sqrt()
    };
    let first =
        |block: &MaskBlock<'_>, net: [f64; 2], precision| mask_block(&net, &[1.0, 1.0], block, precision)[0];
    let close =
        |found: f64, expected: f64| assert!((found - expected).abs() <= 1e-12, "{found} for {expected}");

    close(first(&block(tie, 2.0), [1.0, 1.0], Precision::F64), unit(tie, 2.0));
    // the aggregation, 1 + 2⁻⁸ to 1: times 1 + 2⁻⁷ that is 1 + 2⁻⁷, where the unrounded one would give 1 + 2⁻⁶
    let step = 1.0 + 2f64.powi(-7);
    assert_eq!(Precision::Bf16.round(tie * step), 1.0 + 2f64.powi(-6));
    close(first(&block(tie, 2.0), [step, 1.0], Precision::Bf16), unit(step, 2.0));
    close(first(&block(1.0, 2.0), [tie, 1.0], Precision::Bf16), unit(1.0, 2.0)); // the masked input
    // the mask itself is not rounded: 2 · (1 + 2⁻⁸) · (1 + 2⁻⁷) in one product, where rounding the mask first gives less
    let mask = 2.0 * tie;
    let product = Precision::Bf16.round(mask * step);
    assert!(product > Precision::Bf16.round(Precision::Bf16.round(mask) * step));
    close(first(&block(0.0, mask), [1.0, step], Precision::Bf16), unit(0.0, product));
    // and the block's result is not rounded: whoever stores it does that
    let result = first(&block(1.0, 2.0), [1.0, 1.0], Precision::Bf16);
    assert!(Precision::Bf16.round(result) != result);
}

/// Inputs and the weights of hidden layers are rounded; biases and the weights of a tower's last layer are not.
#[test]
fn weights_are_rounded_but_not_the_heads() {
    let tie = 1.0 + 2f64.powi(-8); // an f32, rounds to 1 in bf16
    let mut tensors = BTreeMap::new();
    for (layer, bias) in [(0, -tie), (2, tie)] {
        tensors.insert(format!("_towers.like.layers.{layer}.weight"), vec![tie]);
        tensors.insert(format!("_towers.like.layers.{layer}.bias"), vec![bias]);
    }
    let net = spec::Mlp {
        layer_sizes: vec![1, 1],
        batch_norm: None,
        dropout: false,
        final_layer_activation: false,
    };
    let spec = Spec {
        continuous: 0,
        binary: 1,
        user_embedding: None,
        user_eng_embedding: None,
        author_embedding: None,
        batch_norm: None,
        clip_magnitude: 5.0,
        layer_norm: None,
        sharing: Sharing::ShareNone,
        backbone: None,
        tasks: vec![Task {
            name: "like".to_owned(),
            net: Net::Mlp(net),
            affine_map: None,
            neg_downsampling_rate: 1.0,
            pos_downsampling_rate: 1.0,
        }],
    };
    let x = 1.0 + 2f64.powi(-7) + 2f64.powi(-12); // an f32, rounds to 1 + 2⁻⁷ in bf16
    let binary = [x as f32];
    let inputs = Inputs { rows: 1, binary: &binary, ..Inputs::default() };
    let logit = |precision| forward(&spec, &tensors, &inputs, &[1.0], precision).unwrap().logits.values()[0];
    assert_eq!(logit(Precision::F64), (x * tie - tie) * tie + tie);
    // (1 + 2⁻⁷) · 1 − (1 + 2⁻⁸) = 2⁻⁸; a weight left as it is, or a rounded bias, would make it 2⁻⁷
    assert_eq!(logit(Precision::Bf16), 2f64.powi(-8) * tie + tie);
}
