//! Whole models in every variant, chunks, errors, kernel times.

use maskrank::golden::Case;
use maskrank::wgpu_testing::{Mutation, TestDevice};
use maskrank::{
    Backend, Batch, Error, Outputs, Precision, Request, Result, ScoreOptions, Scorer, Scores, Split,
};

use super::{Named, open};

/// All but `production`, which the suite runs.
const CASES: [&str; 5] = ["tiny-parallel", "ragged-input-norm", "serial", "share-partial", "share-none"];

pub(crate) fn trials() -> Vec<Named> {
    vec![
        ("chunks_have_the_bits_of_one_batch".to_owned(), Box::new(chunks)),
        ("callers_side_by_side_get_their_own_bits".to_owned(), Box::new(side_by_side)),
        ("kernel_times_name_every_dispatch".to_owned(), Box::new(times)),
        ("ceilings_of_the_adapter_are_measured".to_owned(), Box::new(ceilings)),
        ("unknown_adapter_is_an_error_that_lists_those_found".to_owned(), Box::new(unknown_adapter)),
        ("broken_shader_is_a_typed_error".to_owned(), Box::new(broken_shader)),
        ("oversized_buffers_are_a_typed_error".to_owned(), Box::new(oversized)),
    ]
}

/// A golden case on a device, in chunks of at most `chunk` candidates; the failures, if any.
pub(crate) fn failures(
    device: &TestDevice,
    precision: Precision,
    case: &Case,
    chunk: usize,
) -> Option<String> {
    let scorer = Scorer::builder(&case.model)
        .backend(Backend::Wgpu)
        .precision(precision)
        .max_candidates(1)
        .max_in_flight(1)
        .build()
        .unwrap();
    let requests = [case.request()];
    let run = |options: &ScoreOptions<'_>, scores: &mut Scores| -> Result<()> {
        let batch = Batch { requests: &requests };
        device.score(&case.model, &Split::default(), chunk, batch, options, scores).map(drop)
    };
    match case.check_with(&scorer, run) {
        Ok(comparison) if comparison.passed() => None,
        Ok(comparison) => Some(comparison.failures()),
        Err(error) => Some(error.to_string()),
    }
}

pub(crate) fn golden(device: &TestDevice, precision: Precision) {
    for name in CASES {
        let case = open(name).unwrap();
        assert_eq!(failures(device, precision, &case, case.rows), None, "{name}");
    }
}

pub(crate) fn self_test(device: &TestDevice, _: Precision) {
    assert!(device.self_test(2784).unwrap(), "both tiles give the same bits");
}

fn preferred(precision: Precision) -> TestDevice {
    TestDevice::open(precision, &TestDevice::variants(precision).unwrap()[0], None).unwrap()
}

fn chunks() {
    let device = preferred(Precision::F32);
    let case = open("ragged-input-norm").unwrap();
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let outputs = Outputs { logits: true, probabilities: true, calibrated_probabilities: true, top_k: 0 };
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    // The case twice, a request without candidates between.
    let requests = [case.request(), Request::default(), case.request()];
    let run = |chunk: usize| {
        let mut scores = Scores::default();
        let batch = Batch { requests: &requests };
        device.score(&case.model, &Split::default(), chunk, batch, &options, &mut scores).unwrap();
        let floats =
            [&scores.scores, &scores.logits, &scores.probabilities, &scores.calibrated_probabilities];
        let bits = floats.map(|values| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
        (bits, scores.statuses)
    };
    let expected = run(2 * case.rows);
    for chunk in [1, 7, case.rows - 1, case.rows, case.rows + 1] {
        assert_eq!(run(chunk), expected, "chunks of {chunk}");
    }
}

/// Four callers at once on one scorer, each with the case's rows and an answer of its own.
fn side_by_side() {
    let case = open("serial").unwrap();
    let builder = Scorer::builder(&case.model).backend(Backend::Wgpu).max_candidates(case.rows);
    let scorer = builder.max_in_flight(4).build().unwrap();
    let tasks = case.score_weights.len();
    let run = |caller: usize| {
        // Weights that tell callers apart.
        let weights = vec![1.0 + caller as f32; tasks];
        let mut scores = Scores::default();
        let batch = [case.request()];
        scorer.score(Batch { requests: &batch }, &ScoreOptions::new(&weights), &mut scores).unwrap();
        scores.scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>()
    };
    let alone: Vec<Vec<u32>> = (0..4).map(run).collect();
    assert_ne!(alone[0], alone[1]);
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let (run, alone) = (&run, &alone);
            scope.spawn(move || {
                for call in 0..25 {
                    assert_eq!(run(caller), alone[caller], "caller {caller} call {call}");
                }
            });
        }
    });
}

