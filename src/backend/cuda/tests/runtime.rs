//! Memory, chunks, the self-test and times of the runtime, on the driver double.

use std::sync::Arc;

use half::bf16;

use crate::backend::cuda::ALIGN;
use crate::backend::cuda::executor::CudaExecutor;
use crate::backend::{Call, Executor, Lane, Options, SelfTest, folding};
use crate::config::Widths;
use crate::plan::Plan;
use crate::weights::seeded::{self, SeededInputs};
use crate::{
    Backend, Batch, Binary, Columns, Error, Features, Model, ModelConfig, Outputs, Precision, Request,
    ScoreOptions, Scorer, Scores, Split,
};
use maskrank_ptx_driver::faults;

const CONFIG: &str = r"
model:
  backbone:
    mask_net_config:
      mask_blocks:
        - {aggregation_size: 16, input_layer_norm: true, output_size: 8}
        - {aggregation_size: 16, input_layer_norm: false, output_size: 8}
      mlp: {layer_sizes: [16], final_layer_activation: true}
      use_parallel: true
  featurization_config:
    double_norm_log_config: {clip_magnitude: 5.0, layer_norm_config: {epsilon: 0.001}}
  multi_task_type: share_all
  tasks:
    recap.engagement.is_favorited: {mlp_config: {layer_sizes: [8, 1]}}
    recap.engagement.is_replied: {mlp_config: {layer_sizes: [8, 1]}}
";

pub(super) const WIDTHS: Widths =
    Widths { continuous: 11, binary: 9, user_embedding: 5, user_eng_embedding: 0, author_embedding: 3 };

pub(super) fn model() -> Model {
    model_of(WIDTHS)
}

pub(super) fn model_of(widths: Widths) -> Model {
    Model::seeded(ModelConfig::from_yaml(CONFIG, "test").expect("a configuration"), widths, 3)
        .expect("a model")
}

pub(super) fn options(max_candidates: usize, split: Split) -> Options {
    Options {
        precision: Precision::F32,
        max_candidates,
        split,
        threads: 1,
        cpu_kernel: None,
        adapter: None,
        planted_fault: false,
    }
}

pub(super) fn executor(model: &Model, options: &Options) -> CudaExecutor {
    let folding = folding(options.precision);
    let plan =
        Plan::build_for(model.config(), model.widths(), model.weights(), ALIGN, folding, &options.split);
    CudaExecutor::new(&plan, options).expect("the driver double has a GPU")
}

pub(super) fn columns(inputs: &SeededInputs) -> Columns<'_> {
    Columns {
        continuous: Features::F32(&inputs.continuous),
        binary: Binary::Numbers(&inputs.binary),
        user_embedding: Features::F32(&inputs.embeddings[0]),
        user_eng_embedding: Features::F32(&inputs.embeddings[1]),
        author_embedding: Features::F32(&inputs.embeddings[2]),
    }
}

/// A batch through a lane.
fn score(lane: &mut dyn Lane, requests: &[Request<'_>]) -> Scores {
    let outputs = Outputs { logits: true, calibrated_probabilities: true, ..Outputs::default() };
    let mut scores = Scores::default();
    scores.prepare(requests.iter().map(|request| request.candidates).sum(), 2, outputs);
    let call = Call { batch: Batch { requests }, weights: &[1.0, -2.5], calibrated: true, outputs };
    lane.score(&call, &mut scores).expect("a score");
    scores
}

#[test]
fn chunks_change_no_bit() {
    cut_as_whole(WIDTHS, Split::user_embeddings());
}

/// Later chunks find the requests' sums where the first one left them.
#[test]
fn chunks_share_the_sums_of_requests() {
    let widths = Widths { continuous: 140, user_embedding: 70, ..WIDTHS };
    let split = Split { continuous: vec![3..133], ..Split::user_embeddings() };
    let built = executor(&model_of(widths), &options(150, split.clone()));
    assert!(built.program.has_once(), "wide enough");
    drop(built);
    cut_as_whole(widths, split);
}

fn cut_as_whole(widths: Widths, split: Split) {
    let model = model_of(widths);
    let options = options(150, split.clone());
    let whole = Arc::new(executor(&model, &options));
    let mut cut = executor(&model, &options);
    cut.min_chunk = 16;
    assert_eq!((cut.chunk_rows(150), cut.chunk_rows(100), cut.chunk_rows(16)), (64, 32, 16));
    assert_eq!(whole.chunk_rows(150), 150);
    let (mut whole, mut cut) = (whole.lane().expect("a lane"), Arc::new(cut).lane().expect("a lane"));

    let inputs: Vec<(usize, SeededInputs, SeededInputs)> = [(70, 1), (0, 2), (1, 3), (79, 4)]
        .into_iter()
        .map(|(rows, seed)| {
            let each = seeded::inputs(split.candidate_widths(widths), rows, seed);
            (rows, seeded::inputs(split.request_widths(widths), 1, seed + 10), each)
        })
        .collect();
    let requests: Vec<Request<'_>> = inputs
        .iter()
        .map(|(candidates, once, each)| Request {
            candidates: *candidates,
            request: columns(once),
            candidate: columns(each),
        })
        .collect();
    // One type, and a mix that has to be converted.
    let halves: Vec<bf16> = inputs[2].2.continuous.iter().map(|&v| bf16::from_f32(v)).collect();
    let bits = [0b1010_0101, 1];
    let mut mixed = requests.clone();
    mixed[2].candidate.continuous = Features::Bf16(&halves);
    mixed[2].candidate.binary = Binary::Bits(&bits);
    for requests in [&requests, &mixed] {
        let (expected, found) = (score(&mut *whole, requests), score(&mut *cut, requests));
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.scores), bits(&expected.scores));
        assert_eq!(bits(&found.logits), bits(&expected.logits));
        assert_eq!(bits(&found.calibrated_probabilities), bits(&expected.calibrated_probabilities));
        assert_eq!(found.statuses, expected.statuses);
        assert!(found.scores.iter().all(|score| score.is_finite()), "every row was scored");
    }
    // The double's clock counts operations: what is timed are the copies that nothing hides.
    assert!(cut.copy_time() > std::time::Duration::ZERO);
    assert!(whole.copy_time() > std::time::Duration::ZERO);
}

