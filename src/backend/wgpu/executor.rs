//! A plan on a device: weights packed and uploaded, pipelines compiled, constants in place.

use std::sync::Arc;

use wgpu::{Buffer, BufferUsages};

use crate::batch::Split;
use crate::config::Widths;
use crate::plan::{Featurize, Plan, Step};
use crate::{Backend, Device, Result};

use super::super::{Executor, Lane, Options, StepClock};
use super::device::Gpu;
use super::lane::WgpuLane;
use super::pack::{self, Panels};
use super::params::{FeaturizeParams, GemmParams, HeadParams, LayerNormParams};
use super::pipelines::{Kernel, Pipelines};
use super::schedule::{Dispatch, Limits, Matrix, Schedule, Work};
use super::upload::SplitWidths;

/// A dispatch's tables on the device.
pub(crate) enum Constants {
    Featurize { columns: Buffer },
    Gemm { tables: [Buffer; 2], columns: Buffer, weights: Buffer },
    LayerNorm { groups: Buffer, columns: Buffer },
    Head,
}

/// What lanes share.
pub(crate) struct WgpuExecutor {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) pipelines: Arc<Pipelines>,
    pub(crate) schedule: Schedule,
    /// For each dispatch of the schedule.
    pub(crate) constants: Vec<Constants>,
    pub(crate) head_tasks: Buffer,
    pub(crate) head_weights: Buffer,
    /// Columns of each of the plan's buffers.
    pub(crate) buffer_columns: Vec<usize>,
    pub(crate) num_tasks: usize,
    pub(crate) widths: SplitWidths,
    /// Rows of a chunk: a batch with more takes several.
    pub(crate) chunk_rows: usize,
    featurize: FeaturizeParams,
    /// Whether both tiles were seen to give the same bits, so that the number of rows may choose.
    tiles_agree: bool,
    device: Device,
    /// Of the plan's steps, where the device has timestamps.
    pub(crate) clock: Option<Arc<StepClock>>,
}

/// Rows up to which the narrow tile is taken.
const FEW_ROWS: usize = 32;

impl WgpuExecutor {
    /// Packs and uploads a plan's weights.
    ///
    /// # Errors
    /// A plan that this backend cannot lay out, or a device without memory for it.
    pub(crate) fn build(
        gpu: &Arc<Gpu>,
        pipelines: &Arc<Pipelines>,
        plan: &Plan,
        options: &Options,
        tiles_agree: bool,
    ) -> Result<Self> {
        let limits = Limits {
            binding: gpu.max_binding(),
            workgroups: gpu.limits.max_compute_workgroups_per_dimension as usize,
        };
        let variant = pipelines.variant;
        let schedule = Schedule::build(plan, &variant, &options.split, limits)?;
        let chunk_rows = schedule.chunk_rows(plan, &variant, limits, options.max_candidates)?;
        let mut scratch = Vec::new();
        let constants = schedule
            .dispatches
            .iter()
            .map(|dispatch| upload_constants(gpu, pipelines, plan, dispatch, &mut scratch))
            .collect::<Result<_>>()?;
        let device = Device { backend: Backend::Wgpu, name: gpu.title.clone(), kernel: variant.name() };
        let has_timestamps = gpu.features.contains(wgpu::Features::TIMESTAMP_QUERY);
        Ok(Self {
            clock: has_timestamps.then(|| Arc::new(StepClock::of_device(plan))),
            head_tasks: gpu.upload(
                "head tasks",
                bytemuck::cast_slice(&schedule.tasks),
                BufferUsages::STORAGE,
            )?,
            head_weights: gpu.upload(
                "head weights",
                bytemuck::cast_slice(&schedule.head_weights),
                BufferUsages::STORAGE,
            )?,
            buffer_columns: plan.buffers.iter().map(crate::plan::Buffer::columns).collect(),
            num_tasks: plan.head().tasks.len(),
            widths: SplitWidths {
                candidate: options.split.candidate_widths(plan.widths),
                request: options.split.request_widths(plan.widths),
            },
            featurize: featurize_params(plan, plan.featurize(), &options.split),
            tiles_agree,
            chunk_rows,
            schedule,
            constants,
            gpu: Arc::clone(gpu),
            pipelines: Arc::clone(pipelines),
            device,
        })
    }

