//! Every function of the driver fails once, and the device is lost at every kind of call. Whatever happens: a typed
//! error, nothing left behind, no rule of the driver broken, and a scorer that is built afterwards works.

use std::collections::BTreeMap;

use super::runtime::{WIDTHS, columns, model};
use crate::backend::cuda::driver::library::Driver;
use crate::backend::cuda::executor::unavailable;
use crate::weights::seeded;
use crate::{
    Backend, Batch, BinaryType, DeviceBatch, DeviceColumns, DeviceOutputs, DeviceSlice, DeviceStream,
    ElementType, Error, Model, Request, Result, ScoreOptions, Scorer, Scores,
};
use maskrank_ptx_driver::ERROR_LAUNCH;
use maskrank_ptx_driver::faults::{self, Plan};

/// `CUDA_ERROR_OUT_OF_MEMORY` and `CUDA_ERROR_ILLEGAL_ADDRESS`.
const OUT_OF_MEMORY: i32 = 2;
const ILLEGAL_ADDRESS: i32 = 700;

/// A scorer's life: built, used in each way, dropped. The first error ends it.
fn life(model: &Model) -> Result<Vec<u32>> {
    let scorer = Scorer::builder(model).backend(Backend::Cuda).max_candidates(20).max_in_flight(1).build()?;
    let weights = [1.0, -2.0];
    let options = ScoreOptions::new(&weights);
    let features = seeded::inputs(WIDTHS, 5, 1);
    let requests = [Request { candidates: 5, candidate: columns(&features), ..Request::default() }];
    let mut scores = Scores::default();
    scorer.score(Batch { requests: &requests }, &options, &mut scores)?;
    let bits = scores.scores.iter().map(|v| v.to_bits()).collect();
    let first = scorer.device().clone();
    let result = (|| {
        let mut staging = scorer.staging::<f32>(&[3], BinaryType::Bytes)?;
        staging.score(&options, &mut scores)?;
        drop(staging);
        enqueue(&scorer, &options)?;
        scorer.score(Batch { requests: &requests }, &options, &mut scores)
    })();
    if let Err(error) = result {
        // A scorer whose device failed says so from then on; one whose call was refused goes on. Neither lies.
        match scorer.score(Batch { requests: &requests }, &options, &mut scores) {
            Ok(()) => assert_eq!(bits_of(&scores), bits, "after {error}"),
            Err(later) => assert!(later.is_backend(), "after {error}: {later}"),
        }
        return Err(error);
    }
    assert_eq!(scorer.device(), &first);
    assert_eq!(bits_of(&scores), bits, "the last call is the first one again");
    Ok(bits)
}

fn bits_of(scores: &Scores) -> Vec<u32> {
    scores.scores.iter().map(|v| v.to_bits()).collect()
}

/// A batch that reads the scorer's own device memory, which is there.
fn enqueue(scorer: &Scorer, options: &ScoreOptions<'_>) -> Result<()> {
    let found = crate::backend::cuda::driver::find(None).map_err(unavailable)?.remove(0);
    let gpu = crate::backend::cuda::driver::Gpu::open(found)?;
    let memory = crate::backend::cuda::driver::DeviceMemory::new(&gpu, 4096)?;
    memory.clear(0, 4096)?;
    let outputs_memory = crate::backend::cuda::driver::DeviceMemory::new(&gpu, 64)?;
    let stream = crate::backend::cuda::driver::Stream::new(&gpu)?;
    let slice = |len: usize| {
        // SAFETY: inside 4,096 bytes, which live until the stream has been waited for.
        unsafe { DeviceSlice::new(memory.address(), len, ElementType::F32) }
    };
    let candidate = DeviceColumns {
        continuous: slice(2 * WIDTHS.continuous),
        binary: slice(2 * WIDTHS.binary),
        user_embedding: slice(2 * WIDTHS.user_embedding),
        user_eng_embedding: DeviceSlice::EMPTY,
        author_embedding: slice(2 * WIDTHS.author_embedding),
    };
    let batch = DeviceBatch::one_request(2, DeviceColumns::default(), candidate);
    // SAFETY: as above.
    let scores = unsafe { DeviceSlice::new(outputs_memory.address(), 2, ElementType::F32) };
    let outputs = DeviceOutputs { scores, ..DeviceOutputs::default() };
    // SAFETY: the stream lives until the end of this function.
    let raw = unsafe { DeviceStream::from_raw(stream.handle.0) };
    let result = scorer.enqueue(&batch, options, &outputs, raw);
    let waited = stream.wait();
    result.and(waited)
}

