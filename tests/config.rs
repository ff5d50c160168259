//! The configuration reader: the training YAML as it is, and an exact error for everything else.

use maskrank::config::{
    AffineMap, Aggregation, BatchNorm, LayerNorm, MaskBlock, ModelConfig, Network, RecordsConfig, Sharing,
};

/// Everything that a training file does with YAML: anchors, merge keys, variables, sections of other concerns.
const TRAINING: &str = r#"
training: {num_train_steps: 10, save_dir: "${NO_SUCH_VARIABLE}/runs"}
model:
  backbone:
    affine_map: null
    dcn_config: null
    dlrm_config: null
    mask_net_config:
      mask_blocks:
        - &block {aggregation_size: 16, input_layer_norm: false, output_size: 12, reduction_factor: null}
        - *block
        - <<: *block
          input_layer_norm: true
          reduction_factor: 0.5
      mlp: {batch_norm: null, dropout: null, final_layer_activation: true, layer_sizes: [24]}
      use_parallel: true
    mlp_config: null
    pos_weight: 1.0
  featurization_config:
    clip_log1p_abs_config: null
    double_norm_log_config:
      batch_norm_config: {affine: true, momentum: 0.01}
      clip_magnitude: 5.1
      layer_norm_config: {axis: -1, center: true, epsilon: 0.0, scale: true}
    feature_names_to_concat: [binary]
    log1p_abs_config: null
    z_score_log_config: null
  large_embeddings: null
  multi_task_type: share_all
  position_debias_config: null
  small_embeddings: null
  stratifiers: null
  tasks:
    engagement.b: &tower
      mlp_config: &mlp
        batch_norm: {affine: false, momentum: 0.1}
        dropout: null
        final_layer_activation: false
        layer_sizes: [8, 4, 1]
      pos_weight: 1.0
    engagement.a:
      <<: *tower
      mlp_config:
        <<: [{dropout: {rate: 0.2}}, *mlp]
    engagement.c:
      <<: *tower
      affine_map: {scale: 1.7, bias: -0.6}
train_data:
  global_batch_size: 128
  inputs: &data_root "${NO_SUCH_VARIABLE}/data/*.gz"
  seg_dense_schema: &schema
    schema_path: "${NO_SUCH_VARIABLE}/segdense.json"
    renamed_features:
      "continuous": "c__segdense_vals"
      "binary": "b__segdense_vals"
  tasks: &data_tasks
    "engagement.unused": {}
    "engagement.b": {pos_downsampling_rate: 0.8387, neg_downsampling_rate: 0.01}
    "engagement.a": null
    "engagement.c": {neg_downsampling_rate: 3}
  preprocess: &preprocess
    truncate_and_slice: {continuous_feature_truncation: 13, binary_feature_truncation: 3}
validation_data:
  validation: &validation
    inputs: *data_root
    seg_dense_schema: *schema
    tasks:
      <<: *data_tasks
      "engagement.b": {pos_downsampling_rate: 0.1}
    preprocess: *preprocess
  ? [a key that is a list]
  : !custom {any: thing}
optimizer:
  adam: {beta_1: 0.95, epsilon: 1.0e-07}
"#;

fn read(text: &str) -> Result<ModelConfig, String> {
    ModelConfig::from_yaml(text, "t.yaml").map_err(|error| error.to_string())
}

#[test]
fn a_training_file_is_read_unchanged() {
    let config = read(TRAINING).unwrap();
    assert_eq!(config.sharing, Sharing::All);
    assert_eq!(config.featurization.batch_norm, Some(BatchNorm { affine: true }));
    assert_eq!(config.featurization.clip_magnitude, 5.1);
    assert_eq!(config.featurization.layer_norm, Some(LayerNorm { epsilon: 0.0, affine: true }));
    let Some(Network::MaskNet(net)) = &config.backbone else { panic!("{:?}", config.backbone) };
    let block = MaskBlock { output_size: 12, aggregation: Aggregation::Size(16), input_layer_norm: false };
    let factor = Aggregation::ReductionFactor(0.5);
    let third = MaskBlock { aggregation: factor, input_layer_norm: true, ..block };
    assert_eq!(net.mask_blocks, [block, block, third]);
    assert!(net.use_parallel && net.mlp.as_ref().is_some_and(|mlp| mlp.final_layer_activation));
    let names: Vec<&str> = config.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["engagement.b", "engagement.a", "engagement.c"]);
    let dropouts = config.tasks.iter().map(|task| matches!(&task.tower, Network::Mlp(mlp) if mlp.dropout));
    assert_eq!(dropouts.collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(config.tasks[2].affine_map, Some(AffineMap { scale: 1.7, bias: -0.6 }));
    let ratios: Vec<f32> = config.tasks.iter().map(|task| task.calibration_ratio).collect();
    assert_eq!(ratios, [(0.01_f64 / 0.8387) as f32, 1.0, 3.0]);
    let expected = RecordsConfig {
        renamed_features: vec![
            ("continuous".into(), "c__segdense_vals".into()),
            ("binary".into(), "b__segdense_vals".into()),
        ],
        continuous_truncation: Some(13),
        binary_truncation: Some(3),
        labels: ["unused", "b", "a", "c"].map(|name| format!("engagement.{name}")).into(),
        schema_path: Some("${NO_SUCH_VARIABLE}/segdense.json".into()),
    };
    assert_eq!(config.records, expected);
    let error = config.records.schema_path().unwrap_err().to_string();
    assert!(error.contains("NO_SUCH_VARIABLE"), "{error}");
}

