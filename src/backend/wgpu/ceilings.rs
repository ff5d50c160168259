//! What an adapter can do at most, and what starting work on it costs, for benches: multiply-adds on registers, reading,
//! copying, both ways to the host, and submissions that do nothing.
//!
//! Work is repeated inside one submission until that takes `LONG`, so that the cost of submitting, which is measured by
//! itself, is no part of a rate; each rate is the best of `ROUNDS` such submissions.

use std::time::{Duration, Instant};

use wgpu::{
    Buffer, BufferUsages, CommandEncoderDescriptor, ComputePassDescriptor, ComputePipeline, MapMode,
    ShaderModuleDescriptor, ShaderSource,
};

use crate::Result;

use super::adapter::{self, Software};
use super::device::Gpu;
use super::mapping::Mapping;
use super::source::{Defines, assemble};

/// Defines of `ceiling_multiply.wgsl`; FLOPs of an invocation are two for each of its sums, turns and rounds.
const MULTIPLY_WG_SIZE: usize = 64;
const MULTIPLY_ROUNDS: usize = 256;
const MULTIPLY_TURNS: usize = 8;
const MULTIPLY_SUMS: usize = 12;
/// Defines of `ceiling_read.wgsl`.
const READ_WG_SIZE: usize = 128;
const READ_QUADS: usize = 32;

/// Stems of the shaders, and the entries that measure.
const MULTIPLY: &str = "ceiling_multiply";
const READ: &str = "ceiling_read";

/// Bytes that one workgroup of `ceiling_read` reads.
const READ_BYTES: usize = READ_WG_SIZE * READ_QUADS * 16;
/// Bytes of one buffer of a larger region: any adapter binds as much.
const PIECE: usize = 64 << 20;
/// A submission that is timed takes at least so long.
const LONG: Duration = Duration::from_millis(40);
const ROUNDS: usize = 4;
/// Submissions, or dispatches of one, whose cost is measured.
const STARTS: usize = 200;

/// An adapter, opened for measuring.
pub struct Ceilings {
    gpu: Gpu,
}

impl std::fmt::Debug for Ceilings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ceilings").field("device", &self.gpu.title).finish_non_exhaustive()
    }
}

impl Ceilings {
    /// Opens the adapter that a scorer would get that names this backend.
    ///
    /// # Errors
    /// No adapter, or one that does not open.
    pub fn open() -> Result<Self> {
        Ok(Self { gpu: Gpu::open(&adapter::choose(None, Software::Allowed)?)? })
    }

