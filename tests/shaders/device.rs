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
        ("kernel_times_name_every_dispatch".to_owned(), Box::new(times)),
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
