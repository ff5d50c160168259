//! What the machine can do at most, measured in the same run as what is held against it.
//!
//! - *Multiply rate*: the best kernel at hand on operands packed in the order in which it reads them, for every K that
//!   the model's products have, in several block shapes; the best of them for each K, put together by the products'
//!   share of the FLOPs. Nothing but products and sums: no features, no epilogue, no weights from memory.
//! - *Peak*: the same instruction on registers alone. No program goes faster.
//! - *Read bandwidth*: wide loads over a region of the weights' own size, again and again, as a warm scorer reads them;
//!   the best of several numbers of streams, with and without fetching ahead.
//!
//! Everything is the best that was seen, by all threads at once; more rounds can only raise it. A row that goes beyond
//! a limit proves the limit wrong: it is measured again, and if the row still stands above it, no share of it is given,
//! and why ([`Limits::share`]).

mod adapter;
#[cfg(target_arch = "x86_64")]
mod amx;
mod gpu;
mod memory;
mod vector;

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::time::Instant;

use maskrank::plan::{Folding, Plan, Step};
use maskrank::{CpuKernel, Model, Precision};
use maskrank_rows::{Limit, binding_limit};

/// Rounds of measuring again before a limit that was exceeded is called wrong.
const RETRIES: usize = 4;
/// Seconds of a whole run that such rounds may take: on a machine full of other work every row might ask for them.
const PATIENCE: f64 = 15.0;

/// How products of a precision are multiplied on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Engine {
    /// AMX tiles.
    Amx,
    /// AVX-512 bf16 dot products.
    Dot,
    /// Multiply-adds of f32.
    F32,
}

impl Engine {
    /// The fastest that computes the precision here.
    pub(crate) fn of(precision: Precision) -> Self {
        let has = |kernel: CpuKernel| kernel.supports(precision) && kernel.obstacle().is_none();
        if has(CpuKernel::Amx) {
            Self::Amx
        } else if has(CpuKernel::Avx512Bf16) {
            Self::Dot
        } else {
            Self::F32
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Amx => "bf16 products in AMX tiles",
            Self::Dot => "bf16 dot products of AVX-512",
            Self::F32 => "f32 multiply-adds",
        }
    }

    /// FLOP/s of one thread on registers.
    fn peak(self) -> f64 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => amx::peak(),
            Self::Dot => vector::dot_peak(),
            _ => vector::fma_peak(),
        }
    }

    /// FLOP/s of one thread on packed operands: `rows` × 32 outputs, K in chunks.
    fn packed(self, depth: usize, rows: usize, chunk: usize) -> f64 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => amx::packed(depth, rows, chunk),
            // No packed loop of its own: registers alone are a limit too, if a further one.
            Self::Dot => vector::dot_peak(),
            _ => vector::packed(depth, rows, chunk),
        }
    }

    /// Block shapes that are tried: candidates that pass by a chunk of weights, and the chunk's columns.
    fn blocks(self, depth: usize) -> Vec<(usize, usize)> {
        let (rows, chunks): (&[usize], &[usize]) = match self {
            Self::Amx => (&[32, 128, 256], &[352, 512, 704, 1408, 4096]),
            _ => (&[24, 120], &[128, 256, 512]),
        };
        let mut blocks: Vec<_> =
            rows.iter().flat_map(|&r| chunks.iter().map(move |&c| (r, c.min(depth)))).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }
}

/// The K of a model's products and their shares of the FLOPs.
pub(crate) fn depths(model: &Model) -> Vec<(usize, f64)> {
    let plan = Plan::build(model.config(), model.widths(), model.weights(), 32, Folding::Weights);
    let mut flops: BTreeMap<usize, f64> = BTreeMap::new();
    for step in &plan.steps {
        let Step::Gemm(groups) = step else { continue };
        for group in groups {
            let depth = group.linear.in_features.next_multiple_of(32);
            *flops.entry(depth).or_default() += (group.linear.in_features * group.linear.out_features) as f64;
        }
    }
    let total: f64 = flops.values().sum();
    flops.into_iter().map(|(depth, flops)| (depth, flops / total)).collect()
}

