//! Times by the device's own events, for benches: each kernel of a plan by itself, the whole graph, and what the machine
//! can copy.

use std::sync::Arc;
use std::time::Instant;

use crate::backend::staged::{BinaryType, FeatureType, Layout};
use crate::backend::{Device, Executor, Options, folding};
use crate::batch::Split;
use crate::plan::{Plan, Step as PlanStep};
use crate::scores::Outputs;
use crate::{Model, Precision, Result};

use super::bucket;
use super::driver::{DeviceMemory, Event, Graph, PinnedMemory, Stream};
use super::executor::CudaExecutor;
use super::lane::CudaLane;
use super::outputs::head_outputs;
use super::program::{Feed, HeadCall, Launch, once};

/// Launches of one kernel in a graph, so that the time of starting the graph is shared.
const COPIES: usize = 20;

/// One kernel of a plan.
#[derive(Clone, Debug)]
pub struct KernelTime {
    /// The kernel's symbol.
    pub entry: String,
    /// Blocks.
    pub blocks: usize,
    /// FLOPs of a launch, without padding; 0 where a step is more than one launch.
    pub flops: f64,
    /// Bytes that a launch has to move at least: weights and activations once; 0 likewise.
    pub bytes: f64,
    /// Seconds of one launch, sorted.
    pub seconds: Vec<f64>,
}

/// What was copied and how long it took, sorted.
#[derive(Clone, Debug)]
pub struct CopyTime {
    /// `device_to_device`, `host_to_device`, `device_to_host`.
    pub name: &'static str,
    /// Bytes that are moved: read and written on the device count twice.
    pub bytes: f64,
    /// Seconds.
    pub seconds: Vec<f64>,
}

/// What it costs to start work, sorted.
#[derive(Clone, Debug)]
pub struct StartTime {
    /// `graph_start`: the host's clock, from starting a graph of one small kernel to knowing that it is done;
    /// `kernel_start`: the device's clock, what one more small kernel takes in a graph.
    pub name: &'static str,
    /// Seconds.
    pub seconds: Vec<f64>,
}

/// A plan on a GPU, to be timed.
pub struct Timing {
    executor: Arc<CudaExecutor>,
    lane: CudaLane,
    plan: Plan,
    precision: Precision,
    begin: Event,
    end: Event,
    stream: Stream,
}

impl std::fmt::Debug for Timing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timing").field("device", &self.executor.device).finish_non_exhaustive()
    }
}

impl Timing {
    /// Brings a model onto the first usable GPU.
    ///
    /// # Errors
    /// As a scorer's.
    pub fn new(model: &Model, precision: Precision, max_candidates: usize) -> Result<Self> {
        Self::with_split(model, precision, max_candidates, Split::default())
    }

    /// The same, with columns that are given once a request; batches of one request are timed.
    ///
    /// # Errors
    /// As a scorer's.
    pub fn with_split(
        model: &Model,
        precision: Precision,
        max_candidates: usize,
        split: Split,
    ) -> Result<Self> {
        split.check(model.widths())?;
        let folding = folding(precision);
        let (config, weights) = (model.config(), model.weights());
        let plan = Plan::build_for(config, model.widths(), weights, super::ALIGN, folding, &split);
        let options = Options {
            precision,
            max_candidates,
            split,
            threads: 0,
            cpu_kernel: None,
            adapter: None,
            planted_fault: false,
        };
        let executor = Arc::new(CudaExecutor::new(&plan, &options)?);
        let lane = CudaLane::new(Arc::clone(&executor))?;
        let gpu = &executor.gpu;
        let (begin, end, stream) = (Event::new(gpu)?, Event::new(gpu)?, Stream::new(gpu)?);
        Ok(Self { lane, plan, precision, begin, end, stream, executor })
    }

