//! Models on disk: the golden cases open, the seeded recipe makes their weights and inputs bit for bit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use maskrank::config::{Case, EMBEDDINGS, ModelConfig, Widths};
use maskrank::plan::{Folding, Plan, Step};
use maskrank::weights::{Kind, Weights, expected, seeded};
use maskrank::{Architecture, Model, Split};

const STORED: [&str; 5] = ["tiny-parallel", "ragged-input-norm", "serial", "share-partial", "share-none"];

fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case)
}

#[test]
fn every_golden_case_opens_and_can_be_planned() {
    for name in STORED.into_iter().chain(["production"]) {
        let start = Instant::now();
        let (model, case) = Model::open_case(golden(name)).unwrap();
        println!("{name}: opened in {:?}", start.elapsed());
        let tasks: Vec<&str> = model.tasks().iter().map(|task| task.name.as_str()).collect();
        assert_eq!(tasks, case.tasks, "{name}");
        assert_eq!(model.widths(), case.widths, "{name}");
        let plan = Plan::build(model.config(), model.widths(), model.weights(), 1, Folding::Weights);
        assert_eq!(plan.head().tasks.len(), tasks.len(), "{name}");
    }
}

#[test]
fn the_recipe_makes_the_stored_weights() {
    for name in STORED {
        let (model, case) = Model::open_case(golden(name)).unwrap();
        let seeded = Weights::seeded(model.config(), model.widths(), case.seed.unwrap()).unwrap();
        for tensor in expected(model.config(), model.widths()).unwrap() {
            let stored = model.weights().get(&tensor.name);
            let made = seeded.get(&tensor.name);
            assert_eq!(made.shape, stored.shape, "{name}: {}", tensor.name);
            assert!(
                tensor.kind == Kind::Counter || made.bytes == stored.bytes,
                "{name}: {}: {:?} is not {:?}",
                tensor.name,
                made.to_vec(),
                stored.to_vec()
            );
        }
    }
}

#[test]
fn the_recipe_makes_the_stored_inputs() {
    for name in STORED.into_iter().chain(["production"]) {
        let case = Case::read(golden(name).join("case.json")).unwrap();
        let made = seeded::inputs(case.widths, case.rows.unwrap(), case.seed.unwrap());
        let stored = Weights::open(golden(name).join("inputs.safetensors")).unwrap();
        let [user, user_eng, author] = made.embeddings;
        let inputs = [("continuous", made.continuous), ("binary", made.binary)];
        for (input, made) in inputs.into_iter().chain(EMBEDDINGS.into_iter().zip([user, user_eng, author])) {
            let Some(stored) = stored.find(input) else {
                assert!(made.is_empty(), "{name}: {input}");
                continue;
            };
            // The first six rows of these hold planted specials: zeros, NaN, infinities, 3e38, denormals, -0.
            let planted = ["tiny-parallel", "ragged-input-norm", "production"].contains(&name);
            let skipped = if planted && input == "continuous" { 6 * case.widths.continuous } else { 0 };
            let stored = stored.to_vec();
            assert_eq!(stored.len(), made.len(), "{name}: {input}");
            for (index, (stored, made)) in stored.iter().zip(&made).enumerate().skip(skipped) {
                assert_eq!(*stored, f64::from(*made), "{name}: {input}[{index}]");
            }
        }
    }
}

#[test]
fn the_production_architecture_has_its_known_size() {
    let case = Case::read(golden("production").join("case.json")).unwrap();
    let config = Model::options().read_config(golden("production")).unwrap();
    let architecture = Architecture::new(&config, case.widths).unwrap();
    assert_eq!(architecture.parameters(), 48_115_108);
    let megaflops = architecture.flops() / 1e6;
    assert!((megaflops - 96.1).abs() <= 0.05, "{megaflops}");
}

#[test]
fn the_architecture_counts_what_the_plan_counts() {
    for name in STORED {
        let (model, _) = Model::open_case(golden(name)).unwrap();
        let plan = Plan::build(model.config(), model.widths(), model.weights(), 8, Folding::Weights);
        let planned = plan.steps.iter().filter(|step| matches!(step, Step::Gemm(_) | Step::Head(_)));
        let planned: f64 = planned.map(|step| plan.step_cost(step).flops).sum();
        let architecture = Architecture::new(model.config(), model.widths()).unwrap();
        assert_eq!(architecture.flops(), planned, "{name}");
    }
}