    /// The same, knowing whether both tiles give the same bits.
    pub(crate) fn with_tiles(self, tiles_agree: bool) -> Self {
        Self { tiles_agree, ..self }
    }

    /// Which of the variant's tiles a chunk of `rows` takes.
    pub(crate) fn tile(&self, rows: usize) -> usize {
        usize::from(rows > FEW_ROWS || !self.tiles_agree)
    }

    /// The kernel of a dispatch, with one of the variant's tiles.
    pub(crate) fn kernel(work: &Work, tile: usize) -> Kernel {
        match work {
            Work::Featurize { .. } => Kernel::Featurize,
            Work::Gemm { d, .. } => Kernel::Gemm { tile, scratch: *d == Matrix::Scratch },
            Work::LayerNorm { input, .. } => Kernel::LayerNorm { scratch: *input == Matrix::Scratch },
            Work::Head { .. } => Kernel::Head,
        }
    }

    /// Workgroups of a dispatch over `rows` candidates.
    pub(crate) fn grid(&self, work: &Work, rows: usize) -> (u32, u32) {
        let rows = rows as u32;
        match work {
            Work::Featurize { .. } | Work::Head { .. } => (rows, 1),
            Work::LayerNorm { groups, .. } => (rows, groups.len() as u32),
            Work::Gemm { tables, .. } => {
                let tile = self.tile(rows as usize);
                (tables[tile].len() as u32, rows.div_ceil(self.pipelines.variant.tiles[tile].block_m))
            }
        }
    }

    fn leading(&self, matrix: Matrix) -> u32 {
        let columns = match matrix {
            Matrix::Buffer(buffer) => self.buffer_columns[buffer],
            Matrix::Scratch => self.schedule.scratch_columns,
        };
        (columns / 4) as u32
    }

    /// Writes a dispatch's `Params` for a chunk of `rows` candidates.
    pub(crate) fn params(&self, work: &Work, rows: usize, calibrated: bool, into: &mut [u8]) {
        let num_rows = rows as u32;
        let mut write = |bytes: &[u8]| into[..bytes.len()].copy_from_slice(bytes);
        match work {
            Work::Featurize { output, .. } => write(bytemuck::bytes_of(&FeaturizeParams {
                num_rows,
                ldx: self.leading(Matrix::Buffer(*output)),
                ..self.featurize
            })),
            Work::Gemm { a, multiplier, d, epilogue, .. } => write(bytemuck::bytes_of(&GemmParams {
                num_rows,
                lda: self.leading(Matrix::Buffer(*a)),
                ldd: self.leading(*d),
                ld_multiplier: self.leading(Matrix::Buffer(multiplier.unwrap_or(*a))),
                epilogue: *epilogue,
            })),
            Work::LayerNorm { input, output, .. } => write(bytemuck::bytes_of(&LayerNormParams {
                num_rows,
                ld_input: self.leading(*input),
                ld_output: self.leading(Matrix::Buffer(*output)),
            })),
            Work::Head { input, first_task, last_task } => write(bytemuck::bytes_of(&HeadParams {
                num_rows,
                ld_input: self.leading(Matrix::Buffer(*input)),
                first_task: *first_task as u32,
                last_task: *last_task as u32,
                num_tasks: self.num_tasks as u32,
                capacity: self.chunk_rows as u32,
                calibrated: u32::from(calibrated),
                finish: u32::from(*last_task == self.num_tasks),
            })),
        }
    }
}

impl Executor for WgpuExecutor {
    fn device(&self) -> &Device {
        &self.device
    }

    fn clock(&self) -> Option<Arc<StepClock>> {
        self.clock.clone()
    }

    fn lane(self: Arc<Self>) -> Result<Box<dyn Lane>> {
        Ok(Box::new(WgpuLane::new(self)?))
    }

