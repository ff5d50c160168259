//! What a device must compute right before it scores anything: long loops, the plan's longest sum, and a whole model.
//! Expectations are made here, on the CPU, in f64 or integers, or come with the golden case.

use std::path::Path;
use std::sync::Arc;

use crate::config::{Case, ModelConfig};
use crate::plan::{Plan, Step};
use crate::weights::Weights;
use crate::{
    Backend, Batch, Binary, Columns, Error, Features, Model, Outputs, Precision, Request, Result, Scores,
    Split,
};

use super::super::{Call, Executor, Lane, Options, folding};
use super::device::Gpu;
use super::executor::WgpuExecutor;
use super::lane::WgpuLane;
use super::pack::{self, Source};
use super::params::{EPILOGUE_BIAS, GemmColumns, GemmParams, GemmTile, SelfTestParams};
use super::pipelines::{Kernel, Pipelines};
use super::single;
use super::variants::{PANEL_N, Storage};

fn failed(gpu: &Gpu, problem: String) -> Error {
    Error::SelfTest { backend: Backend::Wgpu, device: gpu.title.clone(), problem }
}

/// Iterations that one invocation counts: over 65,535, where a driver is known to stop.
const LOOPS: SelfTestParams = SelfTestParams { outer: 70, inner: 1024 };

/// Loops run to their end.
///
/// # Errors
/// [`Error::SelfTest`].
pub(crate) fn loops(gpu: &Gpu, pipelines: &Pipelines) -> Result<()> {
    let counts =
        single::run(gpu, pipelines, Kernel::SelfTest, bytemuck::bytes_of(&LOOPS), &[&[0; 8]], (1, 1))?;
    let expected = LOOPS.outer * LOOPS.inner;
    let found: Vec<u32> = words(&counts[0]);
    if found != [expected, expected] {
        let problem = format!("two loops of {expected} iterations: counted {} and {}", found[0], found[1]);
        return Err(failed(gpu, problem));
    }
    Ok(())
}

/// The longest K of a plan's matrix products, padding included.
pub(crate) fn longest_k(plan: &Plan) -> usize {
    let depths = plan.steps.iter().flat_map(|step| match step {
        Step::Gemm(groups) => groups.iter().map(|group| plan.padded(group.input)).collect(),
        _ => Vec::new(),
    });
    depths.max().unwrap_or(0)
}

/// Numbers in [−1, 1) that storage of every type holds exactly: multiples of 1/64.
fn number(index: usize) -> f64 {
    let mixed = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (mixed % 128) as f64 / 64.0 - 1.0
}