#[test]
fn a_split_orders_x_and_moves_work_from_candidates_to_requests() {
    let (model, _) = Model::open_case(golden("production")).unwrap();
    let build = |split: &Split, align| {
        Plan::build_for(model.config(), model.widths(), model.weights(), align, Folding::Weights, split)
    };
    let plain = build(&Split::default(), 32);
    assert_eq!((plain.reuse.as_ref(), plain.cost().request_flops), (None, 0.0));
    for (split, align, normed, once) in [
        // 400 columns of embeddings are 12 whole groups of 32, and 6 of 64.
        (Split::user_embeddings(), 32, 0, 384),
        (Split::user_embeddings(), 64, 0, 384),
        (Split { continuous: vec![0..500, 700..1000], ..Split::default() }, 64, 768, 768),
        (Split { continuous: vec![0..31], ..Split::default() }, 32, 0, 0),
    ] {
        let plan = build(&split, align);
        let (x, whole) = (plan.featurize().output, build(&Split::default(), align));
        assert_eq!(
            plan.reuse.as_ref().map_or((0, 0), |r| (r.normed, r.columns())),
            (normed, once),
            "{split:?}"
        );
        assert_eq!(plan.padded(x), whole.padded(whole.featurize().output), "no product gets longer");
        let (cost, before) = (plan.cost(), whole.cost());
        assert_eq!(cost.request_flops, 2.0 * 4096.0 * once as f64, "{split:?}: four aggregations");
        assert_eq!(cost.flops + cost.request_flops, before.flops, "{split:?}: nothing is lost or doubled");
        let Some(reuse) = &plan.reuse else { continue };
        let mut seen = reuse.order.clone();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..model.widths().input_dim()), "every feature has one column");
        let values: Vec<usize> = (1..=model.widths().input_dim()).collect();
        let columns: Vec<usize> = reuse.order.iter().map(|feature| feature + 1).collect();
        assert_eq!(plan.arrange(x, &values), columns);
    }
}

/// A copy of a golden case's folder without its `case.json`, with some more files.
fn folder(case: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.yaml", "model.safetensors"] {
        fs::copy(golden(case).join(name), folder.path().join(name)).unwrap();
    }
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const CASE: &str = r#"{"shapes": {"continuous": 13, "binary": 3, "user_embedding": 8, "user_eng_embedding": 8,
    "author_embedding": 8}, "other": 1}"#;
const TINY: Widths =
    Widths { continuous: 13, binary: 3, user_embedding: 8, user_eng_embedding: 8, author_embedding: 8 };