/// What the benches hold rows of this backend against: that it runs, and gives rates. Times are nobody's to assert here.
fn ceilings() {
    let adapter = maskrank::wgpu_ceilings::Ceilings::open().unwrap();
    assert!(!adapter.title().is_empty());
    let bytes = (1 << 20) + 48;
    let is_rate = |rate: Result<f64>| rate.is_ok_and(|rate| rate.is_finite() && rate > 0.0);
    assert!(is_rate(adapter.multiply()), "multiply");
    assert!(is_rate(adapter.read(bytes)), "read");
    assert!(is_rate(adapter.copy(bytes)), "copy");
    assert!(is_rate(adapter.upload(bytes)), "upload");
    assert!(is_rate(adapter.download(bytes)), "download");
    assert!(adapter.dispatch().is_ok_and(|seconds| seconds.is_finite() && seconds >= 0.0));
    let submissions = adapter.submissions().unwrap();
    assert!(submissions.len() >= 100 && submissions.iter().all(|seconds| *seconds > 0.0));
}

fn times() {
    let device = preferred(Precision::F32);
    let case = open("serial").unwrap();
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let (requests, mut scores) = ([case.request()], Scores::default());
    let batch = Batch { requests: &requests };
    let times = device
        .score(&case.model, &Split::default(), case.rows, batch, &ScoreOptions::new(&weights), &mut scores)
        .unwrap();
    for stem in ["featurize", "gemm: ", "layer_norm: ", "head"] {
        let total: f64 = times.iter().filter(|(label, _)| label.starts_with(stem)).map(|(_, ns)| ns).sum();
        assert!(total > 0.0, "{stem}: {times:?}");
    }
}

fn unknown_adapter() {
    let case = open("tiny-parallel").unwrap();
    let error = Scorer::builder(&case.model)
        .backend(Backend::Wgpu)
        .adapter("no such adapter")
        .build()
        .expect_err("no adapter has this name");
    assert!(matches!(error, Error::BackendUnavailable { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("no such adapter") && message.contains("found"), "{message}");
}

fn broken_shader() {
    let mutation = Mutation { from: "fma(sum, constants.scale, constants.bias)", to: "sum + params" };
    let variant = &TestDevice::variants(Precision::F32).unwrap()[0];
    let error = TestDevice::open(Precision::F32, variant, Some(mutation)).err().expect("it does not compile");
    assert!(matches!(error, Error::Device { .. }), "{error}");
    assert!(error.to_string().contains("compile gemm"), "{error}");
}

fn oversized() {
    // Two lanes of chunks as large as bindings allow, many times over: more than any adapter has.
    let case = open("tiny-parallel").unwrap();
    let built = Scorer::builder(&case.model)
        .backend(Backend::Wgpu)
        .max_candidates(u32::MAX as usize)
        .max_in_flight(1)
        .build();
    match built {
        // Chunks keep every buffer inside the device's limits, so memory may suffice.
        Ok(scorer) => assert_eq!(scorer.max_candidates(), u32::MAX as usize),
        Err(error) => assert!(matches!(error, Error::Device { .. }), "{error}"),
    }
}