    fn weight_bytes(&self) -> usize {
        let of = |constants: &Constants| match constants {
            Constants::Featurize { columns } => columns.size(),
            Constants::Gemm { tables: [a, b], columns, weights } => {
                a.size() + b.size() + columns.size() + weights.size()
            }
            Constants::LayerNorm { groups, columns } => groups.size() + columns.size(),
            Constants::Head => self.head_tasks.size() + self.head_weights.size(),
        };
        self.constants.iter().map(of).sum::<u64>() as usize
    }
}

fn featurize_params(plan: &Plan, featurize: &Featurize, split: &Split) -> FeaturizeParams {
    let dense = plan.widths.dense();
    let [user, user_eng, author] = plan.widths.embeddings();
    let norms =
        [&featurize.layer_norm, &featurize.embeddings[0], &featurize.embeddings[1], &featurize.embeddings[2]];
    let pair = |widths: Widths| [widths.continuous as u32, widths.binary as u32, 0, 0];
    FeaturizeParams {
        num_rows: 0,
        ldx: 0,
        quads: (plan.padded(featurize.output) / 4) as u32,
        num_continuous: plan.widths.continuous as u32,
        min_value: featurize.min_value as f32,
        max_value: featurize.max_value as f32,
        unused_0: 0,
        unused_1: 0,
        part_end: [dense, dense + user, dense + user + user_eng, dense + user + user_eng + author]
            .map(|c| c as u32),
        part_norm: norms.map(|norm| u32::from(norm.is_some())),
        part_epsilon: norms.map(|norm| norm.as_ref().map_or(0.0, |norm| norm.epsilon as f32)),
        candidate_widths: pair(split.candidate_widths(plan.widths)),
        request_widths: pair(split.request_widths(plan.widths)),
    }
}

fn upload_constants(
    gpu: &Gpu,
    pipelines: &Pipelines,
    plan: &Plan,
    dispatch: &Dispatch,
    scratch: &mut Vec<u8>,
) -> Result<Constants> {
    let upload = |what: &str, bytes: &[u8]| {
        gpu.upload(&format!("{}: {what}", dispatch.label), bytes, BufferUsages::STORAGE)
    };
    Ok(match &dispatch.work {
        Work::Featurize { columns, .. } => {
            Constants::Featurize { columns: upload("columns", bytemuck::cast_slice(columns))? }
        }
        Work::Gemm { tables, columns, panels, .. } => Constants::Gemm {
            tables: [
                upload("tiles", bytemuck::cast_slice(&tables[0]))?,
                upload("tiles", bytemuck::cast_slice(&tables[1]))?,
            ],
            columns: upload("columns", bytemuck::cast_slice(columns))?,
            weights: upload_weights(gpu, pipelines, plan, &dispatch.label, panels, scratch)?,
        },
        Work::LayerNorm { groups, columns, .. } => Constants::LayerNorm {
            groups: upload("groups", bytemuck::cast_slice(groups))?,
            columns: upload("columns", bytemuck::cast_slice(columns))?,
        },
        Work::Head { .. } => Constants::Head,
    })
}

/// Packs a dispatch's panels in ordinary memory, in parallel, and hands them over in one piece: mapped memory may be
/// slow to write in small strides.
fn upload_weights(
    gpu: &Gpu,
    pipelines: &Pipelines,
    plan: &Plan,
    label: &str,
    panels: &[Panels],
    scratch: &mut Vec<u8>,
) -> Result<Buffer> {
    let storage = pipelines.variant.storage;
    let group = |panels: &Panels| match &plan.steps[panels.step] {
        Step::Gemm(groups) => &groups[panels.group],
        _ => unreachable!("panels are cut from gemm steps"),
    };
    let bytes = |panels: &Panels| {
        panels.count * plan.padded(group(panels).input) * super::variants::PANEL_N as usize * storage.size()
    };
    scratch.resize(panels.iter().map(bytes).sum(), 0);
    let mut rest = scratch.as_mut_slice();
    for panels in panels {
        let group = group(panels);
        let (piece, tail) = rest.split_at_mut(bytes(panels));
        pack::pack_group(plan, group, panels, storage, piece);
        rest = tail;
    }
    gpu.upload(&format!("{label}: weights"), scratch, BufferUsages::STORAGE)
}