#[test]
fn memory_is_what_was_computed_before() {
    let model = model();
    let builder = Scorer::builder(&model).backend(Backend::Cuda).max_candidates(33).max_in_flight(2);
    let before = builder.memory().expect("a layout").expect("known without a device");
    let scorer = builder.build().expect("the driver double has a GPU");
    assert_eq!(scorer.memory(), before);
    assert_eq!(before.calls, 2);
    assert!(before.weights > 0 && before.per_call > 33 * 4 * WIDTHS.input_dim() && before.host_per_call > 0);
    assert_eq!(before.total(), before.weights + 2 * before.per_call);
    // Each call's features are as long in pinned memory as in the device's.
    assert!(before.to_string().contains("pinned"), "{before}");
}

#[test]
fn everything_is_given_back() {
    faults::start(faults::Plan::None);
    let model = model();
    let scorer = Scorer::builder(&model).backend(Backend::Cuda).max_candidates(20).build().expect("a GPU");
    assert!(!faults::alive().is_empty(), "a scorer holds things");
    drop(scorer);
    assert_eq!(faults::alive(), std::collections::BTreeMap::new());
    assert_eq!(faults::broken(), Vec::<&str>::new());
}

#[test]
fn a_self_test_that_fails_names_device_kernel_and_figure() {
    let model = model();
    let options = options(40, Split::default());
    let other = Model::seeded(model.config().clone(), WIDTHS, 4).expect("a model");
    // The device has other weights than the CPU.
    let executor = Arc::new(executor(&model, &options));
    let mut lane = Arc::clone(&executor).lane().expect("a lane");
    let own = SelfTest::new(&model, &options).expect("the CPU scores");
    lane.self_test(&own).expect("the device agrees");
    let test = SelfTest::new(&other, &options).expect("the CPU scores");
    let error = lane.self_test(&test).expect_err("other weights");
    assert!(matches!(error, Error::SelfTest { .. }), "{error}");
    let text = error.to_string();
    for words in ["PTX interpreter", "CUDA 13.0", "compute_100", "graph for 16", "row 0 task 0", "bound"] {
        assert!(text.contains(words), "\"{words}\" is not in: {text}");
    }
    // All graphs are there again.
    lane.self_test(&own).expect("the device agrees");
}

#[test]
fn scores_agree_with_the_cpu_through_the_public_interface() {
    let model = model();
    let inputs = seeded::inputs(WIDTHS, 21, 9);
    let requests = [Request { candidates: 21, request: Columns::default(), candidate: columns(&inputs) }];
    let of = |backend| {
        let scorer = Scorer::builder(&model).backend(backend).max_candidates(21).build().expect("a backend");
        let mut scores = Scores::default();
        scorer
            .score(Batch { requests: &requests }, &ScoreOptions::new(&[1.0, 2.0]), &mut scores)
            .expect("scores");
        scores.scores
    };
    for (index, (gpu, cpu)) in of(Backend::Cuda).iter().zip(of(Backend::Cpu)).enumerate() {
        assert!((gpu - cpu).abs() <= 1e-4, "candidate {index}: {gpu} and {cpu}");
    }
}