    /// Device, driver and interface.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.gpu.title
    }

    /// FLOP/s of f32 multiply-adds on registers, the better of one operation and two.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn multiply(&self) -> Result<f64> {
        // Enough to fill the largest devices; a program on the processor is full with less.
        let is_software = self.gpu.info.device_type == wgpu::DeviceType::Cpu;
        let workgroups = if is_software { 128 } else { 4096 };
        let invocations = workgroups * MULTIPLY_WG_SIZE;
        let params = self.floats(&[0.999, 0.001])?;
        let sums = self.gpu.buffer("sums", 4 * invocations, BufferUsages::STORAGE)?;
        let flops = (2 * invocations * MULTIPLY_ROUNDS * MULTIPLY_TURNS * MULTIPLY_SUMS) as f64;
        let mut best = 0.0f64;
        for is_fused in [true, false] {
            let pipeline = self.pipeline(MULTIPLY, &multiply_defines(is_fused), MULTIPLY)?;
            let works = [self.work(&pipeline, &[&params, &sums], workgroups)?];
            best = best.max(flops / self.seconds(|encoder| run(encoder, &works))?);
        }
        Ok(best)
    }

    /// Bytes/s of reading a region of `bytes`, again and again, by a kernel that does nothing else.
    ///
    /// # Errors
    /// Whatever the device reports; no memory for the region.
    pub fn read(&self, bytes: usize) -> Result<f64> {
        let pipeline = self.pipeline(READ, &read_defines(), READ)?;
        let found = self.gpu.buffer("found", 16, BufferUsages::STORAGE)?;
        let (mut works, mut moved) = (Vec::new(), 0);
        while moved + READ_BYTES <= bytes.max(READ_BYTES) {
            let piece = (bytes.max(READ_BYTES) - moved).min(PIECE) / READ_BYTES * READ_BYTES;
            let region = self.filled(piece, BufferUsages::STORAGE)?;
            let workgroups = piece / READ_BYTES;
            let params = self.words(&[0x5bd1_e995, (workgroups * READ_WG_SIZE) as u32])?;
            works.push(self.work(&pipeline, &[&params, &region, &found], workgroups)?);
            moved += piece;
        }
        Ok(moved as f64 / self.seconds(|encoder| run(encoder, &works))?)
    }

    /// Bytes/s moved by copying `bytes` from buffer to buffer: read and written both count.
    ///
    /// # Errors
    /// As [`Ceilings::read`].
    pub fn copy(&self, bytes: usize) -> Result<f64> {
        let bytes = bytes.next_multiple_of(16);
        let from = self.filled(bytes, BufferUsages::COPY_SRC)?;
        let to = self.gpu.buffer("copy", bytes, BufferUsages::COPY_DST)?;
        let seconds =
            self.seconds(|encoder| encoder.copy_buffer_to_buffer(&from, 0, &to, 0, bytes as u64))?;
        Ok(2.0 * bytes as f64 / seconds)
    }

    /// Bytes/s to the device, as a scorer sends features: written through the queue, until the device has them.
    ///
    /// # Errors
    /// As [`Ceilings::read`].
    pub fn upload(&self, bytes: usize) -> Result<f64> {
        let bytes = bytes.next_multiple_of(16);
        let to = self.gpu.buffer("upload", bytes, BufferUsages::COPY_DST)?;
        let from = pattern(bytes);
        let seconds = self.best(|| {
            self.gpu.queue.write_buffer(&to, 0, &from);
            self.gpu.wait("upload", self.gpu.queue.submit([]))
        })?;
        Ok(bytes as f64 / seconds)
    }

    /// Bytes/s from the device: copied to a buffer that can be mapped, mapped, and copied out of it.
    ///
    /// # Errors
    /// As [`Ceilings::read`].
    pub fn download(&self, bytes: usize) -> Result<f64> {
        let bytes = bytes.next_multiple_of(16);
        let from = self.filled(bytes, BufferUsages::COPY_SRC)?;
        let back = self.gpu.buffer("download", bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
        let mut into = vec![0u8; bytes];
        let seconds = self.best(|| {
            let submission =
                self.submit(|encoder| encoder.copy_buffer_to_buffer(&from, 0, &back, 0, bytes as u64))?;
            let mapping = Mapping::mapped();
            mapping.start(&back, MapMode::Read);
            self.gpu.wait("download", submission)?;
            if !mapping.wait() {
                return Err(self.gpu.error("download", "the buffer could not be mapped"));
            }
            let view = back.get_mapped_range(..).map_err(|e| self.gpu.error("download", e.to_string()))?;
            into.copy_from_slice(&view);
            drop(view);
            back.unmap();
            Ok(())
        })?;
        if into != pattern(bytes) {
            return Err(self.gpu.error("download", "other bytes came back than were sent"));
        }
        Ok(bytes as f64 / seconds)
    }

    /// Seconds of submitting one dispatch that does nothing and waiting for it, each by itself.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn submissions(&self) -> Result<Vec<f64>> {
        let works = [self.nothing()?];
        let mut seconds = Vec::with_capacity(STARTS);
        for _ in 0..STARTS + 3 {
            let clock = Instant::now();
            let submission = self.submit(|encoder| run(encoder, &works))?;
            self.gpu.wait("submit", submission)?;
            seconds.push(clock.elapsed().as_secs_f64());
        }
        Ok(seconds.split_off(3))
    }

    /// Seconds that one more dispatch costs in a submission, each in a pass of its own as a scorer's are not: an upper
    /// bound of what a kernel's start costs.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn dispatch(&self) -> Result<f64> {
        let works = [self.nothing()?];
        let took = |dispatches: usize| {
            self.best(|| {
                let submission = self.submit(|encoder| (0..dispatches).for_each(|_| run(encoder, &works)))?;
                self.gpu.wait("dispatch", submission)
            })
        };
        Ok(((took(STARTS)? - took(1)?) / (STARTS - 1) as f64).max(0.0))
    }

    fn nothing(&self) -> Result<Work> {
        let pipeline = self.pipeline(READ, &read_defines(), "nothing")?;
        let (params, quads) = (self.words(&[0, 1])?, self.filled(16, BufferUsages::STORAGE)?);
        let found = self.gpu.buffer("found", 16, BufferUsages::STORAGE)?;
        self.work(&pipeline, &[&params, &quads, &found], 1)
    }

    fn pipeline(&self, stem: &str, defines: &Defines, entry: &str) -> Result<ComputePipeline> {
        let source = assemble(&format!("{stem}.wgsl"), defines, None)
            .map_err(|message| self.gpu.error("compile", message))?;
        self.gpu.scope(&format!("compile {entry}"), || {
            let module = self.gpu.device.create_shader_module(ShaderModuleDescriptor {
                label: Some(entry),
                source: ShaderSource::Wgsl(source.into()),
            });
            self.gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        })
    }

    /// A dispatch with its operands in the order of their bindings.
    fn work(&self, pipeline: &ComputePipeline, operands: &[&Buffer], workgroups: usize) -> Result<Work> {
        let entries: Vec<_> = operands
            .iter()
            .zip(0..)
            .map(|(operand, binding)| wgpu::BindGroupEntry { binding, resource: operand.as_entire_binding() })
            .collect();
        let group = self.gpu.scope("bind operands", || {
            self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            })
        })?;
        Ok(Work { pipeline: pipeline.clone(), group, workgroups: workgroups as u32 })
    }

    fn words(&self, words: &[u32]) -> Result<Buffer> {
        self.gpu.upload("params", bytemuck::cast_slice(words), BufferUsages::UNIFORM)
    }

    fn floats(&self, values: &[f32]) -> Result<Buffer> {
        self.gpu.upload("params", bytemuck::cast_slice(values), BufferUsages::UNIFORM)
    }

    fn filled(&self, bytes: usize, usage: BufferUsages) -> Result<Buffer> {
        self.gpu.upload("region", &pattern(bytes), usage)
    }

    fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<wgpu::SubmissionIndex> {
        self.gpu.scope("measure", || {
            let descriptor = CommandEncoderDescriptor { label: Some("ceiling") };
            let mut encoder = self.gpu.device.create_command_encoder(&descriptor);
            record(&mut encoder);
            self.gpu.queue.submit([encoder.finish()])
        })
    }

    /// Seconds of recorded work, the best of several submissions that repeat it.
    fn seconds(&self, record: impl Fn(&mut wgpu::CommandEncoder)) -> Result<f64> {
        let timed = |repeats: usize| {
            let clock = Instant::now();
            let submission = self.submit(|encoder| (0..repeats).for_each(|_| record(encoder)))?;
            self.gpu.wait("measure", submission)?;
            Ok::<f64, crate::Error>(clock.elapsed().as_secs_f64())
        };
        // The first compiles, the second says how often to repeat.
        timed(1)?;
        let repeats = (LONG.as_secs_f64() / timed(1)?).ceil().clamp(1.0, 4096.0) as usize;
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            best = best.min(timed(repeats)? / repeats as f64);
        }
        Ok(best)
    }

    /// Seconds of a piece of work, the best of several.
    fn best(&self, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
        work()?;
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let clock = Instant::now();
            work()?;
            best = best.min(clock.elapsed().as_secs_f64());
        }
        Ok(best)
    }
}

