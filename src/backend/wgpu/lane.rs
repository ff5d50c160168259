//! One caller's buffers, and a batch's way through them.
//!
//! A batch is scored in chunks of at most `chunk_rows` candidates; nearly always there is one. A chunk is copied to a
//! staging buffer, submitted once (copies, every dispatch, the outputs' copies), and its outputs are read when it is
//! done. Two slots of staging memory take turns, so that a chunk is written while the one before it runs. All
//! buffers and bind groups exist from the start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wgpu::{
    BindGroup, BindingResource, Buffer, BufferBinding, BufferDescriptor, BufferUsages, CommandEncoder,
    CommandEncoderDescriptor, ComputePass, ComputePassDescriptor, ComputePassTimestampWrites, MapMode,
    SubmissionIndex,
};

use crate::{Backend, Result, Scores, Status};

use super::super::{Call, DeviceCall, Lane};
use super::executor::{Constants, WgpuExecutor};
use super::mapping::Mapping;
use super::params::FeaturizeParams;
use super::schedule::{Matrix, Work};
use super::timing::Timing;
use super::upload::{self, REQUEST_WORDS};

/// Bytes of each part of a staging buffer, which are also the sizes of the buffers that they are copied to.
#[derive(Clone, Copy)]
struct Layout {
    params: usize,
    weights: usize,
    table: usize,
    inputs: usize,
}

impl Layout {
    fn total(self) -> usize {
        self.params + self.weights + self.table + self.inputs
    }
}

/// Staging memory of one chunk in flight.
struct Slot {
    staging: Buffer,
    readback: Buffer,
    /// State of each one's mapping.
    staging_state: Mapping,
    readback_state: Mapping,
    /// The chunk that is under way: its submission, first row and rows.
    under_way: Option<(SubmissionIndex, usize, usize)>,
}

