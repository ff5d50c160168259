//! A chunk's way to the device: into staging memory, then off in one submission.

use std::ops::Range;
use std::time::Instant;

use wgpu::{
    CommandEncoder, CommandEncoderDescriptor, ComputePass, ComputePassDescriptor, ComputePassTimestampWrites,
    MapMode,
};

use crate::Result;

use super::super::super::Call;
use super::super::executor::WgpuExecutor;
use super::super::upload;
use super::{Layout, WgpuLane};

impl WgpuLane {
    /// Fills a slot's staging memory with rows `rows` of a batch; returns the bytes of the table and of the inputs.
    pub(super) fn stage(
        &mut self,
        slot: usize,
        call: &Call<'_>,
        rows: Range<usize>,
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
        // The device has let go of the memory: from here on the time is the copy's own.
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
        self.copy_time += start.elapsed();
        Ok((table_bytes, input_bytes))
    }

    /// Submits what a slot holds.
    pub(super) fn submit(
        &mut self,
        slot: usize,
        call: &Call<'_>,
        first: usize,
        rows: usize,
        staged: (usize, usize),
    ) {
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
}