/// A schema of the released features with these lengths.
fn schema(lengths: [i64; 5]) -> String {
    let names = [
        "home_recap_2022_cont__segdense_vals",
        "home_recap_2022_binary__segdense_vals",
        "user.timelines.twhin_user_follow_embeddings.twhin_user_follow_embeddings",
        "user.timelines.twhin_user_engagement_embeddings.twhin_user_engagement_embeddings",
        "original_author.timelines.twhin_author_follow_embeddings.twhin_author_follow_embeddings",
    ];
    let entries: Vec<String> = names
        .iter()
        .zip(lengths)
        .map(|(name, length)| {
            let dtype = if name.contains("binary") { "int64_list" } else { "float_list" };
            format!(r#"{{"dtype": "{dtype}", "feature_name": "{name}", "length": {length}}}"#)
        })
        .collect();
    format!(r#"{{"schema": [{}]}}"#, entries.join(","))
}

#[test]
fn the_weights_alone_tell_the_widths_where_a_batch_norm_shows_the_split() {
    for (name, told) in
        [("tiny-parallel", true), ("ragged-input-norm", true), ("share-none", true), ("serial", false)]
    {
        let opened = Model::open(folder(name, &[]).path());
        let case = Case::read(golden(name).join("case.json")).unwrap();
        match opened {
            Ok(model) => assert!(told && model.widths() == case.widths, "{name}: {:?}", model.widths()),
            Err(error) => {
                assert!(
                    !told && error.to_string().contains("do not tell continuous from binary"),
                    "{name}: {error}"
                );
                let given = Model::options().widths(case.widths).open(folder(name, &[]).path()).unwrap();
                assert_eq!(given.widths(), case.widths, "{name}");
            }
        }
    }
}

#[test]
fn every_source_of_widths_serves_and_two_must_agree() {
    let fitting = schema([13, 3, 8, 8, 8]);
    for files in [
        vec![("case.json", CASE)],
        vec![("segdense.json", &fitting)],
        vec![("segdense.json", &fitting), ("case.json", CASE)],
    ] {
        assert_eq!(Model::open(folder("tiny-parallel", &files).path()).unwrap().widths(), TINY, "{files:?}");
    }
    let other = schema([13, 4, 8, 8, 8]);
    let cases = [
        (
            vec![("segdense.json", &*other), ("case.json", CASE)],
            vec!["binary 4", "segdense.json", "3 in", "case.json"],
        ),
        (
            vec![("segdense.json", &*other)],
            vec![
                "model.safetensors: tensor \"",
                "expected shape [",
                "segdense.json has continuous + binary 17",
                "have 16",
            ],
        ),
        (
            vec![("case.json", r#"{"shapes": {"continuous": 13, "binary": 3}}"#)],
            vec![
                "model.safetensors: tensor \"_author",
                "case.json has user_embedding 0, these weights have 8",
            ],
        ),
        (
            vec![("case.json", r#"{"shapes": {"continuous": 13}}"#)],
            vec!["case.json: shapes.binary: expected a width"],
        ),
        (
            vec![("case.json", r#"{"shapes": {"continuous": -1}}"#)],
            vec!["shapes.continuous: expected a width", "-1"],
        ),
        (
            vec![("case.json", r#"{"shapes": {"continuous": 1, "binary": 1, "embedding": 2}}"#)],
            vec!["case.json: shapes.embedding"],
        ),
        (vec![("case.json", "[]")], vec!["case.json: document: expected an object"]),
        (vec![("case.json", "{")], vec!["case.json: document: not JSON"]),
        (vec![("segdense.json", "{}")], vec!["segdense.json: schema: "]),
        (
            vec![("segdense.json", r#"{"schema": []}"#)],
            vec!["segdense.json: schema: expected a feature with values", "continuous"],
        ),
    ];
    for (files, words) in cases {
        let error = Model::open(folder("tiny-parallel", &files).path()).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{files:?}: {error}");
    }
    let wrong = Model::options().widths(Widths { binary: 4, ..TINY });
    let error = wrong.open(folder("tiny-parallel", &[("case.json", CASE)]).path()).unwrap_err().to_string();
    assert!(error.contains("the given widths") && error.contains("case.json"), "{error}");
}

#[test]
fn renames_and_truncations_apply_to_the_schema() {
    let text = fs::read_to_string(golden("tiny-parallel").join("config.yaml")).unwrap();
    let records = "train_data:
  seg_dense_schema:
    renamed_features: {continuous: c, binary: b, user_embedding: u}
  preprocess: {truncate_and_slice: {continuous_feature_truncation: 13, binary_feature_truncation: 60}}
";
    let config = ModelConfig::from_yaml(&text.replace("train_data:\n", records), "config.yaml").unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("s.json");
    let write = |entries: &[(&str, i32)]| {
        let entry = |(name, length): &(&str, i32)| {
            let dtype = if *name == "b" { "int64_list" } else { "float_list" };
            format!(r#"{{"dtype":"{dtype}","feature_name":"{name}","length":{length}}}"#)
        };
        let entries: Vec<String> = entries.iter().map(entry).collect();
        fs::write(&path, format!(r#"{{"schema":[{}]}}"#, entries.join(","))).unwrap();
        maskrank::config::widths_from_schema(&path, &config.records).map_err(|error| error.to_string())
    };
    let released = "user.timelines.twhin_user_engagement_embeddings.twhin_user_engagement_embeddings";
    let widths = write(&[("c", 6000), ("b", 59), ("u", 8), (released, 9), ("other", -1)]).unwrap();
    // What the configuration does not rename is not an input, as in the released code.
    assert_eq!(widths, Widths { continuous: 13, binary: 59, user_embedding: 8, ..Widths::default() });
    assert!(write(&[("c", 6000), ("b", 59)]).unwrap_err().contains("\"u\" is not in the schema"));
    for entries in [[("c", -1), ("b", 59), ("u", 8)], [("c", 1), ("c", 2), ("u", 8)]] {
        let error = write(&entries).unwrap_err();
        assert!(error.contains("\"c\""), "{error}");
    }
}

#[test]
fn a_part_that_is_missing_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let error = Model::open(empty.path()).unwrap_err().to_string();
    assert!(error.contains("config.yaml"), "{error}");
    let error = Model::open(golden("production")).unwrap_err().to_string();
    assert!(error.contains("model.safetensors"), "{error}");
    let error = Model::options().seed(1).open(folder("tiny-parallel", &[]).path()).unwrap_err().to_string();
    assert!(error.contains("widths") && error.contains("seeded weights tell none"), "{error}");
}

#[test]
fn an_aggregation_of_no_width_is_an_error() {
    let config = "model: {featurization_config: {double_norm_log_config: {}}, multi_task_type: share_all, \
        backbone: {mask_net_config: {mask_blocks: [{output_size: 3, reduction_factor: FACTOR, input_layer_norm: no}]}}, \
        tasks: {t: {mlp_config: {layer_sizes: [1]}}}}";
    for (factor, fits) in [("0.06", false), ("0.0625", true), ("1e300", false), ("1e-300", false)] {
        let config = ModelConfig::from_yaml(&config.replace("FACTOR", factor), "c").unwrap();
        match Architecture::new(&config, Widths { continuous: 16, ..Widths::default() }) {
            Ok(_) => assert!(fits, "{factor}"),
            Err(error) => {
                let error = error.to_string();
                assert!(!fits && error.contains("for _backbone._mask_blocks.0 of a guide of 16"), "{error}");
            }
        }
    }
    let config = ModelConfig::from_yaml(&config.replace("FACTOR", "1"), "c").unwrap();
    assert!(
        Architecture::new(&config, Widths::default()).unwrap_err().to_string().contains("input features")
    );
}
