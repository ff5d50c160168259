//! One caller's place on the GPU: memory, pinned staging, streams, and a graph for each batch size.
//!
//! A call packs its batch into pinned memory (or finds it there, where the caller has written it there), the copy of
//! finished pieces running behind; updates the two launches that carry what is the call's own (featurize: where the
//! features lie; head: the score weights); starts the graph; and copies back what was asked for. Nothing is
//! allocated, and the one wait is at the end.
//!
//! A large batch goes in chunks, so that the copy of one overlaps the computation of the one before: copies have a
//! stream of their own then. Chunks change no bit of a score. Several callers have lanes of their own, which overlap
//! likewise.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::staged::Layout;
use crate::backend::{Call, DeviceCall, Lane, SelfTest, StagedCall};
use crate::scores::{Outputs, Scores};
use crate::{Backend, Error, Result};

use super::bucket::Bucket;
use super::device_call;
use super::driver::{DeviceMemory, Event, PinnedMemory, Stream};
use super::executor::{CudaExecutor, unavailable};
use super::layout::Region;
use super::outputs::{OutputLayout, head_outputs, wanted};
use super::program::{Feed, HeadCall};
use super::staging;

/// A lane. Fields are dropped in order: the streams wait for what is in flight before memory is freed.
pub(super) struct CudaLane {
    stream: Stream,
    copies: Stream,
    marks: Marks,
    pub(super) graphs: Vec<Bucket>,
    inputs: PinnedMemory,
    outputs: PinnedMemory,
    layout: OutputLayout,
    pub(super) memory: DeviceMemory,
    /// Whether the last call's events were recorded, so that its times can be read.
    is_timed: bool,
    /// Whether work in a caller's stream may still use this lane's memory, up to `marks.lent`.
    is_lent: bool,
    /// Set when the device failed: what is in its memory is then unknown.
    is_broken: bool,
    pub(super) executor: Arc<CudaExecutor>,
}