#[test]
fn absent_fields_have_the_released_defaults() {
    let config = read(
        "model: {featurization_config: {double_norm_log_config: {layer_norm_config: {}}}, \
         tasks: {t: {mlp_config: {layer_sizes: [1], dropout: {}, batch_norm: {}}, affine_map: {}}}}",
    )
    .unwrap();
    assert_eq!(config.sharing, Sharing::None);
    assert_eq!(config.featurization.clip_magnitude, 5.0);
    assert_eq!(config.featurization.batch_norm, None);
    assert_eq!(config.featurization.layer_norm, Some(LayerNorm { epsilon: 1e-3, affine: true }));
    let task = &config.tasks[0];
    let Network::Mlp(mlp) = &task.tower else { panic!("{task:?}") };
    assert_eq!(mlp.batch_norm, Some(BatchNorm { affine: true }));
    assert!(mlp.dropout && !mlp.final_layer_activation);
    assert_eq!(task.affine_map, Some(AffineMap { scale: 1.0, bias: 0.0 }));
    assert_eq!(task.calibration_ratio, 1.0);
    assert_eq!(config.records, RecordsConfig::default());
}

#[test]
fn an_anchor_of_a_skipped_section_can_be_used() {
    let text = TRAINING.replace("num_train_steps: 10", "num_train_steps: &ten 10").replace("[24]", "[*ten]");
    let Some(Network::MaskNet(net)) = read(&text).unwrap().backbone else { panic!("the backbone is gone") };
    assert_eq!(net.output_size(), 10);
}

#[test]
fn a_used_variable_is_expanded_and_an_unset_one_is_named() {
    // Cargo sets this one for every test.
    let package = |text: &str| read(&TRAINING.replace("\"c__segdense_vals\"", text));
    let config = package("\"${CARGO_PKG_NAME}_vals\"").unwrap();
    assert_eq!(config.records.renamed_features[0].1, "maskrank_vals");
    let error = package("\"${NO_SUCH_VARIABLE}_vals\"").unwrap_err();
    let expected = "t.yaml: train_data.seg_dense_schema.renamed_features.continuous: \
                    the environment variable NO_SUCH_VARIABLE is not set";
    assert_eq!(error, expected);
    let sizes = TRAINING.replace("layer_sizes: [24]", "layer_sizes: [\"2${CARGO_PKG_VERSION_MAJOR}\"]");
    let Some(Network::MaskNet(net)) = read(&sizes).unwrap().backbone else { panic!("the backbone is gone") };
    assert_eq!(net.output_size(), 20);
}