/// A lane of the wgpu backend.
pub(crate) struct WgpuLane {
    shared: Arc<WgpuExecutor>,
    params: Buffer,
    weights: Buffer,
    table: Buffer,
    inputs: Buffer,
    outputs: Buffer,
    /// For each dispatch and each of the variant's tiles.
    bind_groups: Vec<[BindGroup; 2]>,
    slots: [Slot; 2],
    layout: Layout,
    params_stride: usize,
    words: Vec<u32>,
    bytes: Vec<u8>,
    timing: Option<Timing>,
    /// Device memory of the lane, bytes.
    device_bytes: usize,
    /// Time that the last call spent on moving features into mapped memory and outputs out of it.
    copied: Duration,
}

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
            device_bytes,
            copied: Duration::ZERO,
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

    /// Measures every dispatch from now on, where the device has timestamps. Each then gets a pass of its own.
    ///
    /// # Errors
    /// A device without timestamps.
    pub(crate) fn enable_timing(&mut self) -> Result<()> {
        self.timing = Some(Timing::new(&self.shared.gpu, self.shared.schedule.dispatches.len())?);
        Ok(())
    }

    /// Label and nanoseconds of each dispatch of the last chunk; empty without [`WgpuLane::enable_timing`].
    ///
    /// # Errors
    /// A lost device.
    pub(crate) fn times(&self) -> Result<Vec<(String, f64)>> {
        let Some(timing) = &self.timing else { return Ok(Vec::new()) };
        let times = timing.read(&self.shared.gpu)?;
        Ok(self.shared.schedule.dispatches.iter().map(|d| d.label.clone()).zip(times).collect())
    }

    /// Fills a slot's staging memory with rows `rows` of a batch; returns the bytes of the table and of the inputs.
    fn stage(
        &mut self,
        slot: usize,
        call: &Call<'_>,
        rows: std::ops::Range<usize>,
    ) -> Result<(usize, usize)> {
        let shared = &self.shared;
        for (dispatch, params) in
            shared.schedule.dispatches.iter().zip(self.bytes.chunks_mut(self.params_stride))
        {
            shared.params(&dispatch.work, rows.len(), call.calibrated, params);
        }
        let staging = &self.slots[slot].staging;
        if !self.slots[slot].staging_state.wait() {
            return Err(shared.gpu.error("map staging memory", "an earlier batch on this lane failed"));
        }
        let start = Instant::now();
        let mut view = staging
            .get_mapped_range_mut(..)
            .map_err(|e| shared.gpu.error("map staging memory", e.to_string()))?;
        let mut all = view.slice(..);
        let Layout { params, weights, table, .. } = self.layout;
        all.slice(..params).copy_from_slice(&self.bytes);
        let score_weights = bytemuck::cast_slice(call.weights);
        all.slice(params..params + score_weights.len()).copy_from_slice(score_weights);
        let inputs = params + weights + table;
        let input_bytes =
            upload::write(&call.batch, rows, &shared.widths, &mut all.slice(inputs..), &mut self.words);
        let words = bytemuck::cast_slice(&self.words);
        all.slice(params + weights..params + weights + words.len()).copy_from_slice(words);
        let table_bytes = words.len();
        drop(view);
        staging.unmap();
        self.copied += start.elapsed();
        Ok((table_bytes, input_bytes))
    }

    /// Submits what a slot holds.
    fn submit(&mut self, slot: usize, call: &Call<'_>, first: usize, rows: usize, staged: (usize, usize)) {
        let shared = &self.shared;
        let mut encoder =
            shared.gpu.device.create_command_encoder(&CommandEncoderDescriptor { label: Some("batch") });
        let staging = &self.slots[slot].staging;
        let mut at = 0;
        for (buffer, size, used) in [
            (&self.params, self.layout.params, self.layout.params),
            (&self.weights, self.layout.weights, self.layout.weights),
            (&self.table, self.layout.table, staged.0),
            (&self.inputs, self.layout.inputs, staged.1),
        ] {
            if used > 0 {
                encoder.copy_buffer_to_buffer(staging, at as u64, buffer, 0, used as u64);
            }
            at += size;
        }
        self.encode(&mut encoder, rows);
        let tasks = shared.num_tasks;
        let capacity = shared.chunk_rows;
        let outputs = call.outputs;
        let matrix = 4 * capacity * tasks;
        for (wanted, offset, size) in [
            (true, 0, 4 * rows),
            (true, 4 * capacity, 4 * rows),
            (outputs.logits, 8 * capacity, 4 * rows * tasks),
            (outputs.probabilities, 8 * capacity + matrix, 4 * rows * tasks),
            (outputs.calibrated_probabilities, 8 * capacity + 2 * matrix, 4 * rows * tasks),
        ] {
            if wanted {
                let (readback, offset) = (&self.slots[slot].readback, offset as u64);
                encoder.copy_buffer_to_buffer(&self.outputs, offset, readback, offset, size as u64);
            }
        }
        if let Some(timing) = &self.timing {
            timing.resolve(&mut encoder);
        }
        let submission = shared.gpu.queue.submit([encoder.finish()]);
        let slot = &mut self.slots[slot];
        slot.readback_state.start(&slot.readback, MapMode::Read);
        slot.staging_state.start(&slot.staging, MapMode::Write);
        slot.under_way = Some((submission, first, rows));
    }

    fn encode(&self, encoder: &mut CommandEncoder, rows: usize) {
        let count = self.bind_groups.len();
        let Some(timing) = &self.timing else {
            let label = Some("plan");
            let mut pass =
                encoder.begin_compute_pass(&ComputePassDescriptor { label, timestamp_writes: None });
            (0..count).for_each(|index| self.dispatch(&mut pass, index, rows));
            return;
        };
        for index in 0..count {
            let writes = ComputePassTimestampWrites {
                query_set: &timing.queries,
                beginning_of_pass_write_index: Some(2 * index as u32),
                end_of_pass_write_index: Some(2 * index as u32 + 1),
            };
            let label = Some(self.shared.schedule.dispatches[index].label.as_str());
            let descriptor = ComputePassDescriptor { label, timestamp_writes: Some(writes) };
            self.dispatch(&mut encoder.begin_compute_pass(&descriptor), index, rows);
        }
    }

    fn dispatch(&self, pass: &mut ComputePass<'_>, index: usize, rows: usize) {
        let shared = &self.shared;
        let (work, tile) = (&shared.schedule.dispatches[index].work, shared.tile(rows));
        pass.set_pipeline(shared.pipelines.get(WgpuExecutor::kernel(work, tile)));
        pass.set_bind_group(0, &self.bind_groups[index][tile], &[]);
        let (x, y) = shared.grid(work, rows);
        pass.dispatch_workgroups(x, y, 1);
    }

    /// Waits for a slot's chunk and reads its outputs.
    fn finish(&mut self, slot: usize, call: &Call<'_>, scores: &mut Scores) -> Result<()> {
        let Some((submission, first, rows)) = self.slots[slot].under_way.take() else { return Ok(()) };
        let gpu = &self.shared.gpu;
        gpu.wait("score a batch", submission)?;
        let start = Instant::now();
        let slot = &self.slots[slot];
        if !slot.readback_state.wait() {
            return Err(gpu.error("read the scores", "the outputs could not be mapped"));
        }
        let view =
            slot.readback.get_mapped_range(..).map_err(|e| gpu.error("read the scores", e.to_string()))?;
        let words: &[u32] = bytemuck::cast_slice(&view);
        let (capacity, tasks) = (self.shared.chunk_rows, self.shared.num_tasks);
        copy_floats(&words[..rows], &mut scores.scores[first..first + rows]);
        for (status, &word) in scores.statuses[first..first + rows].iter_mut().zip(&words[capacity..]) {
            *status = match word {
                0 => Status::Ok,
                1 => Status::ZeroVariance,
                _ => Status::NonFinite,
            };
        }
        let range = first * tasks..(first + rows) * tasks;
        let outputs = call.outputs;
        for (index, (wanted, into)) in [
            (outputs.logits, &mut scores.logits),
            (outputs.probabilities, &mut scores.probabilities),
            (outputs.calibrated_probabilities, &mut scores.calibrated_probabilities),
        ]
        .into_iter()
        .enumerate()
        {
            if wanted {
                let at = 2 * capacity + index * capacity * tasks;
                copy_floats(&words[at..at + rows * tasks], &mut into[range.clone()]);
            }
        }
        drop(view);
        slot.readback.unmap();
        self.copied += start.elapsed();
        Ok(())
    }
}

