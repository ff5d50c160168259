//! The command line as a person meets it: what it prints, what it writes, how it fails.

use std::path::{Path, PathBuf};

mod common;

use common::SMALL_MODEL;
use common::command::{fail, maskrank, succeed, text};

/// How the small model's records are laid out.
const TRAIN_DATA: &str = r"
train_data:
  seg_dense_schema:
    renamed_features: {continuous: cont, binary: bin, user_embedding: user, meta__user_id: meta.user_id}
  preprocess:
    truncate_and_slice: {continuous_feature_truncation: 30, binary_feature_truncation: 5}
";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A small model folder, and records that fit it.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let config = [SMALL_MODEL, TRAIN_DATA].concat();
        let schema = r#"{"schema": [
            {"dtype": "float_list", "feature_name": "cont", "length": 40},
            {"dtype": "int64_list", "feature_name": "bin", "length": 9},
            {"dtype": "float_list", "feature_name": "user", "length": 6},
            {"dtype": "int64_list", "feature_name": "meta.user_id", "length": 1},
            {"dtype": "int64_list", "feature_name": "meta.author_id", "length": 1},
            {"dtype": "int64_list", "feature_name": "meta.tweet_id", "length": 1}]}"#;
        std::fs::write(world.path("train.yaml"), config).expect("written");
        std::fs::write(world.path("segdense.json"), schema).expect("written");
        std::fs::write(
            world.path("weights.yaml"),
            "recap.engagement.is_favorited: 0.5\nrecap.engagement.is_replied: 13.5\n",
        )
        .expect("written");
        let (model, train) = (world.text("model"), world.text("train.yaml"));
        succeed(&[
            "random-weights",
            "--out",
            &model,
            "--config",
            &train,
            "--widths",
            "30,5,6",
            "--seed",
            "7",
        ]);
        std::fs::copy(world.path("segdense.json"), world.path("model/segdense.json")).expect("copied");
        world.records("records.tfrecord", "50");
        world.records("records.tfrecord.gz", "50");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn records(&self, name: &str, count: &str) {
        let (out, schema) = (self.text(name), self.text("segdense.json"));
        succeed(&[
            "random-records",
            "--out",
            &out,
            "--schema",
            &schema,
            "--records",
            count,
            "--per-request",
            "10",
        ]);
    }

    fn score<'a>(&'a self, records: &'a str, more: &[&'a str]) -> Vec<String> {
        let mut arguments =
            vec!["score".to_owned(), "--model".into(), self.text("model"), "--records".into()];
        arguments.push(self.text(records));
        arguments.extend(["--weights".into(), self.text("weights.yaml"), "--backend".into(), "cpu".into()]);
        arguments.extend(more.iter().map(|&m| m.to_owned()));
        arguments
    }
}

fn refs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn golden_passes_on_the_cpu_and_names_each_case() {
    let output = succeed(&["golden", &golden().to_string_lossy(), "--backend", "cpu", "--precision", "f32"]);
    for case in ["production", "ragged-input-norm", "serial", "share-none", "share-partial", "tiny-parallel"]
    {
        assert!(output.contains(case), "{output}");
    }
    assert!(output.contains("6 passed, 0 failed"), "{output}");
}

