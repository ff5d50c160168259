//! One caller's place on the GPU: memory, pinned staging, a stream, and a graph for each batch size.
//!
//! A call packs its batch into pinned memory, the copy of finished pieces running behind; updates the two launches
//! that carry what is the call's own (featurize: where the features lie; head: the score weights); starts the graph;
//! and copies back what was asked for. Nothing is allocated, and the one wait is at the end. Lanes have streams of
//! their own, so that copies of one overlap the computation of another.

use std::sync::Arc;

use crate::backend::{Call, Lane};
use crate::scores::{Scores, Status};
use crate::{Backend, Error, Result};

use super::driver::{DeviceMemory, Graph, PinnedMemory, Step, Stream};
use super::executor::{CudaExecutor, unavailable};
use super::layout::{Arena, Region};
use super::program::{HeadCall, Launch, Place};
use super::staging::{self, Kind, Packed};

/// A lane. Fields are dropped in order: the stream waits for what is in flight before memory is freed.
pub(super) struct CudaLane {
    stream: Stream,
    graphs: Vec<Bucket>,
    inputs: PinnedMemory,
    outputs: PinnedMemory,
    layout: OutputLayout,
    memory: DeviceMemory,
    /// Set when the device failed: what is in its memory is then unknown.
    is_broken: bool,
    executor: Arc<CudaExecutor>,
}

/// A graph for batches of up to so many candidates.
struct Bucket {
    candidates: usize,
    graph: Graph,
    last: usize,
}

/// Where outputs lie in pinned memory.
struct OutputLayout {
    status: Region,
    score: Region,
    per_task: [Region; 3],
}

impl CudaLane {
    pub(super) fn new(executor: Arc<CudaExecutor>) -> Result<Self> {
        let (gpu, program) = (&executor.gpu, &executor.program);
        let free = gpu.free_memory()?;
        if program.lane.bytes() > free {
            return Err(unavailable(format!(
                "{} has {} MiB free; needed: {} MiB for one more call in flight",
                gpu.found.name,
                free >> 20,
                program.lane.bytes().div_ceil(1 << 20)
            )));
        }
        let memory = DeviceMemory::new(gpu, program.lane.bytes())?;
        memory.clear(program.lane.tickets.offset, program.lane.tickets.bytes)?;
        let stream = Stream::new(gpu)?;
        let inputs = PinnedMemory::new(gpu, program.lane.inputs.bytes)?;
        let mut arena = Arena::default();
        let layout = OutputLayout {
            status: arena.push(program.lane.status.bytes),
            score: arena.push(program.lane.score.bytes),
            per_task: program.lane.per_task().map(|region| arena.push(region.bytes)),
        };
        let outputs = PinnedMemory::new(gpu, arena.bytes())?;
        let place = executor.place(&memory);
        let graphs = program.buckets().into_iter().map(|size| Bucket::new(&executor, place, size));
        let graphs = graphs.collect::<Result<_>>()?;
        Ok(Self { stream, graphs, inputs, outputs, layout, memory, is_broken: false, executor })
    }