/// The best that was seen so far.
#[derive(Debug)]
pub(crate) struct Limits {
    depths: Vec<(usize, f64)>,
    /// By engine, threads and K.
    packed: BTreeMap<(Engine, usize, usize), f64>,
    peak: BTreeMap<(Engine, usize), f64>,
    /// By threads and bytes.
    read: BTreeMap<(usize, usize), f64>,
    copy: BTreeMap<(usize, usize), f64>,
    /// What other devices than the processor can do, as their own backends measured it.
    pub(crate) device: Vec<Limit>,
    /// What the GPU that WGSL reaches can do.
    pub(crate) adapter: adapter::Adapter,
    /// What an NVIDIA GPU can do.
    pub(crate) gpu: gpu::Gpu,
    /// Seconds that may still be spent on measuring a limit again because a row went beyond it.
    patience: f64,
}

/// Work that took some time, to be held against the limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) precision: Precision,
    pub(crate) threads: usize,
    /// K of a single product; none for a whole model.
    pub(crate) depth: Option<usize>,
    pub(crate) flops: f64,
    /// Bytes of weights that were read once.
    pub(crate) bytes: usize,
    /// Bytes of all weights that calls read in turn: what caches would have to hold.
    pub(crate) region: usize,
    pub(crate) seconds: f64,
}

/// What a row reaches of the limit that binds it.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    /// Share of the limit, at most 1.
    pub(crate) of_limit: f64,
    /// The limit's name, with its value.
    pub(crate) limit: String,
}

impl Limits {
    pub(crate) fn new(model: &Model) -> Self {
        Self {
            depths: depths(model),
            packed: BTreeMap::new(),
            peak: BTreeMap::new(),
            read: BTreeMap::new(),
            copy: BTreeMap::new(),
            device: Vec::new(),
            adapter: adapter::Adapter::default(),
            gpu: gpu::Gpu::default(),
            patience: PATIENCE,
        }
    }

    /// One round of everything that a row of this precision can be held against; keeps what is better.
    pub(crate) fn measure(&mut self, precision: Precision, threads: usize, bytes: usize) {
        let engine = Engine::of(precision);
        raise(&mut self.peak, (engine, threads), together(threads, || engine.peak()));
        for &(depth, _) in &self.depths {
            for (rows, chunk) in engine.blocks(depth) {
                let rate = together(threads, || engine.packed(depth, rows, chunk));
                raise(&mut self.packed, (engine, threads, depth), rate);
            }
        }
        raise(&mut self.read, (threads, bytes), memory::read(threads, bytes));
    }

    /// Whether everything that such a row is held against was measured before.
    pub(crate) fn knows(&self, precision: Precision, threads: usize, bytes: usize) -> bool {
        self.peak.contains_key(&(Engine::of(precision), threads)) && self.read.contains_key(&(threads, bytes))
    }

    /// Copy and read bandwidth at the sizes of the caches and of memory, for the record.
    pub(crate) fn measure_memory(&mut self, threads: usize, sizes: &[usize]) {
        for &bytes in sizes {
            raise(&mut self.read, (threads, bytes), memory::read(threads, bytes));
            raise(&mut self.copy, (threads, bytes), memory::copy(threads, bytes));
        }
    }

    /// FLOP/s on packed operands, every K by its share of the work.
    pub(crate) fn multiply(&self, precision: Precision, threads: usize) -> f64 {
        let engine = Engine::of(precision);
        let time: f64 = self
            .depths
            .iter()
            .map(|&(depth, share)| share / self.packed.get(&(engine, threads, depth)).unwrap_or(&f64::NAN))
            .sum();
        1.0 / time
    }

    /// Bytes/s read from a region of this size, as measured so far.
    pub(crate) fn bandwidth(&self, threads: usize, bytes: usize) -> f64 {
        self.read.get(&(threads, bytes)).copied().unwrap_or(f64::NAN)
    }

