//! Devices that are lost, and requests for more memory than they have.

use std::process::Command;

use maskrank::golden::Case;
use maskrank::wgpu_testing::{self, TestDevice};
use maskrank::{Backend, Batch, Error, Precision, Result, ScoreOptions, Scorer, Scores};

use super::{Named, open};

/// Names what a process of this test is to do instead of running trials.
pub(crate) const CHILD: &str = "MASKRANK_WGPU_CHILD";

/// Shared devices are the process's: who loses them has a process of its own.
const LOST: &str = "a_lost_device_is_a_typed_error_and_the_next_scorer_gets_another";

pub(crate) fn trials() -> Vec<Named> {
    vec![
        (LOST.to_owned(), Box::new(|| run(LOST))),
        ("more_memory_than_the_adapter_allows_is_a_typed_error".to_owned(), Box::new(oversized)),
    ]
}

fn run(name: &str) {
    let program = std::env::current_exe().expect("a test has a path");
    let output = Command::new(program).env(CHILD, name).output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // A crash is not a typed error; nor is an end before the last line.
    assert!(output.status.success() && out.ends_with("held\n"), "{}: {out}{err}", output.status);
}

/// Does what a trial asked for.
pub(crate) fn child(name: &str) {
    assert_eq!(name, LOST, "a known name");
    lost();
    println!("held");
}

fn scorer(case: &Case, max_candidates: usize) -> Result<Scorer> {
    let builder = Scorer::builder(&case.model).backend(Backend::Wgpu).max_in_flight(1);
    builder.max_candidates(max_candidates).build()
}

fn score(case: &Case, scorer: &Scorer) -> Result<Vec<u32>> {
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let mut scores = Scores::default();
    let requests = [case.request()];
    scorer.score(Batch { requests: &requests }, &ScoreOptions::new(&weights), &mut scores)?;
    Ok(scores.scores.iter().map(|score| score.to_bits()).collect())
}

fn lost() {
    let case = open("tiny-parallel").unwrap();
    let first = scorer(&case, case.rows).unwrap();
    let expected = score(&case, &first).unwrap();
    wgpu_testing::lose_devices();
    for attempt in 0..3 {
        let error = score(&case, &first).expect_err("the device is gone");
        assert!(matches!(error, Error::Device { backend: Backend::Wgpu, .. }), "attempt {attempt}: {error}");
        let message = error.to_string();
        assert!(message.contains("lost") && message.contains(&first.device().name), "{message}");
    }
    let second = scorer(&case, case.rows).expect("another device");
    assert_eq!(score(&case, &second).unwrap(), expected);
    score(&case, &first).expect_err("a lost device stays lost");
}

/// One byte more than the device's buffers may have, and all that an integer can count.
fn oversized() {
    let variant = &TestDevice::variants(Precision::F32).unwrap()[0];
    let device = TestDevice::open(Precision::F32, variant, None).unwrap();
    let limit = device.max_buffer_bytes();
    for bytes in [limit + 1, usize::MAX / 2] {
        let error = device.allocate(bytes).expect_err("no device has as much");
        assert!(matches!(error, Error::Device { backend: Backend::Wgpu, .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("allocate \"a test\"") && message.contains(&limit.to_string()), "{message}");
    }
    device.allocate(1 << 20).expect("the device is as it was");
}
