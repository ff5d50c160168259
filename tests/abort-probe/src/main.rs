//! Builds a CUDA scorer, and says how that went: exit code 0 with the device, 3 with the reason why there is none.
//!
//! Compiled with `panic=abort` by `tests/cuda_probe.rs`; any panic on the way ends it by a signal.

use std::process::ExitCode;

use maskrank::config::Widths;
use maskrank::{Backend, Error, Model, ModelConfig, Scorer};

const CONFIG: &str = r"
model:
  backbone: {mlp_config: {layer_sizes: [8], final_layer_activation: true}}
  featurization_config: {double_norm_log_config: {clip_magnitude: 5.0}}
  multi_task_type: share_all
  tasks:
    recap.engagement.is_favorited: {mlp_config: {layer_sizes: [1]}}
";

fn main() -> ExitCode {
    assert!(std::env::args().nth(1).is_none(), "asked to panic");
    match build() {
        Ok(device) => {
            println!("{device}");
            ExitCode::SUCCESS
        }
        Err(error) if error.is_backend() => {
            println!("{error}");
            ExitCode::from(3)
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<String, Error> {
    let widths =
        Widths { continuous: 4, binary: 1, user_embedding: 0, user_eng_embedding: 0, author_embedding: 0 };
    let model = Model::seeded(ModelConfig::from_yaml(CONFIG, "probe")?, widths, 1)?;
    Ok(Scorer::builder(&model).backend(Backend::Cuda).build()?.device().name.clone())
}