/// Sums of `depth` products with both tiles, against f64. Whether the tiles gave the same bits.
///
/// # Errors
/// [`Error::SelfTest`].
pub(crate) fn depth(gpu: &Gpu, pipelines: &Pipelines, depth: usize) -> Result<bool> {
    const ROWS: usize = 3;
    let (columns, variant) = (PANEL_N as usize, pipelines.variant);
    let (storage, widest) = (variant.storage, variant.tiles[1].block_n.max(PANEL_N) as usize / columns);
    let a_at = |row: usize, k: usize| number(row * depth + k);
    let w_at = |column: usize, k: usize| number((column + 1000) * depth + k + 7);
    let a = encode(storage, (0..ROWS * depth).map(|i| a_at(i / depth, i % depth)));
    let row = |out: usize, into: &mut [f64]| into.iter_mut().enumerate().for_each(|(k, v)| *v = w_at(out, k));
    let source = Source { depth, outputs: (0..columns).map(Some).collect(), row: &row };
    let mut weights = vec![0; widest * depth * columns * storage.size()];
    pack::pack(&source, 0, storage, &mut weights);
    let tile = GemmTile {
        weights: 0,
        depth: depth as u32,
        a_column: 0,
        d_column: 0,
        multiplier_column: 0,
        constants: 0,
        quads: PANEL_N / 4,
        unused: 0,
    };
    let quads = columns / 4;
    let constants = vec![GemmColumns { scale: [1.0; 4], bias: [0.0; 4], keep: [1.0; 4] }; quads];
    let params = GemmParams {
        num_rows: ROWS as u32,
        lda: (depth / 4) as u32,
        ldd: quads as u32,
        ld_multiplier: 0,
        epilogue: EPILOGUE_BIAS,
    };
    let mut results = Vec::new();
    for index in 0..2 {
        let kernel = Kernel::Gemm { tile: index, scratch: true };
        let d = vec![0; ROWS * columns * 4];
        let operands = [
            bytemuck::bytes_of(&tile),
            a.as_slice(),
            weights.as_slice(),
            bytemuck::cast_slice(&constants),
            a.as_slice(),
            d.as_slice(),
        ];
        let found = single::run(gpu, pipelines, kernel, bytemuck::bytes_of(&params), &operands, (1, 1))?;
        let found: Vec<u32> = words(&found[0]);
        for (i, &bits) in found.iter().enumerate() {
            let (row, column) = (i / columns, i % columns);
            let terms = (0..depth).map(|k| a_at(row, k) * w_at(column, k));
            let (expected, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
            // Each of K fused or separate steps rounds the running sum, at most twice.
            let bound = 2.0 * depth as f64 * f64::from(f32::EPSILON) / 2.0 * size;
            let found = f64::from(f32::from_bits(bits));
            let error = (found - expected).abs();
            // In accept form: a NaN is not inside.
            let is_inside = error <= bound;
            if !is_inside {
                let tile = variant.tiles[index];
                return Err(failed(
                    gpu,
                    format!(
                        "gemm of K = {depth} with tile {}x{}: row {row} column {column}: expected {expected}, found \
                         {found}, |err| {error:.1e} > bound {bound:.1e}",
                        tile.block_m, tile.block_n
                    ),
                ));
            }
        }
        results.push(found);
    }
    Ok(results[0] == results[1])
}

/// A golden case: 64 KiB that every build of this backend carries.
struct Golden {
    config: &'static str,
    case: &'static str,
    model: &'static [u8],
    inputs: &'static [u8],
    expected: &'static [u8],
}

const GOLDEN: Golden = Golden {
    config: include_str!("../../../tests/golden/tiny-parallel/config.yaml"),
    case: include_str!("../../../tests/golden/tiny-parallel/case.json"),
    model: include_bytes!("../../../tests/golden/tiny-parallel/model.safetensors"),
    inputs: include_bytes!("../../../tests/golden/tiny-parallel/inputs.safetensors"),
    expected: include_bytes!("../../../tests/golden/tiny-parallel/expected.safetensors"),
};

/// A whole model, from raw features to logits, with both tiles.
///
/// # Errors
/// [`Error::SelfTest`].
pub(crate) fn golden(gpu: &Arc<Gpu>, pipelines: &Arc<Pipelines>) -> Result<()> {
    let path = Path::new("golden case tiny-parallel");
    let config = ModelConfig::from_yaml(GOLDEN.config, path)?;
    let case = Case::from_json(GOLDEN.case, path)?;
    let weights = Weights::from_bytes(path, GOLDEN.model.to_vec())?;
    let inputs = Weights::from_bytes(path, GOLDEN.inputs.to_vec())?;
    let expected = Weights::from_bytes(path, GOLDEN.expected.to_vec())?.get("logits").to_vec();
    let model = Model::new(config, case.widths, weights)?;
    let plan = Plan::build(
        model.config(),
        model.widths(),
        model.weights(),
        super::ALIGN,
        folding(pipelines.variant.precision),
    );
    let tasks = model.tasks().len();
    let rows = expected.len() / tasks;
    let input = |name: &str| -> Vec<f32> {
        inputs.find(name).map_or(Vec::new(), |tensor| tensor.to_vec().iter().map(|&v| v as f32).collect())
    };
    let [continuous, binary, user, user_eng, author] =
        ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"].map(input);
    let precision = pipelines.variant.precision;
    for tiles_agree in [true, false] {
        let options = Options {
            precision,
            max_candidates: rows,
            split: Split::default(),
            threads: 0,
            cpu_kernel: None,
            adapter: None,
            planted_fault: false,
        };
        let executor = Arc::new(WgpuExecutor::build(gpu, pipelines, &plan, &options, tiles_agree)?);
        let mut lane = WgpuLane::new(Arc::clone(&executor))?;
        let request = Request {
            candidates: rows,
            request: Columns::default(),
            candidate: Columns {
                continuous: Features::F32(&continuous),
                binary: Binary::Numbers(&binary),
                user_embedding: Features::F32(&user),
                user_eng_embedding: Features::F32(&user_eng),
                author_embedding: Features::F32(&author),
            },
        };
        let mut scores = Scores::default();
        let call = Call {
            batch: Batch { requests: &[request] },
            weights: &vec![1.0; tasks],
            calibrated: true,
            outputs: Outputs { logits: true, ..Outputs::default() },
        };
        lane.score(&call, &mut scores)?;
        for (i, (&found, &expected)) in scores.logits.iter().zip(&expected).enumerate() {
            let bound = golden_bound(precision, expected);
            let error = (f64::from(found) - expected).abs();
            // In accept form: a NaN is not inside.
            let is_inside = error <= bound;
            if !is_inside {
                let (row, task) = (i / tasks, i % tasks);
                return Err(failed(
                    gpu,
                    format!(
                        "golden case tiny-parallel, {}: row {row} task {task}: expected logit {expected}, found \
                         {found}, |err| {error:.1e} > bound {bound:.1e}",
                        executor.device().kernel
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// f32's bound, and for 16-bit storage a few dozen roundings of numbers about as large as the logit: enough to tell
/// a driver that is wrong from one that rounds.
fn golden_bound(precision: Precision, logit: f64) -> f64 {
    let rounding = match precision {
        Precision::F16 => 2f64.powi(-11),
        Precision::Bf16 => 2f64.powi(-8),
        Precision::F32 | Precision::Tf32 => 0.0,
    };
    3e-5 + 1e-5 * logit.abs() + 32.0 * rounding * (1.0 + logit.abs())
}

/// Little-endian words.
pub(crate) fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
}

/// Values in storage type.
pub(crate) fn encode(storage: Storage, values: impl Iterator<Item = f64>) -> Vec<u8> {
    let size = storage.size();
    let mut bytes = Vec::new();
    for value in values {
        let at = bytes.len();
        bytes.resize(at + size, 0);
        pack::write(storage, value, &mut bytes[at..]);
    }
    bytes
}