    /// Everything up to the wait. On an error work may be in flight.
    fn start(&mut self, call: &Call<'_>) -> Result<()> {
        let Self { stream, graphs, inputs, outputs, layout, memory, executor, .. } = self;
        let program = &executor.program;
        let place = executor.place(memory);
        let offset = program.lane.inputs.offset;
        let packed = staging::pack(
            &call.batch,
            program.plan().widths,
            &executor.split,
            inputs.bytes_mut(),
            |at, piece| {
                // SAFETY: pieces are never written again by `pack`, and the next call starts after this one has waited.
                unsafe { stream.upload(memory, offset + at, piece) }
            },
        )?;
        let bucket = graphs.iter_mut().find(|bucket| bucket.candidates >= packed.candidates);
        let bucket = bucket
            .ok_or(Error::TooManyCandidates { max: program.max_candidates(), found: packed.candidates })?;
        let wanted = [call.outputs.logits, call.outputs.probabilities, call.outputs.calibrated_probabilities];
        let head = HeadCall { weights: call.weights, calibrated: call.calibrated, outputs: wanted };
        let first = program.featurize(place, bucket.candidates, program.lane.inputs.at(place.lane), &packed);
        let last = program.head(place, bucket.candidates, head);
        bucket.graph.update(0, &step(executor, &first)?)?;
        bucket.graph.update(bucket.last, &step(executor, &last)?)?;
        // SAFETY: all addresses are in the image and in this lane's memory, which outlive the wait; the lane runs one
        // call at a time.
        unsafe { bucket.graph.launch(stream)? };

        let pinned = outputs.bytes_mut();
        let mut download = |from: Region, to: Region, bytes: usize| {
            // SAFETY: the pinned bytes are read only after the wait.
            unsafe { stream.download(memory, from.offset, &mut pinned[to.offset..to.offset + bytes]) }
        };
        let words = packed.candidates * size_of::<u32>();
        download(program.lane.status, layout.status, words)?;
        download(program.lane.score, layout.score, words)?;
        let tasks = program.plan().head().tasks.len();
        for ((from, to), wanted) in program.lane.per_task().into_iter().zip(layout.per_task).zip(wanted) {
            if wanted {
                download(from, to, words * tasks)?;
            }
        }
        Ok(())
    }
}

impl Lane for CudaLane {
    fn score(&mut self, call: &Call<'_>, scores: &mut Scores) -> Result<()> {
        if self.is_broken {
            return Err(Error::Device {
                backend: Backend::Cuda,
                operation: "score".into(),
                problem: "the device failed in an earlier call; build a new scorer".into(),
            });
        }
        let executor = Arc::clone(&self.executor);
        let _current = executor.gpu.enter()?;
        let started = self.start(call);
        // Also after an error: the pinned memory may be in use.
        let waited = self.stream.wait();
        if let Err(error) = started.and(waited) {
            self.is_broken = true;
            return Err(error);
        }
        let pinned = self.outputs.bytes();
        let layout = &self.layout;
        let read = |from: Region, into: &mut [f32]| {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(into);
            bytes.copy_from_slice(&pinned[from.offset..from.offset + bytes.len()]);
        };
        read(layout.score, &mut scores.scores);
        let per_task = [&mut scores.logits, &mut scores.probabilities, &mut scores.calibrated_probabilities];
        for (from, into) in layout.per_task.into_iter().zip(per_task) {
            read(from, into);
        }
        let statuses = pinned[layout.status.offset..].chunks_exact(size_of::<u32>());
        for (status, word) in scores.statuses.iter_mut().zip(statuses) {
            *status = match word {
                [0, ..] => Status::Ok,
                [1, ..] => Status::ZeroVariance,
                _ => Status::NonFinite,
            };
        }
        Ok(())
    }
}

impl Bucket {
    fn new(executor: &CudaExecutor, place: Place, candidates: usize) -> Result<Self> {
        let program = &executor.program;
        // The first and the last launch are replaced in every call; these stand in for them.
        let weights = vec![0.0; program.plan().head().tasks.len()];
        let head = HeadCall { weights: &weights, calibrated: true, outputs: [false; 3] };
        let empty = Packed::empty(Kind::F32);
        let mut launches = vec![program.featurize(place, candidates, place.lane, &empty)];
        launches.extend(program.middle(place, candidates));
        launches.push(program.head(place, candidates, head));
        let steps = launches.iter().map(|launch| step(executor, launch)).collect::<Result<Vec<_>>>()?;
        let graph = Graph::new(&executor.gpu, &steps)?;
        Ok(Self { candidates, graph, last: steps.len() - 1 })
    }
}

fn step<'a>(executor: &'a CudaExecutor, launch: &'a Launch) -> Result<Step<'a>> {
    Ok(Step {
        kernel: executor.kernel(&launch.entry)?,
        grid: launch.grid,
        parameters: launch.parameters.bytes(),
    })
}
