//! Awkward inputs and broken models: special values, constant rows, empty batches, tensors that do not fit.

mod common;

use common::{CASES, Case};
use maskrank_reference::seeded::Seeded;
use maskrank_reference::spec::{
    AffineMap, Aggregation, BatchNorm, FeatureLayerNorm, MaskBlock, MaskNet, Mlp, Net, Sharing, Task,
};
use maskrank_reference::{Error, Inputs, Matrix, Precision, Spec, Status, forward};
use std::collections::BTreeMap;

type Weights = BTreeMap<String, Vec<f64>>;

/// Two continuous features and a binary one straight into one linear layer: logit = 1·c0 + 10·c1 + 100·b + ½.
fn linear_model() -> (Spec, Weights) {
    let net = Mlp { layer_sizes: vec![1], batch_norm: None, dropout: false, final_layer_activation: false };
    let spec = Spec {
        continuous: 2,
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
            name: "a.b".to_owned(),
            net: Net::Mlp(net),
            affine_map: None,
            neg_downsampling_rate: 1.0,
            pos_downsampling_rate: 1.0,
        }],
    };
    let mut weights = Weights::new();
    weights.insert("_towers.a__b.layers.0.weight".to_owned(), vec![1.0, 10.0, 100.0]);
    weights.insert("_towers.a__b.layers.0.bias".to_owned(), vec![0.5]);
    (spec, weights)
}

fn inputs<'a>(rows: usize, continuous: &'a [f32], binary: &'a [f32]) -> Inputs<'a> {
    Inputs { rows, continuous, binary, ..Inputs::default() }
}

fn error(spec: &Spec, weights: &Weights) -> Error {
    let (continuous, binary) = (vec![1.0; spec.continuous], vec![1.0; spec.binary]);
    let result = forward(spec, weights, &inputs(1, &continuous, &binary), &[1.0], Precision::F64);
    result.map(|output| output.logits).expect_err("the model is broken")
}

#[test]
fn special_values() {
    let (spec, weights) = linear_model();
    let denormal = f32::from_bits(1);
    for (name, c, binary, expected) in [
        ("nan", [f32::NAN, 0.0], 0.0, 0.5),
        ("infinities", [f32::INFINITY, f32::NEG_INFINITY], 0.0, 0.5),
        ("minus zero", [-0.0, -0.0], -0.0, 0.5),
        ("denormals", [denormal, -denormal], 0.0, 0.5 + f64::from(denormal) * -9.0),
        ("huge", [3e38, -3e38], 1.0, 5.0 - 50.0 + 100.0 + 0.5),
        ("binary is a number", [0.0, 0.0], 9.0, 900.5),
        ("logarithm", [1.0, -3.0], 0.0, 2f64.ln() - 10.0 * 4f64.ln() + 0.5),
    ] {
        let output = forward(&spec, &weights, &inputs(1, &c, &[binary]), &[1.0], Precision::F64).unwrap();
        let found = output.logits.values()[0];
        assert!(
            (found - expected).abs() <= 1e-14 * expected.abs(),
            "{name}: expected {expected}, got {found}"
        );
        assert_eq!(output.status, [Status::Ok], "{name}");
    }
    // 1e-45 is a denormal that log1p must keep: its own logarithm is the value itself
    let c =
        forward(&spec, &weights, &inputs(1, &[denormal, -denormal], &[0.0]), &[1.0], Precision::F64).unwrap();
    assert_eq!(c.preprocessed.values(), [f64::from(denormal), -f64::from(denormal), 0.0]);
}

