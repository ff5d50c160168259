//! Records that `maskrank-timeline records` writes, scored by `maskrank score` with what lies beside them, get the very
//! probabilities that the requests were ranked by: for clients of any kind, through both programs as a person runs them.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use maskrank::config::Widths;
use maskrank::{Model, ModelConfig};

/// Layers of a size that a test can afford, behind the released configuration's inputs: as text to replace.
const SMALLER: [(&str, &str); 4] = [
    ("aggregation_size: 1024", "aggregation_size: 24"),
    ("output_size: 1024", "output_size: 16"),
    ("layer_sizes: [2048]", "layer_sizes: [32]"),
    ("layer_sizes: [256, 128, 1]", "layer_sizes: [16, 8, 1]"),
];

/// A model's folder: the released configuration with smaller layers, seeded weights.
fn write_model(folder: &Path) {
    let mut text = include_str!("../../models/production/config.yaml").to_owned();
    for (released, smaller) in SMALLER {
        assert!(text.contains(released), "the configuration has {released}");
        text = text.replace(released, smaller);
    }
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("config.yaml"), &text).expect("writes");
    let config = ModelConfig::read(folder.join("config.yaml")).expect("is supported");
    let model = Model::seeded(config, Widths::PRODUCTION, 9).expect("seeded");
    model.weights().write(folder.join("model.safetensors")).expect("writes");
}

/// The library's own program, beside this crate's; built where only this crate was.
fn scorer() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_BIN_EXE_maskrank-timeline"));
    let scorer = own.with_file_name(format!("maskrank{}", std::env::consts::EXE_SUFFIX));
    if !scorer.exists() {
        let release: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--package", "maskrank", "--bin", "maskrank"])
            .args(release)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success() && scorer.exists(), "{} was built", scorer.display());
    }
    scorer
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Rows of a table by the ids of viewer, author and post, each value by its column's name, as text.
fn table(path: &Path) -> Vec<([String; 3], BTreeMap<String, String>)> {
    let text = std::fs::read_to_string(path).expect("reads");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().expect("a header");
    assert_eq!(names[..3], ["user_id", "author_id", "tweet_id"]);
    let row = |values: Vec<String>| {
        assert_eq!(values.len(), names.len());
        let ids = [0, 1, 2].map(|place| values[place].clone());
        (ids, names.iter().cloned().zip(values).skip(3).collect())
    };
    lines.map(row).collect()
}

#[test]
fn records_of_any_client_get_the_bits_of_their_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    write_model(&at("model"));
    let timeline = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maskrank-timeline"));
        command.env("MASKRANK_CACHE", folder.path().join("cache"));
        command
    };
    run(timeline()
        .args(["world", "generate", "--users", "200", "--posts", "3000", "--out"])
        .arg(at("world")));
    let phone: &[&str] =
        &["--platform", "ios", "--language", "de", "--country", "fr", "--context", "pull_to_refresh"];
    let mut different = Vec::new();
    for (name, client) in [("plain", &[][..]), ("phone", phone)] {
        let (records, scores, scored) =
            (at(&format!("{name}.gz")), at(&format!("{name}.own.csv")), at(&format!("{name}.csv")));
        let beside = |suffix: &str| format!("{}{suffix}", records.display());
        run(timeline()
            .args(["records", "--viewers", "3,5,8", "--backend", "cpu"])
            .arg("--world")
            .arg(at("world"))
            .arg("--model")
            .arg(at("model"))
            .arg("--out")
            .arg(&records)
            .arg("--scores")
            .arg(&scores)
            .args(client));
        run(Command::new(scorer())
            .args(["score", "--backend", "cpu", "--schema", &beside(".segdense.json")])
            .args(["--request-columns", &format!("@{}", beside(".request_columns"))])
            .arg("--model")
            .arg(at("model"))
            .arg("--records")
            .arg(&records)
            .arg("--out")
            .arg(&scored));
        let (own, theirs) = (table(&scores), table(&scored));
        assert_eq!(own.len(), theirs.len(), "{name}");
        assert!(own.len() > 300, "{name}: {} records", own.len());
        for ((ids, probabilities), (same_ids, values)) in own.iter().zip(&theirs) {
            assert_eq!(ids, same_ids, "{name}");
            assert_eq!(probabilities.len(), 10);
            for (task, own) in probabilities {
                // The shortest text that reads as this number: equal texts are equal bits.
                assert_eq!(values.get(task), Some(own), "{name} {ids:?} {task}");
            }
        }
        different.push(own);
    }
    assert_ne!(different[0], different[1], "what the client says reaches the model");
}
