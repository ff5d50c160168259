//! Kernels alone.

use crate::Result;

use super::super::pack::{self, Source};
use super::super::params::{
    FeaturizeColumn, FeaturizeParams, GemmColumns, GemmParams, GemmTile, HeadParams, HeadTask,
    LayerNormColumns, LayerNormGroup, LayerNormParams,
};
use super::super::pipelines::Kernel;
use super::super::self_test::{encode, words};
use super::super::variants::{PANEL_N, Storage};
use super::super::{ALIGN, single, upload};
use super::TestDevice;
use super::surrounded::{CANARY, MARGIN, Surrounded, decode};

/// Operands of [`TestDevice::gemm`].
pub struct GemmCase<'a> {
    /// `EPILOGUE_BIAS`, `EPILOGUE_RELU` or `EPILOGUE_MULTIPLY`.
    pub epilogue: u32,
    /// Candidates.
    pub rows: usize,
    /// Groups, each (columns, K).
    pub groups: &'a [(usize, usize)],
    /// For each group (rows, K), (columns, K), (columns), (rows, columns) and (columns): A, W, bias, the multiplier
    /// and the scale.
    pub operands: &'a [[Vec<f64>; 5]],
    /// Whether D is the f32 scratch matrix.
    pub scratch: bool,
}

impl TestDevice {
    /// One grouped matrix product with one of the variant's tiles. For each group (rows, columns).
    ///
    /// # Errors
    /// A device error, or canaries and padding that were written wrongly.
    pub fn gemm(&self, case: &GemmCase<'_>, tile: usize) -> Result<Vec<Vec<f64>>> {
        let (variant, storage) = (self.ready.pipelines.variant, self.storage());
        let (panel, block) = (PANEL_N as usize, variant.tiles[tile].block_n as usize);
        let align = ALIGN;
        let depths: Vec<usize> = case.groups.iter().map(|(_, k)| k.next_multiple_of(align)).collect();
        let padded: Vec<usize> = case.groups.iter().map(|(n, _)| n.next_multiple_of(align)).collect();
        let mut table = Vec::new();
        let (mut weights, mut constants) = (Vec::new(), Vec::new());
        let (mut a_at, mut d_at) = (MARGIN, MARGIN);
        for (((&(columns, k), operands), &depth), &padded) in
            case.groups.iter().zip(case.operands).zip(&depths).zip(&padded)
        {
            let row = |out: usize, into: &mut [f64]| {
                into.fill(0.0);
                into[..k].copy_from_slice(&operands[1][out * k..(out + 1) * k]);
            };
            let outputs = (0..padded).map(|c| (c < columns).then_some(c)).collect();
            let count = padded.next_multiple_of(block.max(panel)) / panel;
            let mut packed = vec![0; count * panel * depth * storage.size()];
            pack::pack(&Source { depth, outputs, row: &row }, 0, storage, &mut packed);
            for first in (0..padded).step_by(block) {
                table.push(GemmTile {
                    weights: ((weights.len() / storage.quad()) + first / panel * depth * panel / 4) as u32,
                    depth: depth as u32,
                    a_column: a_at as u32,
                    d_column: (d_at + first / 4) as u32,
                    multiplier_column: (d_at + first / 4) as u32,
                    constants: (constants.len() + first / 4) as u32,
                    quads: ((padded - first).min(block) / 4) as u32,
                    unused: 0,
                });
            }
            weights.extend(packed);
            for quad in 0..count * panel / 4 {
                let at = |i: usize| (4 * quad + i < columns).then_some(4 * quad + i);
                constants.push(GemmColumns {
                    scale: std::array::from_fn(|i| at(i).map_or(1.0, |c| operands[4][c] as f32)),
                    bias: std::array::from_fn(|i| at(i).map_or(0.0, |c| operands[2][c] as f32)),
                    keep: std::array::from_fn(|i| if at(i).is_some() { 1.0 } else { 0.0 }),
                });
            }
            a_at += depth / 4 + MARGIN;
            d_at += padded / 4 + MARGIN;
        }
        let a = Surrounded { rows: case.rows, quads: a_at, first: MARGIN, fill: f64::NAN };
        let d = Surrounded { rows: case.rows, quads: d_at, first: MARGIN, fill: f64::from(CANARY) };
        let widths = |which: usize| case.groups.iter().map(move |&(n, k)| if which == 0 { k } else { n });
        let parts = |which: usize| {
            let operands = case.operands.iter().map(move |operands| operands[which].as_slice());
            operands.zip(widths(which)).zip(if which == 0 { &depths } else { &padded })
        };
        // A's padding is zeros, as plans have it. The multiplier's is nobody's business.
        let a_bytes = encode(storage, a.fill(0.0, parts(0)).into_iter());
        let multiplier =
            encode(storage, Surrounded { fill: f64::NAN, ..d }.fill(f64::NAN, parts(3)).into_iter());
        let d_storage = if case.scratch { Storage::F32 } else { storage };
        let d_bytes = encode(d_storage, std::iter::repeat_n(d.fill, d.len()));
        let params = GemmParams {
            num_rows: case.rows as u32,
            lda: a_at as u32,
            ldd: d_at as u32,
            ld_multiplier: d_at as u32,
            epilogue: case.epilogue,
        };
        let operands = [
            bytemuck::cast_slice(&table),
            a_bytes.as_slice(),
            weights.as_slice(),
            bytemuck::cast_slice(&constants),
            multiplier.as_slice(),
            d_bytes.as_slice(),
        ];
        let grid = (table.len() as u32, (case.rows as u32).div_ceil(variant.tiles[tile].block_m).max(1));
        let kernel = Kernel::Gemm { tile, scratch: case.scratch };
        let (gpu, pipelines) = (&self.ready.gpu, &self.ready.pipelines);
        let found = single::run(gpu, pipelines, kernel, bytemuck::bytes_of(&params), &operands, grid)?;
        let widths: Vec<(usize, usize)> =
            case.groups.iter().map(|g| g.0).zip(padded.iter().copied()).collect();
        d.read(&decode(d_storage, &found[0]), &widths)
    }

