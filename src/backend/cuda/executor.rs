//! A program on a GPU: weights uploaded once, kernels loaded once, lanes made from it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::{Device, Executor, Lane, Memory, Options};
use crate::batch::Split;
use crate::plan::Plan;
use crate::{Backend, Error, Precision, Result};

use super::artifacts::{self, Target};
use super::driver::{self, DeviceMemory, Found, Gpu, Kernel, LoadedModule};
use super::lane::CudaLane;
use super::outputs::OutputLayout;
use super::program::{Place, Program};

/// A plan on a GPU.
pub(super) struct CudaExecutor {
    pub(super) device: Device,
    pub(super) program: Program,
    pub(super) split: Split,
    kernels: HashMap<String, Kernel>,
    image: DeviceMemory,
    // Dropped after the kernels that point into them.
    _modules: Vec<LoadedModule>,
    pub(super) gpu: Arc<Gpu>,
    /// Candidates of a chunk, at least.
    pub(super) min_chunk: usize,
}

/// Candidates from which on a batch is worth cutting in two: below, a chunk's graph leaves multiprocessors idle for
/// longer than its copy takes.
const MIN_CHUNK: usize = 1024;
/// Chunks of a large batch: the copy of the first one is what nothing hides.
const CHUNKS: usize = 4;

pub(super) fn unavailable(reason: impl std::fmt::Display) -> Error {
    Error::BackendUnavailable { backend: Backend::Cuda, reason: reason.to_string() }
}

impl CudaExecutor {
    /// Takes the first usable GPU whose name fits, loads the kernels and uploads the weights.
    pub(super) fn new(plan: &Plan, options: &Options) -> Result<Self> {
        let mut program = Program::new(plan, options)?;
        let found = driver::find(options.adapter.as_deref()).map_err(unavailable)?;
        let gpu = Gpu::open(found.into_iter().next().ok_or_else(|| unavailable("no GPU"))?)?;
        let needed = program.image.len() + program.lane.bytes();
        let free = gpu.free_memory()?;
        if needed > free {
            return Err(unavailable(format!(
                "{} has {} MiB of {} MiB free; needed: {} MiB for the weights and one call of {} candidates",
                gpu.found.name,
                free >> 20,
                gpu.found.memory >> 20,
                needed.div_ceil(1 << 20),
                options.max_candidates
            )));
        }
        let (target, modules, kernels) = load(&gpu, &program, options.precision)?;
        let image = DeviceMemory::new(&gpu, program.image.len())?;
        image.write(&std::mem::take(&mut program.image.bytes))?;
        let device = Device {
            backend: Backend::Cuda,
            name: label(&gpu.found),
            kernel: format!("{} {} ({})", options.precision, target.target, target.compiler),
        };
        let split = options.split.clone();
        Ok(Self { device, program, split, kernels, image, _modules: modules, gpu, min_chunk: MIN_CHUNK })
    }

    /// The addresses of a lane's program.
    pub(super) fn place(&self, lane: &DeviceMemory) -> Place {
        Place {
            image: self.image.address(),
            lane: lane.address(),
            multiprocessors: self.gpu.found.multiprocessors,
        }
    }

    /// Candidates of each chunk of a batch, but for the last.
    pub(super) fn chunk_rows(&self, candidates: usize) -> usize {
        let rows = candidates.div_ceil(CHUNKS).max(self.min_chunk).next_power_of_two();
        if candidates <= rows { candidates } else { rows }
    }

    /// A loaded kernel.
    pub(super) fn kernel(&self, entry: &str) -> Result<&Kernel> {
        let missing = || Error::Device {
            backend: Backend::Cuda,
            operation: format!("find kernel {entry}"),
            problem: "it was not loaded with the program".into(),
        };
        self.kernels.get(entry).ok_or_else(missing)
    }
}

impl Executor for CudaExecutor {
    fn device(&self) -> &Device {
        &self.device
    }

    fn lane(self: Arc<Self>) -> Result<Box<dyn Lane>> {
        Ok(Box::new(CudaLane::new(self)?))
    }

    fn weight_bytes(&self) -> usize {
        self.program.image.len()
    }

    fn is_self_tested(&self) -> bool {
        true
    }
}

/// What a program allocates on a device; no device is needed to tell.
pub(super) fn memory(program: &Program) -> Memory {
    Memory {
        weights: program.image.len(),
        per_call: program.lane.bytes(),
        host_per_call: program.lane.inputs.bytes + OutputLayout::new(program).bytes,
        calls: 1,
    }
}

/// Name and driver, for people.
pub(super) fn label(found: &Found) -> String {
    format!("{} (CUDA {}.{})", found.name, found.cuda / 1000, found.cuda % 1000 / 10)
}

type Loaded = (&'static Target, Vec<LoadedModule>, HashMap<String, Kernel>);

/// Loads the program's kernels from the first target that works; the reasons of all where none does.
fn load(gpu: &Arc<Gpu>, program: &Program, precision: Precision) -> Result<Loaded> {
    let manifest = artifacts::manifest().map_err(unavailable)?;
    let mut problems = Vec::new();
    for target in manifest.loadable(gpu.found.capability, gpu.found.cuda) {
        match load_target(gpu, program, precision, target) {
            Ok((modules, kernels)) => return Ok((target, modules, kernels)),
            Err(error) => problems.push(format!("{}: {error}", target.target)),
        }
    }
    let found = &gpu.found;
    Err(unavailable(format!(
        "no kernels for {} of compute capability {}.{}: {}",
        label(found),
        found.capability / 10,
        found.capability % 10,
        if problems.is_empty() { "none was built for it".to_owned() } else { problems.join("; ") }
    )))
}

fn load_target(
    gpu: &Arc<Gpu>,
    program: &Program,
    precision: Precision,
    target: &'static Target,
) -> Result<(Vec<LoadedModule>, HashMap<String, Kernel>)> {
    let mut modules = Vec::new();
    let mut kernels = HashMap::new();
    let row = program.row_shared_bytes();
    for unit in program.units() {
        let loaded = gpu.load(target, &unit)?;
        let module = target.module(&unit).map_err(unavailable)?;
        for entry in module.entries.iter().filter(|entry| program.uses(&entry.name, precision)) {
            let extra = if unit == "featurize" { row } else { 0 };
            let shared = (entry.dynamic_shared_bytes + extra) as usize;
            if shared > gpu.found.shared_bytes {
                return Err(unavailable(format!(
                    "kernel {} needs {shared} bytes of shared memory, a block has {}",
                    entry.name, gpu.found.shared_bytes
                )));
            }
            kernels.insert(entry.name.clone(), loaded.kernel(entry, extra)?);
        }
        modules.push(loaded);
    }
    Ok((modules, kernels))
}