/// Functions that a life calls, and how often.
fn calls(model: &Model) -> BTreeMap<&'static str, usize> {
    faults::start(Plan::None);
    life(model).expect("nothing fails");
    faults::calls()
}

/// Numbers of calls worth failing: the first few, one in the middle, the last.
fn numbers(count: usize) -> Vec<usize> {
    let mut numbers = vec![1, 2, 3, count / 2, count.saturating_sub(1), count];
    numbers.retain(|&number| (1..=count).contains(&number));
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn is_typed(error: &Error) -> bool {
    matches!(error, Error::Device { .. } | Error::BackendUnavailable { .. }) && !error.to_string().is_empty()
}

#[test]
fn every_function_that_a_scorer_uses_fails_once() {
    let model = model();
    let counts = calls(&model);
    // What is only called when something has failed, or on the way out of it, or by benches.
    let unused = ["error_string", "event_wait", "event_elapsed", "move_async"];
    for name in Driver::NAMES {
        assert!(counts.contains_key(name) || unused.contains(name), "{name} is not called");
    }
    let expected = life(&model).expect("nothing fails");
    for (&name, &count) in &counts {
        for number in numbers(count) {
            for code in [OUT_OF_MEMORY, ILLEGAL_ADDRESS] {
                faults::start(Plan::Once { name, number, code });
                let what = format!("call {number} of {count} of {name} gives {code}");
                let result = life(&model);
                let ends = ["_free", "_destroy", "_unload", "_release", "_pop"];
                match result {
                    Err(error) => assert!(is_typed(&error), "{what}: {error}"),
                    // Nobody is told that something could not be given back.
                    Ok(bits) => {
                        // Waiting for a stream that is about to be destroyed, and entering to give back, likewise; other
                        // kernels may load than those that are tried first; a message may lack the driver's words.
                        let others = [
                            "stream_wait",
                            "context_push",
                            "module_load",
                            "module_function",
                            "function_set",
                            "error_string",
                        ];
                        let is_end = ends.iter().any(|end| name.ends_with(end));
                        assert!(is_end || others.contains(&name), "{what}: no error");
                        assert_eq!(bits, expected, "{what}");
                    }
                }
                let mut alive = faults::alive();
                // What could not be given back because this very call failed is still there.
                let is_end = ends.iter().any(|end| name.ends_with(end));
                if is_end || name == "context_push" {
                    alive.retain(|_, left| !(1..=3).contains(left));
                }
                assert_eq!(alive, BTreeMap::new(), "{what}: left behind");
                assert_eq!(faults::broken(), Vec::<&str>::new(), "{what}");
            }
        }
    }
    faults::start(Plan::None);
    assert_eq!(life(&model).expect("all works again"), expected);
}

#[test]
fn a_device_that_is_lost_is_an_error_from_then_on() {
    let model = model();
    let counts = calls(&model);
    for (&name, &count) in &counts {
        for number in numbers(count) {
            faults::start(Plan::FromThenOn { name, number, code: ILLEGAL_ADDRESS });
            let what = format!("lost at call {number} of {count} of {name}");
            // A loss while the scorer was dropped is no error.
            if let Err(error) = life(&model) {
                assert!(is_typed(&error), "{what}: {error}");
            }
        }
    }
    faults::start(Plan::None);
    life(&model).expect("a new scorer on a device that is back");
}

#[test]
fn a_kernel_that_fails_is_an_error_of_the_call() {
    let model = model();
    faults::start(Plan::None);
    let scorer = Scorer::builder(&model).backend(Backend::Cuda).max_candidates(20).max_in_flight(1).build();
    let scorer = scorer.expect("a GPU");
    let features = seeded::inputs(WIDTHS, 5, 1);
    let requests = [Request { candidates: 5, candidate: columns(&features), ..Request::default() }];
    let call = |scorer: &Scorer| {
        scorer.score(Batch { requests: &requests }, &ScoreOptions::new(&[1.0, 1.0]), &mut Scores::default())
    };
    call(&scorer).expect("works");
    faults::start(Plan::Once { name: "graph_launch", number: 1, code: ERROR_LAUNCH });
    let error = call(&scorer).expect_err("the launch fails");
    assert!(matches!(&error, Error::Device { operation, .. } if operation == "start a graph"), "{error}");
    let error = call(&scorer).expect_err("the place is not used again");
    assert!(error.to_string().contains("build a new scorer"), "{error}");
    let another = Scorer::builder(&model).backend(Backend::Cuda).max_candidates(20).build().expect("a GPU");
    call(&another).expect("a new scorer works");
}