/// logit 0.5, map 2·½ − 1 = 0, p = ½, ratio ¼ gives a fifth, times weight 10.
#[test]
fn head_by_hand() {
    let (mut spec, mut weights) = linear_model();
    spec.tasks[0].affine_map = Some(AffineMap { scale: 2.0, bias: -1.0 });
    spec.tasks[0].neg_downsampling_rate = 0.125;
    spec.tasks[0].pos_downsampling_rate = 0.5;
    let run = |weights: &Weights| {
        forward(&spec, weights, &inputs(1, &[0.0, 0.0], &[0.0]), &[10.0], Precision::F64).unwrap()
    };
    let output = run(&weights);
    assert_eq!(output.logits.values(), [0.0], "after the affine map");
    assert_eq!(output.probabilities.values(), [0.5]);
    assert_eq!(output.calibrated_probabilities.values(), [0.2]);
    assert_eq!((output.score[0], output.score_uncalibrated[0]), (2.0, 5.0));

    // stored constants win over the configuration
    weights.insert("_affine_maps.a__b.weight".to_owned(), vec![4.0]);
    weights.insert("_affine_maps.a__b.bias".to_owned(), vec![-2.0 + 3f64.ln()]);
    weights.insert("_calibrators.a__b.ratio".to_owned(), vec![1.0]);
    let output = run(&weights);
    assert!((output.probabilities.values()[0] - 0.75).abs() <= 1e-15);
    assert!((output.calibrated_probabilities.values()[0] - 0.75).abs() <= 1e-15);
}

/// A configured clamp, map or ratio is the f32 nearest to it.
#[test]
fn configured_constants_are_f32() {
    let (mut spec, mut weights) = linear_model();
    spec.clip_magnitude = 0.1;
    let run = |spec: &Spec, weights: &Weights| {
        forward(spec, weights, &inputs(1, &[9.0, -9.0], &[0.0]), &[1.0], Precision::F64).unwrap()
    };
    let tenth = f64::from(0.1f32);
    assert_eq!(run(&spec, &weights).preprocessed.values(), [tenth, -tenth, 0.0]);
    spec.tasks[0].affine_map = Some(AffineMap { scale: 0.1, bias: 0.3 });
    let found = run(&spec, &weights).logits.values()[0];
    assert_eq!(found, tenth * (tenth - 10.0 * tenth + 0.5) + f64::from(0.3f32));

    // a stored clamp is layer 2 without a batch norm and layer 3 with one, and wins over the configured one
    for (layer, norm) in [(2, None), (3, Some(BatchNorm { affine: false }))] {
        spec.batch_norm = norm;
        let layer = format!("_preprocessor._before_concat_layers.{layer}");
        weights.insert(format!("{layer}.min_value"), vec![-1.0]);
        weights.insert(format!("{layer}.max_value"), vec![2.0]);
        weights.insert("_preprocessor._before_concat_layers.2.layer.running_mean".to_owned(), vec![0.0; 2]);
        weights.insert("_preprocessor._before_concat_layers.2.layer.running_var".to_owned(), vec![1.0; 2]);
        assert_eq!(run(&spec, &weights).preprocessed.values(), [2.0, -1.0, 0.0], "{layer}");
        weights.remove(&format!("{layer}.min_value"));
        weights.remove(&format!("{layer}.max_value"));
    }
}

/// Under epsilon 0 a constant row is reported, its outputs are NaN, and its neighbours are as if it were not there.
#[test]
fn zero_variance_harms_no_other_row() {
    let (mut spec, weights) = linear_model();
    spec.layer_norm = Some(FeatureLayerNorm { epsilon: 0.0, affine: false });
    let c = [1.0, 2.0, 0.0, -0.0, 0.0, 1.0, 3e38, 3e38];
    let binary = [0.0, 0.0, 0.0, 5.0];
    let run =
        |rows, c, binary| forward(&spec, &weights, &inputs(rows, c, binary), &[1.0], Precision::F64).unwrap();
    let all = run(4, &c, &binary);
    assert_eq!(all.status, [Status::Ok, Status::ZeroVariance, Status::Ok, Status::ZeroVariance]);
    for row in [1, 3] {
        assert!(all.logits.values()[row].is_nan() && all.score[row].is_nan(), "row {row}");
    }
    for row in [0, 2] {
        let alone = run(1, &c[2 * row..2 * row + 2], &binary[row..=row]);
        assert_eq!(all.logits.values()[row].to_bits(), alone.logits.values()[0].to_bits(), "row {row}");
    }
    // with an epsilon the same rows are all zeros and the logit is the bias
    spec.layer_norm = Some(FeatureLayerNorm { epsilon: 1e-3, affine: false });
    let output = forward(&spec, &weights, &inputs(4, &c, &binary), &[1.0], Precision::F64).unwrap();
    assert_eq!(output.status, [Status::Ok; 4]);
    assert_eq!((output.logits.values()[1], output.logits.values()[3]), (0.5, 0.5));
}