#[test]
fn golden_fails_on_a_wrong_expectation_a_broken_case_and_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let message = fail(&["golden", &folder.path().to_string_lossy()]);
    assert!(message.contains("case.json"), "{message}");

    let case = folder.path().join("case");
    std::fs::create_dir(&case).expect("created");
    for entry in std::fs::read_dir(golden().join("share-none")).expect("read") {
        let entry = entry.expect("read");
        std::fs::copy(entry.path(), case.join(entry.file_name())).expect("copied");
    }
    let arguments = ["golden", &folder.path().to_string_lossy(), "--backend", "cpu", "--precision", "f32"];
    succeed(&arguments);
    // The last tensor of the file is the last by name, the uncalibrated score: move its last value a little.
    let expected = case.join("expected.safetensors");
    let mut bytes = std::fs::read(&expected).expect("read");
    let at = bytes.len() - 8;
    let value = f64::from_le_bytes(bytes[at..].try_into().expect("eight bytes")) + 1e-3;
    bytes[at..].copy_from_slice(&value.to_le_bytes());
    std::fs::write(&expected, bytes).expect("written");
    let output = maskrank(&arguments);
    assert!(!output.status.success());
    assert!(text(&output.stdout).contains("FAILED: score_uncalibrated"), "{}", text(&output.stdout));

    std::fs::remove_file(&expected).expect("removed");
    let output = maskrank(&arguments);
    assert!(!output.status.success() && text(&output.stdout).contains("expected.safetensors"));
}

#[test]
fn score_writes_a_line_a_candidate_in_both_formats() {
    let world = World::new();
    let csv = succeed(&refs(&world.score("records.tfrecord", &[])));
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "user_id,author_id,tweet_id,status,score,favorited,replied");
    assert_eq!(lines.len(), 51);
    assert!(lines[1..].iter().all(|line| line.split(',').nth(3) == Some("ok")), "{csv}");

    assert_eq!(succeed(&refs(&world.score("records.tfrecord.gz", &[]))), csv, "gzip changes nothing");
    assert_eq!(
        succeed(&refs(&world.score("records.tfrecord", &["--batch", "7"]))),
        csv,
        "nor does the batch size"
    );

    let out = world.text("scores.jsonl");
    succeed(&refs(&world.score("records.tfrecord", &["--out", &out])));
    let json = std::fs::read_to_string(&out).expect("read");
    assert_eq!(json.lines().count(), 50);
    for (line, csv) in json.lines().zip(&lines[1..]) {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["tweet_id"].as_str(), csv.split(',').nth(2));
        assert_eq!(
            value["score"].to_string().parse::<f32>().ok(),
            csv.split(',').nth(4).and_then(|s| s.parse().ok())
        );
    }
}

#[test]
fn top_is_per_request_also_where_a_batch_cuts_one() {
    let world = World::new();
    let all = succeed(&refs(&world.score("records.tfrecord", &[])));
    let mut expected = Vec::new();
    let rows: Vec<&str> = all.lines().skip(1).collect();
    for request in rows.chunks(10) {
        let score = |line: &str| line.split(',').nth(4).and_then(|s| s.parse::<f32>().ok()).expect("a score");
        let mut best = request.to_vec();
        best.sort_by(|a, b| score(b).total_cmp(&score(a)));
        expected.extend(best.into_iter().take(3).map(str::to_owned));
    }
    for batch in ["1500", "10", "7", "1"] {
        let top = succeed(&refs(&world.score("records.tfrecord", &["--top", "3", "--batch", batch])));
        assert_eq!(top.lines().skip(1).collect::<Vec<_>>(), expected, "batches of {batch}");
    }
}

