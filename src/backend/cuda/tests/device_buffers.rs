//! Batches in device memory: the same bits as from the host, in the caller's order, and typed errors for what does not
//! fit.

use std::sync::Arc;

use super::runtime::{WIDTHS, columns, model, model_of};
use crate::backend::cuda::driver::{self, DeviceMemory, Gpu, PinnedMemory, Stream};
use crate::config::Widths;
use crate::weights::seeded::{self, SeededInputs};
use crate::{
    Backend, Batch, DeviceBatch, DeviceColumns, DeviceOutputs, DeviceSlice, DeviceStream, ElementType, Error,
    Outputs, Request, ScoreOptions, Scorer, Scores, Split,
};
use maskrank_ptx_driver::FOREIGN;
use maskrank_ptx_driver::faults;

const WEIGHTS: [f32; 2] = [1.0, -3.0];

/// A caller's own memory on the GPU.
struct Caller {
    gpu: Arc<Gpu>,
    stream: Stream,
    owned: Vec<DeviceMemory>,
}

impl Caller {
    fn new() -> Self {
        let found = driver::find(None).expect("the driver double has a GPU").remove(0);
        let gpu = Gpu::open(found).expect("it opens");
        let stream = Stream::new(&gpu).expect("a stream");
        Self { gpu, stream, owned: Vec::new() }
    }

    fn stream(&self) -> DeviceStream {
        // SAFETY: the stream lives as long as the test.
        unsafe { DeviceStream::from_raw(self.stream.handle.0) }
    }

    fn memory(&mut self, bytes: usize) -> u64 {
        self.owned.push(DeviceMemory::new(&self.gpu, bytes).expect("memory"));
        self.owned.last().expect("just pushed").address()
    }

    fn upload<T: bytemuck::Pod>(&mut self, values: &[T], element: ElementType) -> DeviceSlice {
        if values.is_empty() {
            return DeviceSlice::EMPTY;
        }
        let address = self.memory(size_of_val(values));
        self.owned.last().expect("just pushed").write(bytemuck::cast_slice(values)).expect("a copy");
        // SAFETY: allocated with this length; it lives as long as the caller.
        unsafe { DeviceSlice::new(address, values.len(), element) }
    }

    fn output(&mut self, len: usize, element: ElementType) -> DeviceSlice {
        let address = self.memory(len * element.bytes());
        // SAFETY: as above.
        unsafe { DeviceSlice::new(address, len, element) }
    }

    fn read(&self, slice: DeviceSlice) -> Vec<u32> {
        let memory = self.owned.iter().find(|memory| memory.address() == slice.address()).expect("ours");
        let mut pinned = PinnedMemory::new(&self.gpu, slice.len() * 4).expect("memory");
        // SAFETY: waited for below.
        unsafe { self.stream.download(memory, 0, pinned.bytes_mut()).expect("a copy") };
        self.stream.wait().expect("it ran");
        bytemuck::cast_slice(pinned.bytes()).to_vec()
    }

    fn columns(&mut self, inputs: &SeededInputs) -> DeviceColumns {
        DeviceColumns {
            continuous: self.upload(&inputs.continuous, ElementType::F32),
            binary: self.upload(&inputs.binary, ElementType::F32),
            user_embedding: self.upload(&inputs.embeddings[0], ElementType::F32),
            user_eng_embedding: self.upload(&inputs.embeddings[1], ElementType::F32),
            author_embedding: self.upload(&inputs.embeddings[2], ElementType::F32),
        }
    }

    fn outputs(&mut self, candidates: usize) -> DeviceOutputs {
        DeviceOutputs {
            scores: self.output(candidates, ElementType::F32),
            statuses: self.output(candidates, ElementType::U32),
            logits: self.output(2 * candidates, ElementType::F32),
            ..DeviceOutputs::default()
        }
    }
}