/// Points of a call that streams and times are ordered by.
struct Marks {
    /// Before the first copy.
    begin: Event,
    /// The first chunk's features are on the device.
    fed: Event,
    /// A later chunk's are.
    next: Event,
    /// The last graph is done.
    computed: Event,
    /// The outputs are on the host.
    done: Event,
    /// What was enqueued in a caller's stream is done.
    lent: Event,
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
        let (stream, copies) = (Stream::new(gpu)?, Stream::new(gpu)?);
        let mark = || Event::new(gpu);
        let marks = Marks {
            begin: mark()?,
            fed: mark()?,
            next: mark()?,
            computed: mark()?,
            done: mark()?,
            lent: mark()?,
        };
        let inputs = PinnedMemory::new(gpu, program.lane.inputs.bytes)?;
        let layout = OutputLayout::new(program);
        let outputs = PinnedMemory::new(gpu, layout.bytes)?;
        let place = executor.place(&memory);
        let graphs = program.buckets().into_iter().map(|size| Bucket::new(&executor, place, size));
        let graphs = graphs.collect::<Result<_>>()?;
        Ok(Self {
            stream,
            copies,
            marks,
            graphs,
            inputs,
            outputs,
            layout,
            memory,
            is_timed: false,
            is_lent: false,
            is_broken: false,
            executor,
        })
    }

    /// Everything up to the wait; `batch` is packed, and without one the inputs lie packed already. On an error work
    /// may be in flight.
    fn start(&mut self, work: &Work<'_>, layout: &Layout) -> Result<()> {
        let Self { stream, copies, marks, graphs, inputs, outputs, memory, executor, .. } = self;
        let program = &executor.program;
        let place = executor.place(memory);
        let offset = program.lane.inputs.offset;
        if self.is_lent {
            stream.wait_event(&marks.lent)?;
        }
        let chunk = executor.chunk_rows(layout.candidates);
        let is_whole = chunk >= layout.candidates;
        // One chunk needs no second stream, and no order between two.
        let feeder = if is_whole { &*stream } else { &*copies };
        marks.begin.record(feeder)?;
        for first in (0..layout.candidates).step_by(chunk) {
            let rows = first..(first + chunk).min(layout.candidates);
            let upload = |at: usize, piece: &[u8]| {
                // SAFETY: pieces are not written again in this call, and the next one starts after this one has waited.
                unsafe { feeder.upload(memory, offset + at, piece) }
            };
            match work.batch {
                Some(batch) => {
                    let (widths, split) = (program.plan().widths, &executor.split);
                    staging::pack(batch, (widths, split), layout, rows.clone(), inputs.bytes_mut(), upload)?;
                }
                None => feed(layout, &rows, inputs.bytes(), upload)?,
            }
            let fed = if first == 0 { &marks.fed } else { &marks.next };
            fed.record(feeder)?;
            if !is_whole {
                stream.wait_event(fed)?;
            }
            let status = program.lane.status.at(place.lane) + (first * size_of::<u32>()) as u64;
            let source = Feed::new(layout, program.lane.inputs.at(place.lane), &rows, status);
            let head = HeadCall {
                weights: work.weights,
                calibrated: work.calibrated,
                outputs: head_outputs(program, place, first, work.outputs),
            };
            let bucket = Bucket::choose(graphs, rows.len(), program.max_candidates())?;
            // SAFETY: all addresses are in the image and in this lane's memory, which outlive the wait; runs of a lane
            // are in one stream.
            unsafe { bucket.launch(executor, place, &source, head, stream)? };
        }
        marks.computed.record(stream)?;
        let pinned = outputs.bytes_mut();
        let mut download = |from: Region, to: Region, bytes: usize| {
            // SAFETY: the pinned bytes are read only after the wait.
            unsafe { stream.download(memory, from.offset, &mut pinned[to.offset..to.offset + bytes]) }
        };
        let words = layout.candidates * size_of::<u32>();
        download(program.lane.status, self.layout.status, words)?;
        download(program.lane.score, self.layout.score, words)?;
        let tasks = program.plan().head().tasks.len();
        let per_task = program.lane.per_task().into_iter().zip(self.layout.per_task);
        for ((from, to), wanted) in per_task.zip(wanted(work.outputs)) {
            if wanted {
                download(from, to, words * tasks)?;
            }
        }
        marks.done.record(stream)
    }

    /// A whole call.
    fn run(&mut self, work: &Work<'_>, layout: &Layout, scores: &mut Scores) -> Result<()> {
        self.check_usable()?;
        let executor = Arc::clone(&self.executor);
        let _current = executor.gpu.enter()?;
        self.is_timed = false;
        let started = self.start(work, layout);
        // Also after an error: the pinned memory may be in use. The copies' stream is waited for by the other, unless
        // an error came between.
        let copied = if started.is_err() { self.copies.wait() } else { Ok(()) };
        let waited = self.stream.wait();
        if let Err(error) = started.and(copied).and(waited) {
            self.is_broken = true;
            return Err(error);
        }
        (self.is_timed, self.is_lent) = (true, false);
        self.layout.read(self.outputs.bytes(), scores);
        Ok(())
    }

    fn check_usable(&self) -> Result<()> {
        if self.is_broken {
            return Err(Error::Device {
                backend: Backend::Cuda,
                operation: "score".into(),
                problem: "the device failed in an earlier call; build a new scorer".into(),
            });
        }
        Ok(())
    }

    /// Starts a batch of device memory in a caller's stream.
    fn start_lent(&mut self, call: &DeviceCall<'_>, stream: &Stream) -> Result<()> {
        let place = self.executor.place(&self.memory);
        let program = &self.executor.program;
        if self.is_lent {
            stream.wait_event(&self.marks.lent)?;
        }
        let outputs = device_call::outputs(call.outputs, program, place);
        let source = device_call::feed(call.batch, &self.executor, outputs.status);
        let head = HeadCall { weights: call.weights, calibrated: call.calibrated, outputs };
        let bucket = Bucket::choose(&mut self.graphs, call.batch.candidates, program.max_candidates())?;
        // SAFETY: the lane's memory outlives what is enqueued: `lent` is waited for before it is freed, and before the
        // lane runs anything else. The caller answers for the rest, by the contract of `DeviceSlice`.
        unsafe { bucket.launch(&self.executor, place, &source, head, stream)? };
        self.marks.lent.record(stream)
    }
}