#[test]
fn every_error_names_the_field() {
    const BLOCKS: &str = "model.backbone.mask_net_config";
    // What is replaced, by what, and the error.
    let cases = [
        (
            "mlp: {batch_norm",
            "mpl: {batch_norm",
            format!("{BLOCKS}.mpl: unknown field; did you mean \"mlp\"?"),
        ),
        (
            "stratifiers: null",
            "stratifier: 1",
            "model.stratifier: unknown field; did you mean \"strat".into(),
        ),
        ("use_parallel: true", "whatever: true", format!("{BLOCKS}.whatever: unknown field")),
        ("train_data:", "train_dta:", "train_dta: unknown field; did you mean \"train_data\"?".into()),
        (
            "\n  tasks: &data",
            "\n  task: &data",
            "train_data.task: unknown field; did you mean \"tasks\"".into(),
        ),
        (
            "neg_downsampling_rate: 3",
            "neg_sampling_rate: 3",
            "tasks[\"engagement.c\"].neg_sampling_rate".into(),
        ),
        ("dcn_config: null", "dcn_config: {}", "model.backbone.dcn_config: not supported".into()),
        ("dlrm_config: null", "dlrm_config: 1", "model.backbone.dlrm_config: not supported".into()),
        (
            "position_debias_config: null",
            "position_debias_config: {}",
            "position_debias_config: not sup".into(),
        ),
        ("small_embeddings: null", "small_embeddings: {}", "model.small_embeddings: not supported".into()),
        ("large_embeddings: null", "large_embeddings: {}", "model.large_embeddings: not supported".into()),
        (
            "    log1p_abs_config: null",
            "    log1p_abs_config: {}",
            "config.log1p_abs_config: not supported".into(),
        ),
        ("clip_log1p_abs_config: null", "clip_log1p_abs_config: {}", "clip_log1p_abs_config: not sup".into()),
        ("z_score_log_config: null", "z_score_log_config: {}", "z_score_log_config: not supported".into()),
        (
            "[binary]",
            "[binary, discrete]",
            "model.featurization_config.feature_names_to_concat: not sup".into(),
        ),
        ("[binary]", "[]", "model.featurization_config.feature_names_to_concat: not supported".into()),
        (
            "mlp_config: null",
            "mlp_config: {layer_sizes: [3]}",
            "model.backbone: expected exactly one of".into(),
        ),
        (
            "multi_task_type: share_all",
            "multi_task_type: share_none",
            "model.backbone: expected no backb".into(),
        ),
        (
            "multi_task_type: share_all",
            "multi_task_type: null",
            "model.backbone: expected no backbone".into(),
        ),
        ("share_all", "share_al", "multi_task_type: expected share_all, share_partial or share_none".into()),
        ("multi_task_type: share_all", "multi_task_type: [1]", "multi_task_type: expected a text".into()),
        ("axis: -1", "axis: 1", "layer_norm_config.axis: expected -1".into()),
        (
            "center: true",
            "center: false",
            "layer_norm_config.center: expected the same value as scale".into(),
        ),
        (
            "epsilon: 0.0",
            "epsilon: -1e-3",
            "layer_norm_config.epsilon: expected a number of at least 0".into(),
        ),
        (
            "epsilon: 0.0",
            "epsilon: .nan",
            "layer_norm_config.epsilon: expected a number of at least 0".into(),
        ),
        (
            "clip_magnitude: 5.1",
            "clip_magnitude: .inf",
            "clip_magnitude: expected a number of at least 0".into(),
        ),
        (
            "clip_magnitude: 5.1",
            "clip_magnitude: 1e39",
            "clip_magnitude: expected a number of at least".into(),
        ),
        ("clip_magnitude: 5.1", "clip_magnitude: five", "found \"five\"".into()),
        ("affine: true", "affine: 1", "batch_norm_config.affine: expected true or false, found 1".into()),
        ("[24]", "[]", format!("{BLOCKS}.mlp.layer_sizes: expected at least one layer, found none")),
        (
            "[24]",
            "[24.0]",
            format!("{BLOCKS}.mlp.layer_sizes[0]: expected a whole number from 1 to 16777216"),
        ),
        ("[24]", "[0]", format!("{BLOCKS}.mlp.layer_sizes[0]: expected a whole number from 1")),
        (
            "[24]",
            "[99999999999999999999999]",
            format!("{BLOCKS}.mlp.layer_sizes[0]: expected a whole number"),
        ),
        ("[24]", "24", format!("{BLOCKS}.mlp.layer_sizes: expected a list, found 24")),
        ("layer_sizes: [24]", "layer_sizes: null", format!("{BLOCKS}.mlp.layer_sizes: expected a value")),
        (
            "[8, 4, 1]",
            "[8, 4]",
            "model.tasks[\"engagement.b\"]: expected a tower whose last width is 1".into(),
        ),
        ("{rate: 0.2}", "{rate: 1.5}", "mlp_config.dropout.rate: expected a rate above 0".into()),
        ("output_size: 12", "output_size: -1", format!("{BLOCKS}.mask_blocks[0].output_size: expected")),
        ("aggregation_size: 16", "aggregation_size: null", format!("{BLOCKS}.mask_blocks[0]: expected aggr")),
        ("reduction_factor: 0.5", "reduction_factor: 0", format!("{BLOCKS}.mask_blocks[2].reduction_factor")),
        (
            "input_layer_norm: false",
            "input_layer_norm: null",
            "mask_blocks[0].input_layer_norm: expected".into(),
        ),
        (
            "scale: 1.7",
            "scale: big",
            "model.tasks[\"engagement.c\"].affine_map.scale: expected a number".into(),
        ),
        (
            "0.8387",
            "0",
            "train_data.tasks[\"engagement.b\"].pos_downsampling_rate: expected a finite rate".into(),
        ),
        (
            "0.8387",
            "1e-320",
            "train_data.tasks[\"engagement.b\"]: expected neg_downsampling_rate / pos".into(),
        ),
        (
            "continuous_feature_truncation: 13",
            "continuous_feature_mask_path: m.npy",
            "mask_path: not supp".into(),
        ),
        ("continuous_feature_truncation: 13", "continuous_feature_trunc: 1", "unknown field".into()),
        ("    engagement.a:\n", "    engagement__b:\n", "has the module name \"engagement__b\"".into()),
        ("    engagement.a:\n", "    engagement.b:\n", "document: ".into()),
        ("    engagement.a:\n", "    engagement.b:\n", "duplicate key \"engagement.b\"".into()),
        ("<<: *tower\n      affine", "<<: 3\n      affine", "merge key \"<<\": expected a map".into()),
        ("*mlp]", "*nothing]", "document: ".into()),
        ("model:\n  backbone:", "model: [", "document: ".into()),
        ("model:\n", "modell:\n", "modell: unknown field; did you mean \"model\"?".into()),
    ];
    for (from, to, expected) in cases {
        assert!(TRAINING.contains(from), "{from}");
        let error = read(&TRAINING.replacen(from, to, 1)).expect_err(&format!("{from} -> {to}"));
        assert!(error.starts_with("t.yaml: ") && error.contains(&expected), "{from} -> {to}: {error}");
    }
    for text in ["", "   # nothing\n", "null", "[]", "7", "model:", "model: {}", "a: 1\n---\nb: 2", "\u{0}"] {
        let error = read(text).expect_err(text);
        assert!(error.starts_with("t.yaml: "), "{text}: {error}");
    }
}