/// A constant row of values that no binary fraction holds has variance 0 exactly, at any width.
#[test]
fn constant_rows_have_no_variance() {
    for width in [1, 2, 3, 7, 10, 100, 2176] {
        for value in [0.1, 1.0 / 3.0, 5.0, 1e30, 3e-40] {
            let (mean, variance) = maskrank_reference::layer_norm::moments(&vec![value; width]);
            assert_eq!((mean, variance), (value, 0.0), "{width} times {value}");
        }
    }
}

/// Binary features are not cleaned: one that is not finite spoils its row only.
#[test]
fn non_finite_rows_are_reported() {
    let (spec, weights) = linear_model();
    let binary = [f32::NAN, 1.0, f32::INFINITY];
    let output = forward(&spec, &weights, &inputs(3, &[0.0; 6], &binary), &[1.0], Precision::F64).unwrap();
    assert_eq!(output.status, [Status::NonFinite, Status::Ok, Status::NonFinite]);
    assert_eq!(output.logits.values()[1], 100.5);
    assert_eq!(output.probabilities.values()[2], 1.0);
}

/// A row's bits do not depend on the batch around it, in any precision.
#[test]
fn rows_are_independent() {
    for name in CASES.into_iter().filter(|name| *name != "production") {
        let case = Case::read(name);
        for precision in [Precision::F64, Precision::Bf16] {
            let run = |inputs: &Inputs<'_>| {
                forward(&case.spec, case.tensors.as_ref(), inputs, &case.score_weights, precision).unwrap()
            };
            let all = run(&case.inputs());
            for row in 0..case.rows {
                let whole = case.inputs();
                let one = |values: &'static str| {
                    let values = case.inputs.get(values).map_or(&[][..], Vec::as_slice);
                    let width = values.len() / whole.rows;
                    &values[row * width..(row + 1) * width]
                };
                let alone = run(&Inputs {
                    rows: 1,
                    continuous: one("continuous"),
                    binary: one("binary"),
                    user_embedding: one("user_embedding"),
                    user_eng_embedding: one("user_eng_embedding"),
                    author_embedding: one("author_embedding"),
                });
                let bits =
                    |matrix: &Matrix, row| matrix.row(row).iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&all.logits, row), bits(&alone.logits, 0), "{name} {precision:?}: row {row}");
            }
        }
    }
}

#[test]
fn empty_batches() {
    for name in CASES {
        let case = Case::read(name);
        let empty = Inputs::default();
        let output =
            forward(&case.spec, case.tensors.as_ref(), &empty, &case.score_weights, Precision::Bf16).unwrap();
        assert_eq!((output.logits.rows(), output.logits.width()), (0, case.spec.tasks.len()), "{name}");
        assert!(output.score.is_empty() && output.status.is_empty(), "{name}");
    }
}

#[test]
fn broken_tensors_are_named() {
    let (mut spec, mut weights) = linear_model();
    weights.insert("_towers.a__b.layers.0.weight".to_owned(), vec![0.0; 4]);
    let found = error(&spec, &weights).to_string();
    assert_eq!(found, "tensor \"_towers.a__b.layers.0.weight\" has 4 values, expected [outputs 1, inputs 3]");
    weights.remove("_towers.a__b.layers.0.weight");
    let found = error(&spec, &weights).to_string();
    assert_eq!(found, "tensor \"_towers.a__b.layers.0.weight\" is missing, expected [outputs 1, inputs 3]");
    weights.insert("_preprocessor._before_concat_layers.2.min_value".to_owned(), vec![]);
    let found = error(&spec, &weights).to_string();
    assert_eq!(found, "tensor \"_preprocessor._before_concat_layers.2.min_value\" has 0 values, expected []");
    spec.batch_norm = Some(BatchNorm { affine: false }); // the clamp moves to 3, the batch norm is missing
    let found = error(&spec, &weights).to_string();
    let name = "_preprocessor._before_concat_layers.2.layer.running_mean";
    assert_eq!(found, format!("tensor \"{name}\" is missing, expected [continuous 2]"));
}

