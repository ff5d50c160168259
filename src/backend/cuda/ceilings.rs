//! What a GPU can do at most, for benches: products on registers by the instructions that our GEMMs use, and reading a
//! region by a kernel that does nothing else. By device events.

use std::sync::Arc;

use crate::{Backend, Error, Precision, Result};

use super::artifacts::{self, Target};
use super::driver::{self, DeviceMemory, Event, Gpu, Graph, Kernel, LoadedModule, Step, Stream};
use super::executor::{label, unavailable};
use super::params::{CeilingMultiplyParams, CeilingReadParams};

/// Constants of `ceiling_multiply.cu`: a warp adds so many pieces a turn.
const PIECES: u32 = 4 * 4;
const TURNS: u32 = 4;
const WARP_SIZE: u32 = 32;
/// Constant of `ceiling_read.cu`.
const QUADS: usize = 8;

/// Blocks on a multiprocessor: enough warps to hide each other's latencies.
const BLOCKS: u32 = 2;
/// Launches of one graph, so that starting it is no part of a rate.
const COPIES: usize = 20;
const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16];

/// A GPU, opened for measuring.
pub struct Ceilings {
    multiply: Vec<(Precision, Kernel)>,
    read: Kernel,
    // Dropped after the kernels that point into them.
    _modules: [LoadedModule; 2],
    begin: Event,
    end: Event,
    stream: Stream,
    rounds: u32,
    samples: usize,
    gpu: Arc<Gpu>,
}

impl std::fmt::Debug for Ceilings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ceilings").field("gpu", &self.gpu.found.name).finish_non_exhaustive()
    }
}

/// A rate, and the launches it comes from.
#[derive(Clone, Debug)]
pub struct Ceiling {
    /// The kernel's symbol.
    pub entry: &'static str,
    /// FLOPs of a launch; 0 of one that reads.
    pub flops: f64,
    /// Bytes that a launch reads; 0 of one that multiplies.
    pub bytes: f64,
    /// Seconds of one launch, sorted.
    pub seconds: Vec<f64>,
}

/// The kernel that multiplies in a precision, and FLOPs of one piece: two for each product of 16 × 8 outputs in so many k.
fn entry(precision: Precision) -> (&'static str, u32) {
    match precision {
        // Not a piece of the tensor cores: one product of each lane.
        Precision::F32 => ("ceiling_multiply_f32", 2 * WARP_SIZE),
        Precision::Tf32 => ("ceiling_multiply_tf32", 2 * 16 * 8 * 8),
        Precision::Bf16 => ("ceiling_multiply_bf16", 2 * 16 * 8 * 16),
        Precision::F16 => ("ceiling_multiply_f16", 2 * 16 * 8 * 16),
    }
}

/// FLOPs of a launch of so many blocks.
pub(super) fn flops(precision: Precision, blocks: u32, threads: u32, rounds: u32) -> f64 {
    let warps = f64::from(blocks) * f64::from(threads / WARP_SIZE);
    warps * f64::from(entry(precision).1) * f64::from(PIECES * TURNS) * f64::from(rounds)
}

impl Ceilings {
    /// Opens the GPU that a scorer would get that names this backend. A launch that multiplies does so in `rounds` (1,024
    /// are some hundred microseconds of work); everything is timed `samples` times after a warm-up.
    ///
    /// # Errors
    /// No GPU, or one that none of the kernels fits.
    pub fn open(rounds: u32, samples: usize) -> Result<Self> {
        let found = driver::find(None).map_err(unavailable)?;
        let gpu = Gpu::open(found.into_iter().next().ok_or_else(|| unavailable("no GPU"))?)?;
        let manifest = artifacts::manifest().map_err(unavailable)?;
        let mut loaded = Err(unavailable("no kernels were built for this GPU"));
        for target in manifest.loadable(gpu.found.capability, gpu.found.cuda) {
            loaded = load(&gpu, target);
            if loaded.is_ok() {
                break;
            }
        }
        let (modules, multiply, read) = loaded?;
        let (begin, end, stream) = (Event::new(&gpu)?, Event::new(&gpu)?, Stream::new(&gpu)?);
        Ok(Self { multiply, read, _modules: modules, begin, end, stream, rounds, samples, gpu })
    }