    /// Layer norms of groups (width, epsilon) over rows (rows, width), with γ and β (width).
    ///
    /// # Errors
    /// A device error, or canaries and padding that were written wrongly.
    pub fn layer_norm(
        &self,
        rows: usize,
        groups: &[(usize, f64)],
        operands: &[[Vec<f64>; 3]],
        scratch: bool,
    ) -> Result<Vec<Vec<f64>>> {
        let in_storage = if scratch { Storage::F32 } else { self.storage() };
        let padded: Vec<usize> = groups.iter().map(|g| g.0.next_multiple_of(ALIGN)).collect();
        let (mut table, mut constants, mut at) = (Vec::new(), Vec::new(), MARGIN);
        for ((&(width, epsilon), operands), &padded) in groups.iter().zip(operands).zip(&padded) {
            table.push(LayerNormGroup {
                input_column: at as u32,
                output_column: at as u32,
                quads: (padded / 4) as u32,
                constants: constants.len() as u32,
                width: width as f32,
                epsilon: epsilon as f32,
                normalise: 1,
                unused: 0,
            });
            for quad in 0..padded / 4 {
                let pick = |values: &[f64], or: f32| -> [f32; 4] {
                    std::array::from_fn(|i| values.get(4 * quad + i).map_or(or, |&v| v as f32))
                };
                constants.push(LayerNormColumns {
                    gamma: pick(&operands[1], 1.0),
                    beta: pick(&operands[2], 0.0),
                    keep: pick(&vec![1.0; width], 0.0),
                });
            }
            at += padded / 4 + MARGIN;
        }
        let input = Surrounded { rows, quads: at, first: MARGIN, fill: f64::NAN };
        let output = Surrounded { rows, quads: at, first: MARGIN, fill: f64::from(CANARY) };
        let parts = operands.iter().map(|o| o[0].as_slice()).zip(groups.iter().map(|g| g.0)).zip(&padded);
        let input = encode(in_storage, input.fill(0.0, parts).into_iter());
        let d = encode(self.storage(), std::iter::repeat_n(output.fill, output.len()));
        let params = LayerNormParams { num_rows: rows as u32, ld_input: at as u32, ld_output: at as u32 };
        let operands =
            [bytemuck::cast_slice(&table), input.as_slice(), bytemuck::cast_slice(&constants), d.as_slice()];
        let found = single::run(
            &self.ready.gpu,
            &self.ready.pipelines,
            Kernel::LayerNorm { scratch },
            bytemuck::bytes_of(&params),
            &operands,
            (rows as u32, groups.len() as u32),
        )?;
        let widths: Vec<(usize, usize)> = groups.iter().map(|g| g.0).zip(padded.iter().copied()).collect();
        output.read(&decode(self.storage(), &found[0]), &widths)
    }