    /// What runs.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.executor.device()
    }

    /// Each kernel by itself on what an earlier launch left in its inputs, `samples` times after a warm-up. Features
    /// are whatever was uploaded last: time a scored batch first.
    ///
    /// # Errors
    /// A device that fails.
    pub fn kernels(&mut self, candidates: usize, samples: usize) -> Result<Vec<KernelTime>> {
        let launches = self.launches(candidates);
        let one_to_one = launches.len() == self.plan.steps.len();
        let mut times = Vec::new();
        for (index, launch) in launches.iter().enumerate() {
            let step = bucket::step(&self.executor, launch)?;
            let steps: Vec<_> = (0..COPIES).map(|_| step).collect();
            let graph = Graph::new(&self.executor.gpu, &steps)?;
            let seconds = self.sample(&graph, samples, COPIES as f64)?;
            let (flops, bytes) = match one_to_one {
                true => self.cost(&self.plan.steps[index], candidates),
                false => (0.0, 0.0),
            };
            let blocks = launch.grid.iter().map(|&n| n as usize).product();
            times.push(KernelTime {
                entry: launch.entry.clone().into_owned(),
                blocks,
                flops,
                bytes,
                seconds,
            });
        }
        Ok(times)
    }

    /// The whole graph of a batch's size, features resident, one start a sample.
    ///
    /// # Errors
    /// A device that fails.
    pub fn graph(&mut self, candidates: usize, samples: usize) -> Result<Vec<f64>> {
        let launches = self.launches(candidates);
        let steps = launches.iter().map(|launch| bucket::step(&self.executor, launch));
        let graph = Graph::new(&self.executor.gpu, &steps.collect::<Result<Vec<_>>>()?)?;
        self.sample(&graph, samples, 1.0)
    }

    /// Copies of `bytes` on the device, to it and from it.
    ///
    /// # Errors
    /// A device that fails, or has no memory for two such blocks.
    pub fn copies(&self, bytes: usize, samples: usize) -> Result<Vec<CopyTime>> {
        let gpu = &self.executor.gpu;
        let (from, to) = (DeviceMemory::new(gpu, bytes)?, DeviceMemory::new(gpu, bytes)?);
        from.clear(0, bytes)?;
        let mut pinned = PinnedMemory::new(gpu, bytes)?;
        let _current = gpu.enter()?;
        let mut times = Vec::new();
        for (name, moved) in [("device_to_device", 2), ("host_to_device", 1), ("device_to_host", 1)] {
            let mut seconds = Vec::new();
            for sample in 0..=samples {
                self.begin.record(&self.stream)?;
                match name {
                    "device_to_device" => self.stream.copy(&to, &from, bytes)?,
                    // SAFETY: the stream is waited for below, before the pinned bytes are touched again.
                    "host_to_device" => unsafe { self.stream.upload(&to, 0, pinned.bytes())? },
                    // SAFETY: as above.
                    _ => unsafe { self.stream.download(&from, 0, pinned.bytes_mut())? },
                }
                self.end.record(&self.stream)?;
                self.stream.wait()?;
                if sample > 0 {
                    seconds.push(self.end.since(&self.begin)?.as_secs_f64());
                }
            }
            seconds.sort_by(f64::total_cmp);
            times.push(CopyTime { name, bytes: (moved * bytes) as f64, seconds });
        }
        Ok(times)
    }

    /// What starting work costs, by the plan's last kernel for one candidate.
    ///
    /// # Errors
    /// A device that fails.
    pub fn starts(&mut self, samples: usize) -> Result<Vec<StartTime>> {
        let launches = self.launches(1);
        let Some(last) = launches.last() else { return Ok(Vec::new()) };
        let step = bucket::step(&self.executor, last)?;
        let graph = |copies: usize| Graph::new(&self.executor.gpu, &vec![step; copies]);
        let (one, many) = (graph(1)?, graph(1 + COPIES)?);
        let (alone, together) = (self.sample(&one, samples, 1.0)?, self.sample(&many, samples, 1.0)?);
        let more = alone.iter().zip(&together).map(|(one, many)| (many - one).max(0.0) / COPIES as f64);
        let _current = self.executor.gpu.enter()?;
        let mut seconds = Vec::with_capacity(samples);
        for _ in 0..samples {
            let clock = Instant::now();
            // SAFETY: as in `sample`; waited for at once.
            unsafe { one.launch(&self.stream)? };
            self.stream.wait()?;
            seconds.push(clock.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let mut more: Vec<f64> = more.collect();
        more.sort_by(f64::total_cmp);
        Ok(vec![
            StartTime { name: "graph_start", seconds },
            StartTime { name: "kernel_start", seconds: more },
        ])
    }

    fn launches(&self, candidates: usize) -> Vec<Launch> {
        let program = &self.executor.program;
        let place = self.executor.place(&self.lane.memory);
        let outputs = head_outputs(program, place, 0, Outputs::default());
        let types = (FeatureType::F32, BinaryType::Numbers);
        let layout = Layout::new(types, (1, candidates), self.plan.widths, &self.executor.split);
        let feed = Feed::new(&layout, program.lane.inputs.at(place.lane), &(0..candidates), outputs.status);
        let weights = vec![1.0; self.plan.head().tasks.len()];
        let mut launches = vec![program.featurize(place, candidates, &feed)];
        let sums = &program.sums(place)[once::tile(1)];
        launches.extend(sums.iter().map(|launch| {
            let [columns, ..] = launch.grid;
            Launch { grid: [columns, once::tile_rows(1), 1], ..launch.clone() }
        }));
        launches.extend(program.middle(place, candidates));
        launches.push(program.head(
            place,
            candidates,
            HeadCall { weights: &weights, calibrated: true, outputs },
        ));
        launches
    }

    fn sample(&self, graph: &Graph, samples: usize, launches: f64) -> Result<Vec<f64>> {
        let _current = self.executor.gpu.enter()?;
        let mut seconds = Vec::new();
        for sample in 0..samples + 3 {
            self.begin.record(&self.stream)?;
            // SAFETY: all addresses are in the image and the lane, which live as long as `self`; waited for below.
            unsafe { graph.launch(&self.stream)? };
            self.end.record(&self.stream)?;
            self.stream.wait()?;
            if sample >= 3 {
                seconds.push(self.end.since(&self.begin)?.as_secs_f64() / launches);
            }
        }
        seconds.sort_by(f64::total_cmp);
        Ok(seconds)
    }

    /// FLOPs, and bytes moved at least, of a step.
    fn cost(&self, step: &PlanStep, candidates: usize) -> (f64, f64) {
        let n = candidates as f64;
        let size = super::element::bytes(self.precision) as f64;
        let cost = self.plan.step_cost(step);
        let bytes = match step {
            // f32 in, activations out.
            PlanStep::Featurize(_) => (4.0 + size) * self.plan.widths.input_dim() as f64 * n,
            _ => size * (cost.weights as f64 + cost.activations as f64 * n),
        };
        (cost.flops * n, bytes)
    }

    /// Scores a batch of f32 features through the lane, so that every buffer holds numbers of a real batch.
    ///
    /// # Errors
    /// As a scorer's.
    pub fn score(&mut self, request: crate::Request<'_>) -> Result<Vec<f32>> {
        use crate::backend::Lane;
        let weights = vec![1.0; self.plan.head().tasks.len()];
        let mut scores = crate::Scores::default();
        scores.prepare(request.candidates, weights.len(), Outputs::default());
        let call = crate::backend::Call {
            batch: crate::Batch { requests: &[request] },
            weights: &weights,
            calibrated: true,
            outputs: Outputs::default(),
        };
        self.lane.score(&call, &mut scores)?;
        Ok(scores.scores)
    }
}
