//! What each fuzz target does with its input. Shared with `tests/fuzz_corpora.rs`, which runs the corpora and mutations
//! of them on a stable compiler.
//!
//! A target fails by a panic. Any error that is returned is fine, as long as it says something.

use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use maskrank::config::Widths;
use maskrank::records::{
    BlockReader, LayoutSpec, Missing, OnBad, ReadOptions, RecordBlock, RecordLayout, Schema,
};
use maskrank::weights::Weights;
use maskrank::weights::packed::repair;
use maskrank::{
    Architecture, Backend, Batch, Binary, Columns, CpuKernel, Error, Features, Model, ModelConfig, Request,
    ScoreOptions, ScoreWeights, Scorer, Scores,
};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 6] = [
    ("weights", weights),
    ("packed", packed),
    ("config", config),
    ("records", records),
    ("score_weights", score_weights),
    ("schema", schema),
];

pub const CONFIG: &str = "
model:
  backbone: {mlp_config: {layer_sizes: [3], final_layer_activation: true}}
  featurization_config: {double_norm_log_config: {clip_magnitude: 5.0, layer_norm_config: {epsilon: 0.001}}}
  multi_task_type: share_all
  tasks: {recap.engagement.is_favorited: {mlp_config: {layer_sizes: [2, 1]}}}
";

pub const WIDTHS: Widths =
    Widths { continuous: 3, binary: 2, user_embedding: 0, user_eng_embedding: 0, author_embedding: 0 };

pub const SCHEMA: &str = r#"{"schema": [
    {"dtype": "float_list", "feature_name": "cont", "length": 3},
    {"dtype": "int64_list", "feature_name": "bin", "length": 2},
    {"dtype": "int64_list", "feature_name": "meta.user_id", "length": 1},
    {"dtype": "int64_list", "feature_name": "meta.author_id", "length": 1},
    {"dtype": "int64_list", "feature_name": "meta.tweet_id", "length": 1}]}"#;

fn has_words(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 10_000, "an error of {} bytes", text.len());
}

fn tiny() -> &'static ModelConfig {
    static CONFIG_READ: OnceLock<ModelConfig> = OnceLock::new();
    CONFIG_READ.get_or_init(|| ModelConfig::from_yaml(CONFIG, "tiny").expect("a good configuration"))
}

/// A safetensors file: parsed, and held against a configuration.
pub fn weights(data: &[u8]) {
    let weights = match Weights::from_bytes("fuzz", data.to_vec()) {
        Ok(weights) => weights,
        Err(error) => return has_words(&error),
    };
    for name in weights.names() {
        let tensor = weights.get(name);
        assert_eq!(tensor.bytes.len(), tensor.len() * tensor.dtype.size(), "{name}");
    }
    if let Err(error) = weights.widths(tiny()) {
        has_words(&error);
    }
    if let Err(error) = Model::new(tiny().clone(), WIDTHS, weights) {
        has_words(&error);
    }
}

/// A packed model. The first byte says how: bit 0, the rest is a file as it is, or one whose lengths and checksums are made
/// right, so that what lies behind them is reached. A model that is accepted scores a candidate.
pub fn packed(data: &[u8]) {
    read_packed(data);
}

/// As [`packed`]; whether there was a score.
pub fn read_packed(data: &[u8]) -> bool {
    let Some((&mode, rest)) = data.split_first() else { return false };
    let repaired;
    let bytes = if mode & 1 == 0 {
        rest
    } else {
        repaired = repair(rest);
        &repaired
    };
    match Model::from_packed_bytes("fuzz", bytes) {
        Ok(model) => score_one(&model).is_some_and(|outcome| outcome.map_err(|e| has_words(&e)).is_ok()),
        Err(error) => {
            has_words(&error);
            false
        }
    }
}

/// One candidate on the packed model's own terms; `None` where it is too large to be worth it.
fn score_one(model: &Model) -> Option<Result<(), Error>> {
    let split = model.weights().packed()?.split().clone();
    let widths = [split.request_widths(model.widths()), split.candidate_widths(model.widths())];
    if widths.iter().map(Widths::input_dim).sum::<usize>() > 4096 {
        return None;
    }
    let values = vec![0.5; 4096];
    let columns = |widths: &Widths| Columns {
        continuous: Features::F32(&values[..widths.continuous]),
        binary: Binary::Numbers(&values[..widths.binary]),
        user_embedding: Features::F32(&values[..widths.user_embedding]),
        user_eng_embedding: Features::F32(&values[..widths.user_eng_embedding]),
        author_embedding: Features::F32(&values[..widths.author_embedding]),
    };
    let request = Request { candidates: 1, request: columns(&widths[0]), candidate: columns(&widths[1]) };
    let builder = Scorer::builder(model).backend(Backend::Cpu).cpu_kernel(CpuKernel::Portable).split(split);
    let scorer = match builder.threads(1).max_candidates(1).max_in_flight(1).build() {
        Ok(scorer) => scorer,
        Err(error) => return Some(Err(error)),
    };
    let (weights, mut scores) = (vec![1.0; model.tasks().len()], Scores::default());
    let scored = scorer.score(Batch { requests: &[request] }, &ScoreOptions::new(&weights), &mut scores);
    Some(scored.map(|()| assert_eq!(scores.scores.len(), 1, "one candidate")))
}