/// What a call asks for.
struct Work<'a> {
    batch: Option<&'a crate::Batch<'a>>,
    weights: &'a [f32],
    calibrated: bool,
    outputs: Outputs,
}

/// Hands over what lies packed already: all before the first rows, and these rows.
fn feed(
    layout: &Layout,
    rows: &Range<usize>,
    packed: &[u8],
    mut upload: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    if rows.len() == layout.candidates {
        return upload(0, &packed[..layout.bytes]);
    }
    if rows.start == 0 {
        let once = layout.candidate[0].offset;
        upload(0, &packed[..once])?;
    }
    for place in layout.candidate.iter().filter(|place| place.stride > 0) {
        let bytes = place.bytes(rows);
        upload(bytes.start, &packed[bytes])?;
    }
    Ok(())
}

impl Lane for CudaLane {
    fn score(&mut self, call: &Call<'_>, scores: &mut Scores) -> Result<()> {
        let layout = staging::layout(&call.batch, self.executor.program.plan().widths, &self.executor.split);
        let work = Work {
            batch: Some(&call.batch),
            weights: call.weights,
            calibrated: call.calibrated,
            outputs: call.outputs,
        };
        self.run(&work, &layout, scores)
    }

    fn bytes(&self) -> (usize, usize) {
        let memory = super::executor::memory(&self.executor.program);
        (memory.per_call, memory.host_per_call)
    }

    fn staging(&mut self) -> Option<&mut [u8]> {
        Some(self.inputs.bytes_mut())
    }

    fn score_staged(&mut self, call: &StagedCall<'_>, scores: &mut Scores) -> Result<()> {
        let table = call.layout.candidates * size_of::<u32>();
        staging::write_table(call.sizes.iter().copied(), &mut self.inputs.bytes_mut()[..table]);
        let StagedCall { weights, calibrated, outputs, .. } = *call;
        self.run(&Work { batch: None, weights, calibrated, outputs }, call.layout, scores)
    }

    fn enqueue(&mut self, call: &DeviceCall<'_>) -> Result<()> {
        self.check_usable()?;
        let executor = Arc::clone(&self.executor);
        let _current = executor.gpu.enter()?;
        device_call::check(call, &executor)?;
        // SAFETY: the caller's promise at `DeviceStream::from_raw`.
        let stream = unsafe { Stream::lent(&executor.gpu, call.stream.as_raw()) };
        if let Err(error) = self.start_lent(call, &stream) {
            // Some of it may run; nothing may be freed or run again before that is over.
            self.is_broken = true;
            return stream.wait().and(Err(error));
        }
        self.is_lent = true;
        Ok(())
    }

    fn self_test(&mut self, test: &SelfTest) -> Result<()> {
        let sizes: Vec<usize> = self.graphs.iter().map(|bucket| bucket.candidates).collect();
        let mut first: Option<Scores> = None;
        for size in sizes {
            // Graphs before it are out of the way: the smallest that is left is taken.
            let smaller = self.graphs.partition_point(|bucket| bucket.candidates < size);
            let hidden: Vec<Bucket> = self.graphs.drain(..smaller).collect();
            let mut scores = test.scores();
            let result = test.run(|call| self.score(call, &mut scores));
            self.graphs.splice(..0, hidden);
            result?;
            let kernels = format!("graph for {size} candidates");
            test.compare(&self.executor.device, &kernels, &scores)?;
            match &first {
                None => first = Some(scores),
                Some(first) => test.same(&self.executor.device, &kernels, first, &scores)?,
            }
        }
        Ok(())
    }

    fn copy_time(&self) -> Duration {
        if !self.is_timed {
            return Duration::ZERO;
        }
        let marks = &self.marks;
        let between = |from: &Event, to: &Event| to.since(from).unwrap_or_default();
        let Ok(_current) = self.executor.gpu.enter() else { return Duration::ZERO };
        between(&marks.begin, &marks.fed) + between(&marks.computed, &marks.done)
    }
}

impl Drop for CudaLane {
    fn drop(&mut self) {
        if self.is_lent
            && let Ok(_current) = self.executor.gpu.enter()
        {
            // A failed device has nothing in flight; there is nobody to tell.
            let _over = self.marks.lent.wait();
        }
    }
}