fn scorer(split: Split, max_in_flight: usize) -> Scorer {
    let builder =
        Scorer::builder(&model()).backend(Backend::Cuda).max_candidates(40).max_in_flight(max_in_flight);
    builder.split(split).build().expect("the driver double has a GPU")
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Some rows of seeded inputs.
fn cut(all: &SeededInputs, rows: std::ops::Range<usize>, widths: Widths) -> SeededInputs {
    let cut = |values: &[f32], width: usize| values[rows.start * width..rows.end * width].to_vec();
    let [user, user_eng, author] = widths.embeddings();
    SeededInputs {
        continuous: cut(&all.continuous, widths.continuous),
        binary: cut(&all.binary, widths.binary),
        embeddings: [
            cut(&all.embeddings[0], user),
            cut(&all.embeddings[1], user_eng),
            cut(&all.embeddings[2], author),
        ],
    }
}

fn from_host(scorer: &Scorer, requests: &[Request<'_>]) -> Scores {
    let options = ScoreOptions::new(&WEIGHTS).with_outputs(Outputs { logits: true, ..Outputs::default() });
    let mut scores = Scores::default();
    scorer.score(Batch { requests }, &options, &mut scores).expect("scores");
    scores
}

#[test]
fn several_batches_in_flight_have_the_bits_of_the_host() {
    faults::start(faults::Plan::None);
    let split = Split::user_embeddings();
    let (scorer, mut caller) = (scorer(split.clone(), 2), Caller::new());
    let (once, each) = (split.request_widths(WIDTHS), split.candidate_widths(WIDTHS));
    let mut under_way = Vec::new();
    // More batches than places, so that one must run behind another's work.
    for (seed, sizes) in [[3, 17], [1, 39], [16, 1], [20, 20], [2, 2]].into_iter().enumerate() {
        let candidates = sizes.iter().sum();
        let requests = seeded::inputs(once, 2, seed as u64);
        let features = seeded::inputs(each, candidates, seed as u64 + 50);
        let table: Vec<u32> =
            sizes.iter().enumerate().flat_map(|(r, &n)| std::iter::repeat_n(r as u32, n)).collect();
        let (request, candidate) = (caller.columns(&requests), caller.columns(&features));
        let table = caller.upload(&table, ElementType::U32);
        // SAFETY: the table's indices are 0 and 1.
        let batch = unsafe { DeviceBatch::of_requests(candidates, 2, table, request, candidate) };
        let outputs = caller.outputs(candidates);
        scorer.enqueue(&batch, &ScoreOptions::new(&WEIGHTS), &outputs, caller.stream()).expect("enqueued");
        under_way.push((sizes, requests, features, outputs));
    }
    for (sizes, requests, features, outputs) in under_way {
        let parts = [
            (cut(&requests, 0..1, once), cut(&features, 0..sizes[0], each)),
            (cut(&requests, 1..2, once), cut(&features, sizes[0]..sizes[0] + sizes[1], each)),
        ];
        let host: Vec<Request<'_>> = sizes
            .iter()
            .zip(&parts)
            .map(|(&candidates, (once, each))| Request {
                candidates,
                request: columns(once),
                candidate: columns(each),
            })
            .collect();
        let expected = from_host(&scorer, &host);
        assert_eq!(caller.read(outputs.scores), bits(&expected.scores), "{sizes:?}");
        assert_eq!(caller.read(outputs.logits), bits(&expected.logits), "{sizes:?}");
        let statuses: Vec<u32> = expected.statuses.iter().map(|&status| status as u32).collect();
        assert_eq!(caller.read(outputs.statuses), statuses, "{sizes:?}");
    }
    drop((scorer, caller));
    assert_eq!((faults::alive().len(), faults::broken()), (0, vec![]));
}

/// Products that are computed once a request, for as many requests as the scorer has room for and no more.
#[test]
fn requests_whose_products_are_shared_are_bounded() {
    const MAX: usize = 20;
    let widths = Widths { continuous: 140, user_embedding: 70, ..WIDTHS };
    let split = Split { continuous: vec![3..133], ..Split::user_embeddings() };
    let builder = Scorer::builder(&model_of(widths)).backend(Backend::Cuda).max_candidates(MAX);
    let scorer = builder.split(split.clone()).build().expect("the driver double has a GPU");
    let mut caller = Caller::new();
    let (once, each) = (split.request_widths(widths), split.candidate_widths(widths));
    let features = seeded::inputs(each, MAX, 1);
    let candidate = caller.columns(&features);
    let outputs = caller.outputs(MAX);
    // One candidate a request, in an order of its own.
    for requests in [1, 3, 17, MAX, MAX + 1] {
        let own = seeded::inputs(once, requests, 2);
        let of: Vec<usize> = (0..MAX).map(|row| row * 7 % requests).collect();
        let table: Vec<u32> = of.iter().map(|&request| request as u32).collect();
        let table = caller.upload(&table, ElementType::U32);
        let request = caller.columns(&own);
        // SAFETY: indices are remainders by the number of requests.
        let batch = unsafe { DeviceBatch::of_requests(MAX, requests, table, request, candidate) };
        let result = scorer.enqueue(&batch, &ScoreOptions::new(&WEIGHTS), &outputs, caller.stream());
        if requests > MAX {
            let error = result.expect_err("no room for so many").to_string();
            for word in ["requests", "at most 20", "21"] {
                assert!(error.contains(word), "\"{word}\" is not in: {error}");
            }
            continue;
        }
        result.expect("enqueued");
        let rows: Vec<_> = (of.iter().enumerate())
            .map(|(row, &of)| (cut(&own, of..of + 1, once), cut(&features, row..row + 1, each)))
            .collect();
        let host: Vec<Request<'_>> = rows
            .iter()
            .map(|(own, each)| Request { candidates: 1, request: columns(own), candidate: columns(each) })
            .collect();
        let expected = from_host(&scorer, &host);
        assert_eq!(caller.read(outputs.scores), bits(&expected.scores), "{requests} requests");
        assert_eq!(caller.read(outputs.logits), bits(&expected.logits), "{requests} requests");
    }
    caller.stream.wait().expect("it ran");
}

#[test]
fn a_scorer_that_is_dropped_in_flight_waits() {
    faults::start(faults::Plan::None);
    let (scorer, mut caller) = (scorer(Split::default(), 1), Caller::new());
    let features = seeded::inputs(WIDTHS, 7, 1);
    let expected =
        from_host(&scorer, &[Request { candidates: 7, candidate: columns(&features), ..Request::default() }]);
    let candidate = caller.columns(&features);
    let outputs = caller.outputs(7);
    let batch = DeviceBatch::one_request(7, DeviceColumns::default(), candidate);
    scorer.enqueue(&batch, &ScoreOptions::new(&WEIGHTS), &outputs, caller.stream()).expect("enqueued");
    drop(scorer);
    assert_eq!(faults::broken(), Vec::<&str>::new(), "nothing is freed under work in flight");
    assert_eq!(caller.read(outputs.scores), bits(&expected.scores));
}

#[test]
fn what_does_not_fit_is_named() {
    let (scorer, mut caller) = (scorer(Split::default(), 2), Caller::new());
    let features = seeded::inputs(WIDTHS, 4, 1);
    let candidate = caller.columns(&features);
    let outputs = caller.outputs(4);
    let none = DeviceColumns::default();
    let batch = |candidate| DeviceBatch::one_request(4, none, candidate);
    let enqueue = |batch: &DeviceBatch, outputs: &DeviceOutputs| {
        scorer.enqueue(batch, &ScoreOptions::new(&WEIGHTS), outputs, caller.stream())
    };
    enqueue(&batch(candidate), &outputs).expect("fits");
    let pinned = PinnedMemory::new(&caller.gpu, 4096).expect("memory");
    let element = ElementType::F32;
    let at = |address: u64, len: usize, element: ElementType| {
        // SAFETY: nothing reads what is refused.
        unsafe { DeviceSlice::new(address, len, element) }
    };
    let continuous = candidate.continuous;
    let with = |continuous| batch(DeviceColumns { continuous, ..candidate });
    let address = continuous.address();
    let table = at(address, 4, ElementType::U32);
    // SAFETY: nothing reads what is refused.
    let without_requests = unsafe { DeviceBatch::of_requests(4, 0, table, none, candidate) };
    // SAFETY: as above.
    let short_table =
        unsafe { DeviceBatch::of_requests(4, 2, at(address, 3, ElementType::U32), none, candidate) };
    // SAFETY: as above.
    let float_table = unsafe { DeviceBatch::of_requests(4, 2, at(address, 4, element), none, candidate) };
    let cases: [(&str, DeviceBatch, DeviceOutputs, &[&str]); 13] = [
        ("too short", with(at(address, 43, element)), outputs, &["candidate.continuous", "44", "43"]),
        ("absent", with(DeviceSlice::EMPTY), outputs, &["candidate.continuous", "44", "0"]),
        ("another type", with(at(address, 44, ElementType::U8)), outputs, &["continuous", "U8"]),
        (
            "mixed types",
            with(at(address, 44, ElementType::Bf16)),
            outputs,
            &["user_embedding", "F32 beside Bf16"],
        ),
        (
            "host memory",
            with(at(pinned.bytes().as_ptr() as u64, 44, element)),
            outputs,
            &["continuous", "host memory", "PTX interpreter (device 0)"],
        ),
        ("another device", with(at(FOREIGN, 44, element)), outputs, &["continuous", "memory of device 1"]),
        ("nowhere", with(at(16, 44, element)), outputs, &["continuous", "no memory that the driver knows"]),
        ("odd address", with(at(address + 2, 44, element)), outputs, &["continuous", "multiple of 4"]),
        ("no requests", without_requests, outputs, &["requests", "at least 1"]),
        ("short table", short_table, outputs, &["candidate_request", "4 elements", "3"]),
        ("float table", float_table, outputs, &["candidate_request", "U32"]),
        (
            "short output",
            batch(candidate),
            DeviceOutputs { scores: at(outputs.scores.address(), 3, element), ..outputs },
            &["outputs.scores", "4", "3"],
        ),
        (
            "output type",
            batch(candidate),
            DeviceOutputs { statuses: outputs.scores, ..outputs },
            &["outputs.statuses", "U32", "F32"],
        ),
    ];
    for (what, batch, outputs, words) in cases {
        let error = enqueue(&batch, &outputs).expect_err(what);
        assert!(matches!(error, Error::Argument { .. } | Error::Batch { .. }), "{what}: {error}");
        for word in words {
            assert!(error.to_string().contains(word), "{what}: \"{word}\" is not in: {error}");
        }
    }
    let many = DeviceBatch::one_request(41, none, candidate);
    assert!(matches!(enqueue(&many, &outputs), Err(Error::TooManyCandidates { max: 40, found: 41 })));
    // After all of it the scorer works.
    enqueue(&batch(candidate), &outputs).expect("fits");
    let cpu = Scorer::builder(&model()).backend(Backend::Cpu).max_candidates(40).build().expect("the CPU");
    let refused =
        cpu.enqueue(&batch(candidate), &ScoreOptions::new(&WEIGHTS), &outputs, DeviceStream::DEFAULT);
    assert!(matches!(refused, Err(Error::Unsupported { backend: Backend::Cpu, .. })), "{refused:?}");
    caller.stream.wait().expect("it ran");
}