/// A training configuration; one that is accepted is laid out.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match ModelConfig::from_yaml(text, "fuzz") {
        Ok(config) => {
            if let Err(error) = Architecture::new(&config, WIDTHS) {
                has_words(&error);
            }
        }
        Err(error) => has_words(&error),
    }
}

/// Score weights in YAML or JSON.
pub fn score_weights(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match ScoreWeights::from_text(text, "fuzz") {
        Ok(weights) => {
            if let Ok(resolved) = weights.resolve(&tiny().tasks) {
                assert!(resolved.iter().all(|weight| weight.is_finite()), "{resolved:?}");
            }
        }
        Err(error) => has_words(&error),
    }
}

/// A segdense schema, and a layout by it.
pub fn schema(data: &[u8]) {
    match Schema::parse(data, Path::new("fuzz")) {
        Ok(schema) => {
            if let Err(error) = RecordLayout::new(&schema, &spec(), WIDTHS) {
                has_words(&error);
            }
        }
        Err(error) => has_words(&error),
    }
}

fn spec() -> LayoutSpec {
    let renames = [("continuous", "cont"), ("binary", "bin")];
    LayoutSpec {
        renames: renames.map(|(column, feature)| (column.into(), feature.into())).into(),
        ..LayoutSpec::default()
    }
}

/// Records. The first byte says how: bit 0, the rest is a file as it is, or the data of one record whose frame and sums
/// are right; bit 1, whether a missing feature is zero; bit 2, whether broken records are skipped.
pub fn records(data: &[u8]) {
    read_records(data);
}

/// As [`records`]; gives how many were good.
pub fn read_records(data: &[u8]) -> usize {
    static LAYOUT: OnceLock<RecordLayout> = OnceLock::new();
    let layout = LAYOUT.get_or_init(|| {
        let schema = Schema::parse(SCHEMA.as_bytes(), Path::new("tiny")).expect("a good schema");
        RecordLayout::new(&schema, &spec(), WIDTHS).expect("a good layout")
    });
    let Some((&mode, rest)) = data.split_first() else { return 0 };
    let bytes = if mode & 1 == 0 { rest.to_vec() } else { framed(rest) };
    let options = ReadOptions {
        missing: if mode & 2 == 0 { Missing::Refuse } else { Missing::FillZero },
        on_bad: if mode & 4 == 0 { OnBad::Stop } else { OnBad::Skip },
        max_record_bytes: 1 << 20,
    };
    let mut reader =
        match BlockReader::from_stream(Cursor::new(bytes), Path::new("fuzz"), layout.clone(), options) {
            Ok(reader) => reader,
            Err(error) => {
                has_words(&error);
                return 0;
            }
        };
    let mut block = RecordBlock::new(layout, 2).expect("two small rows");
    let mut good = 0;
    loop {
        match reader.read_into(&mut block) {
            Ok(true) => {
                let rows = block.len();
                good += rows;
                assert!((1..=2).contains(&rows), "{rows} records");
                assert_eq!(block.continuous().len(), rows * WIDTHS.continuous, "continuous");
                assert_eq!(block.binary().len(), rows * WIDTHS.binary, "binary");
                assert_eq!(block.request_offsets().last(), Some(&rows), "requests");
            }
            Ok(false) => return good,
            Err(error) => {
                has_words(&error);
                return good;
            }
        }
    }
}

/// Data as a TFRecord file of one record.
pub fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_sum(&length).to_le_bytes(), data, &masked_sum(data).to_le_bytes()].concat()
}

/// CRC-32C bit by bit, masked as TFRecord has it.
fn masked_sum(data: &[u8]) -> u32 {
    let sum = data.iter().fold(!0_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 })
    });
    (!sum).rotate_right(15).wrapping_add(0xA282_EAD8)
}