#[test]
fn a_small_file_cannot_stand_for_an_enormous_tree() {
    let mut laughs = String::from("model: {x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]");
    for level in 1..12 {
        let last = format!("*x{}, ", level - 1).repeat(9);
        laughs.push_str(&format!(", x{level}: &x{level} [{last}]"));
    }
    laughs.push('}');
    let wide = format!("model: {{a: &a [{}], b: [{}]}}", "1,".repeat(50_000), "*a,".repeat(50_000));
    let long = format!("model: {{a: &a {}, b: [{}]}}", "x".repeat(100_000), "*a,".repeat(50_000));
    let deep = format!("model: {}", "[".repeat(100_000));
    let deep_blocks = format!("model: {}1", "{a: ".repeat(100_000));
    let hidden = format!("model: {}", "['])', ".repeat(4_900));
    let open = format!("model: {}{}", "['])', ".repeat(4_900), "1, ".repeat(250_000));
    let dashes = format!("model:\n{}", "- ".repeat(400_000));
    let questions = format!("model:\n{}", "? ".repeat(400_000));
    let big = "#".repeat((1 << 20) + 1);
    for text in [laughs, wide, long, deep, deep_blocks, hidden, open, dashes, questions, big] {
        let error = read(&text).expect_err("refused");
        assert!(error.len() < 1000, "{error}");
    }
}

#[test]
fn no_mutation_of_a_training_file_panics() {
    let bytes = TRAINING.as_bytes();
    for cut in 0..bytes.len() {
        let _ = read(&TRAINING[..cut]);
    }
    let inserts = [
        ": ", "\n", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "\"", "'", "$", "${", "!t ", "\t", "|",
        "?",
    ];
    let mut state = 7_u64;
    for _ in 0..4000 {
        let mut text = bytes.to_vec();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % text.len();
            match (state >> 20) % 3 {
                0 => drop(text.remove(at)),
                1 => text[at] = b' ' + ((state >> 8) % 95) as u8,
                _ => {
                    let insert = inserts[(state >> 8) as usize % inserts.len()];
                    text.splice(at..at, insert.bytes());
                }
            }
        }
        let _ = read(&String::from_utf8_lossy(&text));
    }
}
