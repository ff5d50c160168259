//! What several test crates share: each includes this folder with `mod common`, and uses a part of it.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part, and has no one to export to")]

pub mod allocator;
#[cfg(feature = "cli")]
pub mod command;
#[cfg(all(feature = "cuda", target_os = "linux"))]
pub mod interpreter;
pub mod random;

/// A small model of every kind of step: two mask blocks of unlike kinds, a trunk, two towers, batch norms.
pub const SMALL_MODEL: &str = r"
model:
  backbone:
    mask_net_config:
      mask_blocks:
        - {aggregation_size: 24, input_layer_norm: true, output_size: 16}
        - {reduction_factor: 0.5, input_layer_norm: false, output_size: 17}
      mlp: {layer_sizes: [32], final_layer_activation: true}
      use_parallel: true
  featurization_config:
    double_norm_log_config:
      batch_norm_config: {affine: true}
      clip_magnitude: 5.0
      layer_norm_config: {epsilon: 0.0}
  multi_task_type: share_all
  tasks:
    recap.engagement.is_favorited: {mlp_config: {layer_sizes: [8, 1], batch_norm: {affine: false}}}
    recap.engagement.is_replied: {mlp_config: {layer_sizes: [8, 1]}}
";
