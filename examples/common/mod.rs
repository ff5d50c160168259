//! A small model with seeded weights and features for it, so that the examples run anywhere.

use maskrank::config::Widths;
use maskrank::{Model, ModelConfig, Result};

const CONFIG: &str = r"
model:
  backbone:
    mask_net_config:
      mask_blocks:
        - {aggregation_size: 32, input_layer_norm: true, output_size: 16}
        - {aggregation_size: 32, input_layer_norm: true, output_size: 16}
      mlp: {layer_sizes: [32], final_layer_activation: true}
      use_parallel: true
  featurization_config:
    double_norm_log_config: {clip_magnitude: 5.0, layer_norm_config: {epsilon: 0.001}}
  multi_task_type: share_all
  tasks:
    recap.engagement.is_favorited: {mlp_config: {layer_sizes: [8, 1]}}
    recap.engagement.is_replied: {mlp_config: {layer_sizes: [8, 1]}}
";

/// What the model takes.
pub(crate) const WIDTHS: Widths =
    Widths { continuous: 24, binary: 4, user_embedding: 8, user_eng_embedding: 0, author_embedding: 8 };

/// In production: `Model::open("model")`.
pub(crate) fn model(seed: u64) -> Result<Model> {
    Model::seeded(ModelConfig::from_yaml(CONFIG, "example")?, WIDTHS, seed)
}

/// Values between −1 and 1 that differ.
pub(crate) fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
}

/// Zeros and ones.
pub(crate) fn flags(count: usize) -> Vec<u8> {
    (0..count).map(|i| u8::from(i % 3 == 0)).collect()
}
