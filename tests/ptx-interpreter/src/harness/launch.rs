//! Launches.

use super::args::Arg;
use super::gpu::Gpu;
use super::module::Module;
use crate::error::{Error, Result};
use crate::isa::{GlobalVar, Program};
use crate::machine::{Grid, run};
use crate::memory::{Access, address};
use crate::stats::Stats;

/// Shared memory that a block may have on any device.
const MAX_SHARED: usize = 227 * 1024;
/// Threads that a block may have.
const MAX_THREADS: u32 = 1024;

/// One launch of one entry.
#[derive(Clone, Debug)]
pub struct Launch<'m> {
    module: &'m Module,
    entry: String,
    grid: [u32; 3],
    block: [u32; 3],
    shared: usize,
    args: Vec<Arg>,
    detail: bool,
    step_limit: u64,
    workers: Option<usize>,
}

impl<'m> Launch<'m> {
    /// A launch of one block with one thread; set the sizes before running it.
    #[must_use]
    pub fn new(module: &'m Module, entry: &str) -> Self {
        Self {
            module,
            entry: entry.to_string(),
            grid: [1; 3],
            block: [1; 3],
            shared: 0,
            args: Vec::new(),
            detail: false,
            step_limit: 200_000_000,
            workers: None,
        }
    }

    /// Blocks along x, y and z.
    #[must_use]
    pub fn grid(mut self, blocks: [u32; 3]) -> Self {
        self.grid = blocks;
        self
    }

    /// Threads of a block along x, y and z.
    #[must_use]
    pub fn block(mut self, threads: [u32; 3]) -> Self {
        self.block = threads;
        self
    }

    /// Bytes of dynamic shared memory.
    #[must_use]
    pub fn shared(mut self, bytes: usize) -> Self {
        self.shared = bytes;
        self
    }

    /// The next argument.
    #[must_use]
    pub fn arg(mut self, a: Arg) -> Self {
        self.args.push(a);
        self
    }

    /// Count bank conflicts and sectors too, which takes longer.
    #[must_use]
    pub fn detail(mut self) -> Self {
        self.detail = true;
        self
    }

    /// Instructions after which a warp counts as stuck.
    #[must_use]
    pub fn step_limit(mut self, steps: u64) -> Self {
        self.step_limit = steps;
        self
    }

    /// CPU threads; all of the machine's by default.
    #[must_use]
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = Some(threads);
        self
    }

    fn wrong(&self, what: String) -> Error {
        Error::Launch { entry: self.entry.clone(), what }
    }

    fn params(&self, program: &Program) -> Result<Vec<u8>> {
        if self.args.len() != program.params.len() {
            let (n, e) = (self.args.len(), program.params.len());
            return Err(self.wrong(format!("{n} arguments given, expected {e}")));
        }
        let mut params = vec![0; program.param_bytes];
        for (i, (slot, arg)) in program.params.iter().zip(&self.args).enumerate() {
            let bytes = arg.bytes();
            if bytes.len() != slot.bytes {
                let (n, e) = (bytes.len(), slot.bytes);
                return Err(self.wrong(format!(
                    "argument {i} has {n} bytes, expected {e} with alignment {}",
                    slot.align
                )));
            }
            params[slot.offset..slot.offset + slot.bytes].copy_from_slice(&bytes);
        }
        Ok(params)
    }

    fn check(&self, program: &Program, dynamic_base: usize) -> Result<()> {
        let threads = self.block.iter().try_fold(1u32, |p, n| p.checked_mul(*n));
        if !threads.is_some_and(|t| (1..=MAX_THREADS).contains(&t)) {
            return Err(self.wrong(format!("block {:?}, expected 1 to {MAX_THREADS} threads", self.block)));
        }
        if let Some(max) = program.max_threads
            && threads > Some(max.iter().product())
        {
            return Err(self.wrong(format!("block {:?} exceeds the entry's bound {max:?}", self.block)));
        }
        if self.grid.contains(&0) || self.grid[1] > 65535 || self.grid[2] > 65535 {
            return Err(self.wrong(format!("grid {:?} is not allowed", self.grid)));
        }
        if dynamic_base + self.shared > MAX_SHARED {
            let total = dynamic_base + self.shared;
            return Err(
                self.wrong(format!("{total} bytes of shared memory, at most {MAX_SHARED} are allowed"))
            );
        }
        Ok(())
    }

    /// Runs the launch and checks the canaries.
    ///
    /// # Errors
    /// If the arguments do not fit the entry, an instruction is not implemented, the kernel faults or a canary was
    /// overwritten.
    pub fn run(&self, gpu: &mut Gpu) -> Result<Stats> {
        let program = self.module.program(&self.entry)?;
        let params = self.params(&program)?;
        let dynamic_base = program.static_shared.next_multiple_of(program.dynamic_align.max(1));
        self.check(&program, dynamic_base)?;
        let key = (self.module.id, self.entry.clone());
        let device = &mut gpu.device;
        let global_vars = gpu.globals.entry(key).or_insert_with(|| {
            let add = |v: &GlobalVar| address(device.add(&v.name, &v.bytes, Access::InOut));
            program.globals.iter().map(add).collect()
        });
        gpu.device.start_grid();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let grid = Grid {
            program: &program,
            device: &gpu.device,
            params,
            grid_dim: self.grid,
            block_dim: self.block,
            dynamic_base,
            dynamic_bytes: self.shared,
            global_vars: global_vars.clone(),
            detail: self.detail,
            step_limit: self.step_limit,
            workers: self.workers.unwrap_or(cpus),
        };
        let counts = run(&grid).map_err(Error::Fault)?;
        gpu.check_canaries()?;
        Ok(Stats::new(&program, &counts))
    }
}