#[test]
fn columns_that_come_once_a_request_are_declared_for_records_too() {
    let world = World::new();
    let columns = world.text("columns");
    // A file may name more than the model reads.
    std::fs::write(&columns, "user_embedding\ncontinuous:0..3\ncontinuous:9000..9001\n").expect("written");
    let (by_hand, of_file) = ("user_embedding,continuous:0..3", format!("@{columns}"));
    let score = |more: &[&str]| succeed(&refs(&world.score("records.tfrecord", more)));
    let plain = score(&[]);
    let split = score(&["--request-columns", by_hand]);
    assert_eq!(score(&["--request-columns", &of_file]), split, "the file declares the same");
    for batch in ["7", "1"] {
        assert_eq!(score(&["--request-columns", by_hand, "--batch", batch]), split, "batches of {batch}");
    }
    let rows = |text: &str| -> Vec<Vec<String>> {
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let (plain, split) = (rows(&plain), rows(&split));
    assert_eq!(plain.len(), split.len());
    for (plain, split) in plain.iter().zip(&split) {
        assert_eq!(plain[..4], split[..4], "ids and status");
        for (a, b) in plain[4..].iter().zip(&split[4..]) {
            let (a, b): (f64, f64) = (a.parse().expect("a number"), b.parse().expect("a number"));
            // The same sums in another order.
            assert!((a - b).abs() <= 1e-3 * a.abs().max(1e-2), "{plain:?} and {split:?}");
        }
    }
    let mut expected = Vec::new();
    for request in split.chunks(10) {
        let score = |row: &[String]| row[4].parse::<f32>().expect("a score");
        let mut best = request.to_vec();
        best.sort_by(|a, b| score(b).total_cmp(&score(a)));
        expected.extend(best.into_iter().take(3));
    }
    for batch in ["1500", "7"] {
        let top = score(&["--request-columns", by_hand, "--top", "3", "--batch", batch]);
        assert_eq!(rows(&top), expected, "batches of {batch}");
    }
    let beyond =
        fail(&refs(&world.score("records.tfrecord", &["--request-columns", "continuous:9000..9001"])));
    assert!(beyond.contains("split.continuous"), "{beyond}");
}

#[test]
fn damaged_records_are_named_and_can_be_skipped() {
    let world = World::new();
    let good = std::fs::read(world.path("records.tfrecord")).expect("read");
    let size = good.len() / 50;

    let mut flipped = good.clone();
    flipped[3 * size + size / 2] ^= 1;
    std::fs::write(world.path("flipped.tfrecord"), &flipped).expect("written");
    let message = fail(&refs(&world.score("flipped.tfrecord", &[])));
    assert!(message.contains("flipped.tfrecord") && message.contains("record 3"), "{message}");
    let output = maskrank(&refs(&world.score("flipped.tfrecord", &["--skip-bad"])));
    assert!(output.status.success());
    assert_eq!(text(&output.stdout).lines().count(), 50, "49 candidates and a header");
    assert!(text(&output.stderr).contains("1 broken records left out"), "{}", text(&output.stderr));

    std::fs::write(world.path("short.tfrecord"), &good[..good.len() - 5]).expect("written");
    assert!(fail(&refs(&world.score("short.tfrecord", &[]))).contains("record 49"));
    let gzip = std::fs::read(world.path("records.tfrecord.gz")).expect("read");
    std::fs::write(world.path("short.gz"), &gzip[..gzip.len() / 2]).expect("written");
    assert!(fail(&refs(&world.score("short.gz", &[]))).contains("short.gz"));
    assert!(fail(&refs(&world.score("nothing.tfrecord", &[]))).contains("nothing.tfrecord"));
}

#[test]
fn a_wrong_model_is_named() {
    let world = World::new();
    let model = world.path("model");
    let (weights, config) = (model.join("model.safetensors"), model.join("config.yaml"));
    let good = std::fs::read(&weights).expect("read");
    let yaml = std::fs::read_to_string(&config).expect("read");
    let broken = |bytes: &[u8], word: &str| {
        std::fs::write(&weights, bytes).expect("written");
        let message = fail(&refs(&world.score("records.tfrecord", &[])));
        assert!(message.contains(word), "expected \"{word}\" in: {message}");
    };
    broken(&good[..good.len() - 4], "model.safetensors");
    broken(b"", "model.safetensors");
    broken(&u64::MAX.to_le_bytes(), "model.safetensors");
    let mut nan = good.clone();
    let at = nan.len() - 4;
    nan[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    broken(&nan, "finite");
    std::fs::write(&weights, &good).expect("written");

    for (from, to, word) in [
        ("layer_sizes: [32]", "layer_size: [32]", "layer_size"),
        ("layer_sizes: [32]", "layer_sizes: [33]", "33"),
        ("share_all", "share_some", "multi_task_type"),
        ("clip_magnitude: 5.0", "clip_magnitude: five", "clip_magnitude"),
        ("model:", "model: [", "config.yaml"),
        ("continuous_feature_truncation: 30", "continuous_feature_truncation: 31", "continuous"),
    ] {
        assert!(yaml.contains(from), "{from}");
        std::fs::write(&config, yaml.replace(from, to)).expect("written");
        let message = fail(&refs(&world.score("records.tfrecord", &[])));
        assert!(message.contains(word), "{from} → {to}: expected \"{word}\" in: {message}");
    }
    std::fs::write(&config, yaml).expect("written");

    std::fs::write(world.path("weights.yaml"), "recap.engagement.is_favorited: 1\n").expect("written");
    assert!(fail(&refs(&world.score("records.tfrecord", &[]))).contains("is_replied"));
    assert!(
        fail(&["score", "--model", &world.text("nothing"), "--records", &world.text("records.tfrecord")])
            .contains("nothing")
    );
}

#[test]
fn a_packed_model_stands_for_its_folder_and_says_what_it_was_packed_for() {
    let world = World::new();
    let (model, packed) = (world.text("model"), world.text("model.packed"));
    let expected = succeed(&refs(&world.score("records.tfrecord", &["--precision", "bf16"])));
    let line = succeed(&["pack", "--model", &model, "--out", &packed, "--precision", "bf16"]);
    assert!(line.contains("for cpu in bf16, layout strips-32"), "{line}");
    // All but the memory on other backends, which a file packed for this one says nothing about.
    let inspect = |path: &str| -> String {
        let text = succeed(&["inspect", path]);
        text.split("memory on").next().unwrap_or_default().to_owned()
    };
    assert_eq!(inspect(&packed), inspect(&model));

    // From here on the file stands alone: configuration, schema and weights are in it.
    std::fs::remove_dir_all(&model).expect("removed");
    let score = |more: &[&str]| -> Vec<String> {
        let mut arguments = world.score("records.tfrecord", more);
        arguments[2].clone_from(&packed);
        arguments
    };
    assert_eq!(succeed(&refs(&score(&["--precision", "bf16"]))), expected, "the same scores, byte for byte");
    let message = fail(&refs(&score(&[])));
    assert!(message.contains("bf16") && message.contains("f32") && message.contains("pack"), "{message}");
    let again = world.text("again.packed");
    let message = fail(&["pack", "--model", &packed, "--out", &again]);
    assert!(message.contains("model folder"), "{message}");
    let bytes = std::fs::read(&packed).expect("read");
    for (damaged, word) in
        [(&bytes[..bytes.len() - 1], "damaged"), (&bytes[..7], "not a packed model"), (&[], "empty")]
    {
        std::fs::write(&packed, damaged).expect("written");
        let message = fail(&refs(&score(&["--precision", "bf16"])));
        assert!(message.contains(word), "{message}");
    }
    let mut newer = bytes.clone();
    newer[8] = 2;
    std::fs::write(&packed, newer).expect("written");
    let message = fail(&refs(&score(&["--precision", "bf16"])));
    assert!(message.contains("version 2") && message.contains("pack the model again"), "{message}");
}

#[test]
fn inspect_counts_the_production_model_and_asks_for_widths() {
    let config = golden().join("production/config.yaml");
    let config = config.to_string_lossy();
    assert!(fail(&["inspect", &config]).contains("--widths"));
    let output = succeed(&["inspect", &config, "--widths", "2117,59,200,200,200"]);
    assert!(output.contains("48115108") && output.contains("input_dim                2776"), "{output}");
}

#[test]
fn devices_names_every_backend() {
    let output = succeed(&["devices"]);
    for backend in ["cuda", "wgpu", "cpu"] {
        assert!(output.lines().any(|line| line == backend), "{output}");
    }
}