#[test]
fn broken_inputs_are_named() {
    let (spec, weights) = linear_model();
    let run = |inputs: Inputs<'_>, score_weights: &[f64]| {
        forward(&spec, &weights, &inputs, score_weights, Precision::F64)
            .map(|output| output.score)
            .unwrap_err()
    };
    let found = run(inputs(2, &[0.0; 3], &[0.0; 2]), &[1.0]);
    assert_eq!(found, Error::InputLength { name: "continuous", rows: 2, width: 2, found: 3 });
    assert_eq!(found.to_string(), "input \"continuous\" has 3 values, expected [rows 2, width 2]");
    let with_embedding = Inputs { user_embedding: &[1.0], ..inputs(1, &[0.0; 2], &[0.0]) };
    assert_eq!(
        run(with_embedding, &[1.0]),
        Error::InputLength { name: "user_embedding", rows: 1, width: 0, found: 1 }
    );
    assert_eq!(run(inputs(1, &[0.0; 2], &[0.0]), &[]), Error::ScoreWeights { tasks: 1, found: 0 });
}

#[test]
fn impossible_specs_are_errors() {
    let (good, weights) = linear_model();
    let block = MaskBlock { output_size: 1, aggregation: Aggregation::Size(1), input_layer_norm: false };
    let mlp = |layer_sizes: Vec<usize>| {
        Net::Mlp(Mlp { layer_sizes, batch_norm: None, dropout: false, final_layer_activation: false })
    };
    let mask_net = |blocks: Vec<MaskBlock>| Net::MaskNet(MaskNet { blocks, mlp: None, parallel: true });
    let tower = |net: Net| {
        let mut spec = good.clone();
        spec.tasks[0].net = net;
        spec
    };
    let tiny = MaskBlock { aggregation: Aggregation::ReductionFactor(0.3), ..block }; // 3 · 0.3 is below 1
    for (what, spec) in [
        ("no tasks", Spec { tasks: vec![], ..good.clone() }),
        ("no backbone", Spec { sharing: Sharing::ShareAll, ..good.clone() }),
        ("no layers", tower(mlp(vec![]))),
        ("an empty layer", tower(mlp(vec![0, 1]))),
        ("no blocks", tower(mask_net(vec![]))),
        ("an empty block", tower(mask_net(vec![MaskBlock { output_size: 0, ..block }]))),
        ("no aggregation", tower(mask_net(vec![tiny]))),
    ] {
        let found = error(&spec, &weights);
        // "no tasks" is found before the score weights are counted
        assert!(matches!(found, Error::Spec(_)), "{what}: {found}");
    }
    let continuous = [1.0, 2.0];
    let wide = tower(mlp(vec![4, 2]));
    let result = forward(&wide, &Seeded { seed: 5 }, &inputs(1, &continuous, &[1.0]), &[1.0], Precision::F64);
    assert_eq!(result.unwrap_err().to_string(), "spec: tower \"a.b\" is 2 wide at its end, expected 1");
}

/// A tower of one mask block and no MLP ends in a layer norm over one value, which leaves the norm's bias.
#[test]
fn mask_net_tower_without_mlp() {
    let (mut spec, _) = linear_model();
    let block =
        MaskBlock { output_size: 1, aggregation: Aggregation::ReductionFactor(0.7), input_layer_norm: true };
    spec.tasks[0].net = Net::MaskNet(MaskNet { blocks: vec![block], mlp: None, parallel: false });
    let seed = Seeded { seed: 7 };
    let output =
        forward(&spec, &seed, &inputs(2, &[1.0, 2.0, -4.0, 0.5], &[0.0, 1.0]), &[1.0], Precision::F64);
    let name = "_towers.a__b._mask_blocks.0._layer_norm.bias";
    let bias =
        maskrank_reference::seeded::tensor(7, name, maskrank_reference::Kind::NormBias, &[1]).unwrap()[0];
    assert_eq!(output.unwrap().logits.values(), [f64::from(bias); 2]);
}

#[test]
fn aggregation_widths() {
    assert_eq!(Aggregation::ReductionFactor(0.5).width(63), Ok(31)); // 31.5, truncated
    assert_eq!(Aggregation::ReductionFactor(2.0).width(8), Ok(16));
    assert_eq!(Aggregation::Size(9).width(63), Ok(9));
    for broken in
        [Aggregation::Size(0), Aggregation::ReductionFactor(0.01), Aggregation::ReductionFactor(-1.0)]
    {
        assert!(matches!(broken.width(63), Err(Error::Spec(_))), "{broken:?}");
    }
}
