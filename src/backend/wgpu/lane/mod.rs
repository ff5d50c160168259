//! One caller's buffers, and a batch's way through them.
//!
//! A batch is scored in chunks of at most `chunk_rows` candidates; nearly always there is one. A chunk is copied to a
//! staging buffer, submitted once (copies, every dispatch, the outputs' copies), and its outputs are read when it is
//! done. Two slots of staging memory take turns, so that a chunk is written while the one before it runs. All
//! buffers and bind groups exist from the start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wgpu::{BindGroup, Buffer, SubmissionIndex};

use crate::{Backend, Result, Scores, Status};

use super::super::{Call, DeviceCall, Lane};
use super::executor::WgpuExecutor;
use super::mapping::Mapping;
use super::timing::Timing;

mod build;
mod submit;

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
    /// Of the last call: into staging memory, and out of what was read back.
    copy_time: Duration,
    /// Device memory of the lane, bytes.
    device_bytes: usize,
}

impl WgpuLane {
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

    /// Measures this call where somebody asks for the steps' times; only a batch of one chunk, whose timestamps no other
    /// chunk overwrites.
    fn follow_clock(&mut self, rows: usize) -> Result<()> {
        let Some(clock) = &self.shared.clock else { return Ok(()) };
        match (clock.is_on() && rows <= self.shared.chunk_rows, self.timing.is_some()) {
            (true, false) => self.enable_timing(),
            // Tests enable it by themselves, and never start the clock.
            _ => Ok(()),
        }
    }

    /// Adds the last chunk's times to the clock, if it runs.
    fn tell_clock(&mut self, rows: usize) -> Result<()> {
        let Some(clock) = self.shared.clock.as_ref().filter(|clock| clock.is_on()) else { return Ok(()) };
        if rows > self.shared.chunk_rows {
            return Ok(());
        }
        if let Some(timing) = self.timing.take() {
            let times = timing.read(&self.shared.gpu)?;
            self.shared.schedule.steps.iter().zip(times).for_each(|(&step, time)| clock.add(step, time));
        }
        Ok(())
    }

    /// Waits for a slot's chunk and reads its outputs.
    fn finish(&mut self, slot: usize, call: &Call<'_>, scores: &mut Scores) -> Result<()> {
        let Some((submission, first, rows)) = self.slots[slot].under_way.take() else { return Ok(()) };
        let gpu = &self.shared.gpu;
        gpu.wait("score a batch", submission)?;
        let slot = &self.slots[slot];
        if !slot.readback_state.wait() {
            return Err(gpu.error("read the scores", "the outputs could not be mapped"));
        }
        let start = Instant::now();
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
        self.copy_time += start.elapsed();
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

    fn score(&mut self, call: &Call<'_>, scores: &mut Scores) -> Result<()> {
        let (rows, tasks) = (call.batch.candidates(), self.shared.num_tasks);
        self.shared.gpu.check("score a batch")?;
        self.copy_time = Duration::ZERO;
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
        self.follow_clock(rows)?;
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
        self.finish(1 - slot, call, scores)?;
        self.tell_clock(rows)
    }

    /// Copies by this thread; what the device copies itself runs beside other work, and is part of its time.
    fn copy_time(&self) -> Duration {
        self.copy_time
    }
}

fn copy_floats(words: &[u32], into: &mut [f32]) {
    for (value, &word) in into.iter_mut().zip(words) {
        *value = f32::from_bits(word);
    }
}