    /// Device and driver.
    #[must_use]
    pub fn title(&self) -> String {
        label(&self.gpu.found)
    }

    /// Products on registers.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn multiply(&self, precision: Precision) -> Result<Ceiling> {
        let (entry, _) = entry(precision);
        let kernel = self.multiply.iter().find(|(own, _)| *own == precision).ok_or_else(|| missing(entry))?;
        let blocks = BLOCKS * self.gpu.found.multiprocessors as u32;
        let sums = DeviceMemory::new(&self.gpu, (blocks * kernel.1.threads) as usize * 4)?;
        let parameters = CeilingMultiplyParams { sums: sums.address(), rounds: self.rounds, reserved: 0 };
        let seconds = self.seconds(&kernel.1, blocks, bytemuck::bytes_of(&parameters))?;
        let flops = flops(precision, blocks, kernel.1.threads, self.rounds);
        Ok(Ceiling { entry, flops, bytes: 0.0, seconds })
    }

    /// Reading a region of at least `bytes`, again and again.
    ///
    /// # Errors
    /// Whatever the device reports; no memory for the region.
    pub fn read(&self, bytes: usize) -> Result<Ceiling> {
        let block = self.read.threads as usize * QUADS * 16;
        let blocks = bytes.div_ceil(block).max(1);
        let region = DeviceMemory::new(&self.gpu, blocks * block)?;
        region.write(&pattern(blocks * block))?;
        let found = DeviceMemory::new(&self.gpu, 4)?;
        found.clear(0, 4)?;
        let (quads, found) = (region.address(), found.address());
        let parameters = CeilingReadParams { quads, found, never: 0x5bd1_e995, reserved: 0 };
        let seconds = self.seconds(&self.read, blocks as u32, bytemuck::bytes_of(&parameters))?;
        Ok(Ceiling { entry: "ceiling_read", flops: 0.0, bytes: (blocks * block) as f64, seconds })
    }

    /// Seconds of one launch.
    fn seconds(&self, kernel: &Kernel, blocks: u32, parameters: &[u8]) -> Result<Vec<f64>> {
        let step = Step { kernel, grid: [blocks, 1, 1], parameters };
        let graph = Graph::new(&self.gpu, &vec![step; COPIES])?;
        let _current = self.gpu.enter()?;
        let mut seconds = Vec::with_capacity(self.samples);
        for sample in 0..=self.samples {
            self.begin.record(&self.stream)?;
            // SAFETY: the addresses in `parameters` are of memory that the caller holds; waited for below.
            unsafe { graph.launch(&self.stream)? };
            self.end.record(&self.stream)?;
            self.stream.wait()?;
            if sample > 0 {
                seconds.push(self.end.since(&self.begin)?.as_secs_f64() / COPIES as f64);
            }
        }
        seconds.sort_by(f64::total_cmp);
        Ok(seconds)
    }
}

type Loaded = ([LoadedModule; 2], Vec<(Precision, Kernel)>, Kernel);

fn load(gpu: &Arc<Gpu>, target: &Target) -> Result<Loaded> {
    let modules = [gpu.load(target, "ceiling_multiply")?, gpu.load(target, "ceiling_read")?];
    let kernel = |module: &LoadedModule, unit: &str, name: &str| {
        let entries = &target.module(unit).map_err(unavailable)?.entries;
        let entry = entries.iter().find(|entry| entry.name == name).ok_or_else(|| missing(name))?;
        module.kernel(entry, 0)
    };
    let multiply = PRECISIONS
        .iter()
        .map(|&precision| Ok((precision, kernel(&modules[0], "ceiling_multiply", entry(precision).0)?)))
        .collect::<Result<Vec<_>>>()?;
    let read = kernel(&modules[1], "ceiling_read", "ceiling_read")?;
    Ok((modules, multiply, read))
}

fn missing(entry: &str) -> Error {
    Error::Device {
        backend: Backend::Cuda,
        operation: format!("find kernel {entry}"),
        problem: "it is not in its module".into(),
    }
}

/// Bytes that are not all the same: devices compress zeros.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
