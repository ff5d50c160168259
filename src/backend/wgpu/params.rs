//! Twins of the shaders' structs, field by field; a test compares them with what naga reads in the shaders.

use bytemuck::{Pod, Zeroable};

/// `Params` of `featurize.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct FeaturizeParams {
    pub(crate) num_rows: u32,
    pub(crate) ldx: u32,
    pub(crate) quads: u32,
    pub(crate) num_continuous: u32,
    pub(crate) min_value: f32,
    pub(crate) max_value: f32,
    pub(crate) unused_0: u32,
    pub(crate) unused_1: u32,
    pub(crate) part_end: [u32; 4],
    pub(crate) part_norm: [u32; 4],
    pub(crate) part_epsilon: [f32; 4],
    pub(crate) candidate_widths: [u32; 4],
    pub(crate) request_widths: [u32; 4],
}

/// `Column` of `featurize.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct FeaturizeColumn {
    pub(crate) origin: u32,
    pub(crate) log_scale: f32,
    pub(crate) log_shift: f32,
    pub(crate) norm_scale: f32,
    pub(crate) norm_shift: f32,
}

/// Added to [`FeaturizeColumn::origin`] where a column is given once a request.
pub(crate) const ORIGIN_REQUEST: u32 = 0x8000_0000;

/// `Params` of `gemm.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct GemmParams {
    pub(crate) num_rows: u32,
    pub(crate) lda: u32,
    pub(crate) ldd: u32,
    pub(crate) ld_multiplier: u32,
    pub(crate) epilogue: u32,
}

/// `GemmParams::epilogue`: only the bias.
pub const EPILOGUE_BIAS: u32 = 0;
/// `GemmParams::epilogue`: bias, then ReLU.
pub const EPILOGUE_RELU: u32 = 1;
/// `GemmParams::epilogue`: bias, then the product with the multiplier.
pub const EPILOGUE_MULTIPLY: u32 = 2;

/// `Tile` of `gemm.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct GemmTile {
    pub(crate) weights: u32,
    pub(crate) depth: u32,
    pub(crate) a_column: u32,
    pub(crate) d_column: u32,
    pub(crate) multiplier_column: u32,
    pub(crate) constants: u32,
    pub(crate) quads: u32,
    pub(crate) unused: u32,
}

/// `Columns` of `gemm.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct GemmColumns {
    pub(crate) scale: [f32; 4],
    pub(crate) bias: [f32; 4],
    pub(crate) keep: [f32; 4],
}

/// `Params` of `layer_norm.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct LayerNormParams {
    pub(crate) num_rows: u32,
    pub(crate) ld_input: u32,
    pub(crate) ld_output: u32,
}

/// `Group` of `layer_norm.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct LayerNormGroup {
    pub(crate) input_column: u32,
    pub(crate) output_column: u32,
    pub(crate) quads: u32,
    pub(crate) constants: u32,
    pub(crate) width: f32,
    pub(crate) epsilon: f32,
    pub(crate) normalise: u32,
    pub(crate) unused: u32,
}

/// `Columns` of `layer_norm.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct LayerNormColumns {
    pub(crate) gamma: [f32; 4],
    pub(crate) beta: [f32; 4],
    pub(crate) keep: [f32; 4],
}

/// `Params` of `head.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct HeadParams {
    pub(crate) num_rows: u32,
    pub(crate) ld_input: u32,
    pub(crate) first_task: u32,
    pub(crate) last_task: u32,
    pub(crate) num_tasks: u32,
    pub(crate) capacity: u32,
    pub(crate) calibrated: u32,
    pub(crate) finish: u32,
}

/// `Task` of `head.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct HeadTask {
    pub(crate) input_column: u32,
    pub(crate) weights: u32,
    pub(crate) quads: u32,
    pub(crate) relu: u32,
    pub(crate) bias: f32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) ln_ratio: f32,
    pub(crate) index: u32,
}

/// `Params` of `self_test.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct SelfTestParams {
    pub(crate) outer: u32,
    pub(crate) inner: u32,
}