    /// The share of the binding limit that a piece of work reaches.
    ///
    /// # Errors
    /// The limit is exceeded and stays so when it is measured again: a limit that is wrong.
    pub(crate) fn share(&mut self, work: &Work) -> Result<Share, String> {
        let Work { precision, threads, depth, flops, bytes, region, seconds } = *work;
        for retry in 0..=RETRIES {
            let rate = match depth {
                Some(depth) => {
                    self.packed.get(&(Engine::of(precision), threads, depth)).copied().unwrap_or(f64::NAN)
                }
                None => self.multiply(precision, threads),
            };
            let bandwidth = self.bandwidth(threads, region);
            if !(rate > 0.0 && bandwidth > 0.0) {
                self.measure(precision, threads, region);
                continue;
            }
            let (bound, limit) = binding_limit((flops, rate), (bytes as f64, bandwidth));
            let of_limit = bound / seconds;
            if of_limit <= 1.0 {
                return Ok(Share { of_limit, limit });
            }
            if retry == RETRIES || self.patience <= 0.0 {
                return Err(format!(
                    "reached {:.1} % of the {limit}, measured {} times: {:.3} TFLOP/s and {:.1} GB/s of weights in \
                     {:.1} us. A limit below what is reached is no limit: either the machine was disturbed whenever \
                     the limit was measured (run again when it is quiet), or the product multiplies or reads in a way \
                     that benches/lab/bench/limits does not know; then add that way there",
                    100.0 * of_limit,
                    retry + 1,
                    flops / seconds / 1e12,
                    bytes as f64 / seconds / 1e9,
                    seconds * 1e6
                ));
            }
            let clock = Instant::now();
            self.measure(precision, threads, region);
            self.patience -= clock.elapsed().as_secs_f64();
        }
        Err("the limits could not be measured: no memory for their operands".to_owned())
    }

    /// Everything, for the record.
    pub(crate) fn list(&self) -> Vec<Limit> {
        let mut limits = Vec::new();
        let mut add = |name: String, threads, value: f64, unit: &str, how: &str| {
            limits.push(Limit { name, threads, value, unit: unit.to_owned(), how: how.to_owned() });
        };
        for (&(engine, threads), &value) in &self.peak {
            let how = "instructions on registers, all threads at once, best seen";
            add(format!("peak of {}", engine.name()), threads, value, "FLOP/s", how);
        }
        for (&(engine, threads, depth), &value) in &self.packed {
            let how = "packed operands, 32 columns at a time, best of several block shapes";
            add(format!("{}, K = {depth}", engine.name()), threads, value, "FLOP/s", how);
        }
        for precision in [Precision::F32, Precision::Bf16] {
            let engine = Engine::of(precision);
            let mut threads: Vec<usize> =
                self.packed.keys().filter(|key| key.0 == engine).map(|key| key.1).collect();
            threads.dedup();
            for threads in threads {
                let how = "the rates of every K of the model's products, by share of the FLOPs";
                let rate = self.multiply(precision, threads);
                add(format!("multiply rate {precision}"), threads, rate, "FLOP/s", how);
            }
        }
        for (&(threads, bytes), &value) in &self.read {
            let how = "wide loads, region read again and again, best of streams and fetching ahead";
            add(format!("read {:.1} MB", bytes as f64 / 1e6), threads, value, "B/s", how);
        }
        for (&(threads, bytes), &value) in &self.copy {
            let how = "half of the region to the other half; bytes read and bytes written both count";
            add(format!("copy {:.1} MB", bytes as f64 / 1e6), threads, value, "B/s", how);
        }
        limits.extend(self.device.iter().cloned());
        limits.extend(self.adapter.list());
        limits.extend(self.gpu.list());
        limits
    }
}

fn raise<K: Ord>(best: &mut BTreeMap<K, f64>, key: K, value: f64) {
    let entry = best.entry(key).or_insert(value);
    *entry = entry.max(value);
}

/// Sum of what the threads reach side by side; best of three rounds.
fn together(threads: usize, work: impl Fn() -> f64 + Sync) -> f64 {
    let round = || {
        let barrier = Barrier::new(threads);
        std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                work()
            };
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(start)).collect();
            let own = start();
            own + others.into_iter().map(|other| other.join().expect("the loop does not fail")).sum::<f64>()
        })
    };
    (0..3).map(|_| round()).fold(0.0, f64::max)
}
