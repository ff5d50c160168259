//! A lane's buffers and bind groups, all made at once.

use std::sync::Arc;
use std::time::Duration;

use wgpu::{BindingResource, Buffer, BufferBinding, BufferDescriptor, BufferUsages};

use crate::Result;

use super::super::executor::{Constants, WgpuExecutor};
use super::super::mapping::Mapping;
use super::super::params::FeaturizeParams;
use super::super::schedule::{Matrix, Work};
use super::super::upload::REQUEST_WORDS;
use super::{Layout, Slot, WgpuLane};

impl WgpuLane {
    /// All buffers for `chunk_rows` candidates.
    ///
    /// # Errors
    /// A device without memory for them.
    pub(crate) fn new(shared: Arc<WgpuExecutor>) -> Result<Self> {
        let gpu = Arc::clone(&shared.gpu);
        let rows = shared.chunk_rows;
        let size = shared.pipelines.variant.storage.size();
        let device = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        // Every dispatch's Params at an offset that a uniform binding may have.
        let alignment = gpu.limits.min_uniform_buffer_offset_alignment as usize;
        let params_stride = size_of::<FeaturizeParams>().next_multiple_of(alignment);
        let input_dim = shared.widths.candidate.input_dim() + shared.widths.request.input_dim();
        let layout = Layout {
            params: shared.schedule.dispatches.len() * params_stride,
            weights: (shared.num_tasks * 4).next_multiple_of(16),
            table: (rows * (REQUEST_WORDS + 1) * 4).next_multiple_of(16),
            inputs: (rows * input_dim * 4).next_multiple_of(16),
        };
        let outputs_size = rows * (2 + 3 * shared.num_tasks) * 4;
        let matrices = shared
            .buffer_columns
            .iter()
            .enumerate()
            .map(|(i, columns)| {
                gpu.buffer(&format!("activations {i}"), rows * columns * size, BufferUsages::STORAGE)
            })
            .collect::<Result<Vec<_>>>()?;
        let scratch =
            gpu.buffer("scratch", rows * shared.schedule.scratch_columns * 4, BufferUsages::STORAGE)?;
        let status = gpu.buffer("status", rows * 4, BufferUsages::STORAGE)?;
        let params = gpu.buffer("params", layout.params, BufferUsages::UNIFORM | BufferUsages::COPY_DST)?;
        let weights = gpu.buffer("score weights", layout.weights, device)?;
        let table = gpu.buffer("requests", layout.table, device)?;
        let inputs = gpu.buffer("inputs", layout.inputs, device)?;
        let outputs = gpu.buffer("outputs", outputs_size, BufferUsages::STORAGE | BufferUsages::COPY_SRC)?;

        let owned = [&scratch, &status, &params, &weights, &table, &inputs, &outputs];
        let device_bytes = owned.into_iter().chain(&matrices).map(Buffer::size).sum::<u64>() as usize;

        let matrix = |matrix: Matrix| match matrix {
            Matrix::Buffer(buffer) => &matrices[buffer],
            Matrix::Scratch => &scratch,
        };
        let mut bind_groups = Vec::new();
        for (index, dispatch) in shared.schedule.dispatches.iter().enumerate() {
            let uniform = BindingResource::Buffer(BufferBinding {
                buffer: &params,
                offset: (index * params_stride) as u64,
                size: std::num::NonZeroU64::new(params_stride as u64),
            });
            let bind = |tile: usize| {
                let operands: Vec<&Buffer> = match (&dispatch.work, &shared.constants[index]) {
                    (Work::Featurize { output, .. }, Constants::Featurize { columns }) => {
                        vec![&inputs, &table, columns, &matrices[*output], &status]
                    }
                    (Work::Gemm { a, multiplier, d, .. }, Constants::Gemm { tables, columns, weights }) => {
                        let multiplier = multiplier.unwrap_or(*a);
                        vec![
                            &tables[tile],
                            &matrices[*a],
                            weights,
                            columns,
                            &matrices[multiplier],
                            matrix(*d),
                        ]
                    }
                    (Work::LayerNorm { input, output, .. }, Constants::LayerNorm { groups, columns }) => {
                        vec![groups, matrix(*input), columns, &matrices[*output]]
                    }
                    (Work::Head { input, .. }, _) => {
                        vec![
                            &shared.head_tasks,
                            &matrices[*input],
                            &shared.head_weights,
                            &weights,
                            &status,
                            &outputs,
                        ]
                    }
                    _ => unreachable!("constants are made dispatch by dispatch"),
                };
                let resources: Vec<BindingResource<'_>> = std::iter::once(uniform.clone())
                    .chain(operands.into_iter().map(Buffer::as_entire_binding))
                    .collect();
                shared.pipelines.bind(&gpu, WgpuExecutor::kernel(&dispatch.work, tile), &resources)
            };
            bind_groups.push([bind(0)?, bind(1)?]);
        }
        let slot = || -> Result<Slot> {
            let staging = gpu.scope(&format!("allocate staging ({} bytes)", layout.total()), || {
                gpu.device.create_buffer(&BufferDescriptor {
                    label: Some("staging"),
                    size: layout.total().next_multiple_of(16) as u64,
                    usage: BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC,
                    mapped_at_creation: true,
                })
            })?;
            Ok(Slot {
                staging,
                readback: gpu.buffer(
                    "readback",
                    outputs_size,
                    BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                )?,
                staging_state: Mapping::mapped(),
                readback_state: Mapping::mapped(),
                under_way: None,
            })
        };
        let slots = [slot()?, slot()?];
        Ok(Self {
            bytes: vec![0; layout.params],
            words: Vec::with_capacity(rows * (REQUEST_WORDS + 1)),
            timing: None,
            copy_time: Duration::ZERO,
            device_bytes,
            shared,
            params,
            weights,
            table,
            inputs,
            outputs,
            bind_groups,
            slots,
            layout,
            params_stride,
        })
    }
}