    /// `sign(v) · log(1 + |v|)` as featurize makes it: rows of `width` continuous features and nothing else.
    ///
    /// # Errors
    /// A device error, or canaries that were overwritten.
    pub fn log_1p(&self, width: usize, values: &[f32]) -> Result<Vec<f64>> {
        let rows = values.len() / width;
        let padded = width.next_multiple_of(ALIGN);
        let x = Surrounded { rows, quads: padded / 4 + MARGIN, first: 0, fill: f64::from(CANARY) };
        let params = FeaturizeParams {
            num_rows: rows as u32,
            ldx: x.quads as u32,
            quads: (padded / 4) as u32,
            num_continuous: width as u32,
            min_value: -1000.0,
            max_value: 1000.0,
            unused_0: 0,
            unused_1: 0,
            part_end: [width as u32; 4],
            part_norm: [0; 4],
            part_epsilon: [0.0; 4],
            candidate_widths: [width as u32, 0, 0, 0],
            request_widths: [0; 4],
        };
        let columns: Vec<FeaturizeColumn> = (0..width as u32)
            .map(|origin| FeaturizeColumn {
                origin,
                log_scale: 1.0,
                log_shift: 0.0,
                norm_scale: 1.0,
                norm_shift: 0.0,
            })
            .collect();
        let table = vec![0u32; rows + upload::REQUEST_WORDS];
        let d = encode(self.storage(), std::iter::repeat_n(x.fill, x.len()));
        let status = vec![0; 4 * rows];
        let operands = [
            bytemuck::cast_slice(values),
            bytemuck::cast_slice(&table),
            bytemuck::cast_slice(&columns),
            d.as_slice(),
            status.as_slice(),
        ];
        let found = single::run(
            &self.ready.gpu,
            &self.ready.pipelines,
            Kernel::Featurize,
            bytemuck::bytes_of(&params),
            &operands,
            (rows as u32, 1),
        )?;
        x.read(&decode(self.storage(), &found[0]), &[(width, padded)]).map(|mut groups| groups.remove(0))
    }

    /// Probabilities and calibrated ones of logits, by the head, one task.
    ///
    /// # Errors
    /// A device error.
    pub fn sigmoid(&self, logits: &[f32], ln_ratio: f32) -> Result<Vec<[f32; 2]>> {
        let rows = logits.len();
        let params = HeadParams {
            num_rows: rows as u32,
            ld_input: 1,
            first_task: 0,
            last_task: 1,
            num_tasks: 1,
            capacity: rows as u32,
            calibrated: 1,
            finish: 1,
        };
        let task = HeadTask {
            input_column: 0,
            weights: 0,
            quads: 1,
            relu: 0,
            bias: 0.0,
            scale: 1.0,
            shift: 0.0,
            ln_ratio,
            index: 0,
        };
        // A logit is a sum of products of stored values: as four parts, exact in every storage type.
        let mut input = Vec::new();
        for &logit in logits {
            let mut rest = f64::from(logit);
            for _ in 0..4 {
                let part = self.rounded(rest);
                input.push(part);
                rest -= part;
            }
        }
        let input = encode(self.storage(), input.into_iter());
        let (status, outputs) = (vec![0; 4 * rows], vec![0; 4 * 5 * rows]);
        let operands = [
            bytemuck::bytes_of(&task),
            input.as_slice(),
            bytemuck::bytes_of(&[1f32; 4]),
            bytemuck::bytes_of(&[1f32]),
            status.as_slice(),
            outputs.as_slice(),
        ];
        let found = single::run(
            &self.ready.gpu,
            &self.ready.pipelines,
            Kernel::Head,
            bytemuck::bytes_of(&params),
            &operands,
            (rows as u32, 1),
        )?;
        let words = words(&found[0]);
        Ok((0..rows).map(|r| [words[3 * rows + r], words[4 * rows + r]].map(f32::from_bits)).collect())
    }
}
