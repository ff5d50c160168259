//! A small model and files of records for it, scored by the binary.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::command::succeed;
pub use crate::common::command::text;

const CONFIG: &str = r"
model:
  backbone: {mlp_config: {layer_sizes: [16], final_layer_activation: true}}
  featurization_config:
    double_norm_log_config: {clip_magnitude: 5.0, layer_norm_config: {epsilon: 0.001}}
  multi_task_type: share_all
  tasks:
    recap.engagement.is_favorited: {mlp_config: {layer_sizes: [8, 1]}}
train_data:
  seg_dense_schema:
    renamed_features: {continuous: cont, binary: bin}
";
pub const SCHEMA: &str = r#"{"schema": [
    {"dtype": "float_list", "feature_name": "cont", "length": 12},
    {"dtype": "int64_list", "feature_name": "bin", "length": 3},
    {"dtype": "int64_list", "feature_name": "meta.user_id", "length": 1},
    {"dtype": "int64_list", "feature_name": "meta.author_id", "length": 1},
    {"dtype": "int64_list", "feature_name": "meta.tweet_id", "length": 1}]}"#;

/// What is beside an output before it is whole, and never after.
pub const REMAINS: [&str; 4] = [".partial", ".state", ".state.partial", ".table"];

pub struct World {
    folder: tempfile::TempDir,
    pub files: Vec<String>,
}

impl World {
    /// A model, and files of so many records: plain ones, a compressed one, one with a broken record, an empty one.
    pub fn new(records: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("train.yaml"), CONFIG).expect("written");
        std::fs::write(path("segdense.json"), SCHEMA).expect("written");
        let (model, train) = (path("model"), path("train.yaml"));
        succeed(&["random-weights", "--out", &model, "--config", &train, "--widths", "12,3", "--seed", "7"]);
        std::fs::copy(path("segdense.json"), path("model/segdense.json")).expect("copied");
        let files: Vec<String> = ["a.tfrecord", "b.tfrecord.gz", "c.tfrecord"].map(path).into();
        for (seed, file) in files.iter().enumerate() {
            let (count, seed, schema) = (records.to_string(), seed.to_string(), path("segdense.json"));
            succeed(&[
                "random-records",
                "--out",
                file,
                "--schema",
                &schema,
                "--records",
                &count,
                "--per-request",
                "9",
                "--seed",
                &seed,
            ]);
        }
        let mut broken = std::fs::read(&files[2]).expect("read");
        let at = broken.len() / 3;
        broken[at] ^= 4;
        std::fs::write(&files[2], broken).expect("written");
        std::fs::write(path("empty.tfrecord"), b"").expect("written");
        let mut files = files;
        files.insert(1, path("empty.tfrecord"));
        std::fs::write(path("weights.yaml"), "recap.engagement.is_favorited: 0.5\n").expect("written");
        Self { folder, files }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn score(&self, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maskrank"));
        command.arg("score").arg("--model").arg(self.path("model")).arg("--records").args(&self.files);
        command.arg("--weights").arg(self.path("weights.yaml")).arg("--out").arg(self.path(out));
        command.args(["--backend", "cpu", "--threads", "1", "--skip-bad"]).args(more);
        if !more.contains(&"--batch") {
            command.args(["--batch", "64"]);
        }
        command.stdout(Stdio::null());
        command
    }

    pub fn finish(&self, out: &str, more: &[&str]) -> Vec<u8> {
        let output = self.score(out, more).output().expect("the binary runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        for rest in REMAINS {
            assert!(!self.path(&format!("{out}{rest}")).exists(), "{rest} is left");
        }
        std::fs::read(self.path(out)).expect("written")
    }
}