impl Lane for WgpuLane {
    fn bytes(&self) -> (usize, usize) {
        let host = |slot: &Slot| slot.staging.size() + slot.readback.size();
        (self.device_bytes, self.slots.iter().map(host).sum::<u64>() as usize)
    }

    fn enqueue(&mut self, _call: &DeviceCall<'_>) -> Result<()> {
        Err(DeviceCall::unsupported(Backend::Wgpu))
    }

    fn copy_time(&self) -> Duration {
        self.copied
    }

    fn score(&mut self, call: &Call<'_>, scores: &mut Scores) -> Result<()> {
        self.copied = Duration::ZERO;
        let (rows, tasks) = (call.batch.candidates(), self.shared.num_tasks);
        self.shared.gpu.check("score a batch")?;
        scores.scores.resize(rows, 0.0);
        scores.statuses.resize(rows, Status::Ok);
        for (wanted, into) in [
            (call.outputs.logits, &mut scores.logits),
            (call.outputs.probabilities, &mut scores.probabilities),
            (call.outputs.calibrated_probabilities, &mut scores.calibrated_probabilities),
        ] {
            if wanted {
                into.resize(rows * tasks, 0.0);
            }
        }
        let mut first = 0;
        let mut slot = 0;
        while first < rows {
            let chunk = (rows - first).min(self.shared.chunk_rows);
            self.finish(slot, call, scores)?;
            let staged = self.stage(slot, call, first..first + chunk)?;
            self.submit(slot, call, first, chunk, staged);
            first += chunk;
            slot = 1 - slot;
        }
        // The older chunk first.
        self.finish(slot, call, scores)?;
        self.finish(1 - slot, call, scores)
    }
}

fn copy_floats(words: &[u32], into: &mut [f32]) {
    for (value, &word) in into.iter_mut().zip(words) {
        *value = f32::from_bits(word);
    }
}