fn multiply_defines(is_fused: bool) -> Defines {
    Defines::from([
        ("WG_SIZE", MULTIPLY_WG_SIZE as u32),
        ("ROUNDS", MULTIPLY_ROUNDS as u32),
        ("TURNS", MULTIPLY_TURNS as u32),
        ("FUSED", u32::from(is_fused)),
    ])
}

fn read_defines() -> Defines {
    Defines::from([("WG_SIZE", READ_WG_SIZE as u32), ("QUADS", READ_QUADS as u32)])
}

/// One dispatch, ready to be recorded.
struct Work {
    pipeline: ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: u32,
}

fn run(encoder: &mut wgpu::CommandEncoder, works: &[Work]) {
    let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
    for work in works {
        pass.set_pipeline(&work.pipeline);
        pass.set_bind_group(0, &work.group, &[]);
        pass.dispatch_workgroups(work.workgroups, 1, 1);
    }
}

/// Bytes that are not all the same: devices compress zeros.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[cfg(test)]
mod tests {
    use wgpu::naga;

    use super::*;

    /// The assembled text, once naga has found it valid and to have these entries.
    fn valid(stem: &str, defines: &Defines, entries: &[&str]) -> String {
        let source = assemble(&format!("{stem}.wgsl"), defines, None).expect("it assembles");
        let module = naga::front::wgsl::parse_str(&source).expect("it parses");
        let flags = naga::valid::ValidationFlags::all();
        naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
            .validate(&module)
            .expect("it is valid");
        let found: Vec<&str> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(found, entries);
        source
    }

    #[test]
    fn shaders_are_valid_and_do_the_operations_that_are_counted() {
        for (is_fused, operation) in [(true, "fma("), (false, " * factor + term;")] {
            let source = valid(MULTIPLY, &multiply_defines(is_fused), &[MULTIPLY]);
            // One line is one operation on four of the sums.
            assert_eq!(source.matches(operation).count(), MULTIPLY_TURNS * MULTIPLY_SUMS / 4, "{operation}");
        }
        valid(READ, &read_defines(), &[READ, "nothing"]);
    }
}
