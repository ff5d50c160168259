//! Devices that are lost and memory that runs out, each in a process of its own: the device is shared, and so is memory.

use std::process::Command;

use maskrank::golden::Case;
use maskrank::{Backend, Batch, Error, Result, ScoreOptions, Scorer, Scores, wgpu_testing};

use super::{Named, open};

/// Names what a process of this test is to do instead of running trials.
pub(crate) const CHILD: &str = "MASKRANK_WGPU_CHILD";

const CHILDREN: [(&str, fn()); 2] = [
    ("a_lost_device_is_a_typed_error_and_the_next_scorer_gets_another", lost),
    ("exhausted_memory_is_a_typed_error", exhausted),
];

pub(crate) fn trials() -> Vec<Named> {
    CHILDREN.map(|(name, _)| -> Named { (name.to_owned(), Box::new(move || run(name))) }).into()
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
    let (_, run) = CHILDREN.into_iter().find(|(known, _)| *known == name).expect("a known name");
    run();
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

fn exhausted() {
    /// More than the loader, the driver and the shaders still need; far less than the buffers.
    const SPARE: u64 = 256 << 20;
    let case = open("tiny-parallel").unwrap();
    // Everything that a device needs once is there before the limit.
    let expected = score(&case, &scorer(&case, case.rows).unwrap()).unwrap();
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = text.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number of pages");
    let limit = format!("--as={}", pages * 4096 + SPARE);
    let status = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), &limit]).status();
    assert!(status.expect("prlimit is part of util-linux").success());
    // Buffers as large as bindings may be, several of them.
    let error = scorer(&case, u32::MAX as usize).expect_err("there is no such memory");
    assert!(matches!(error, Error::Device { backend: Backend::Wgpu, .. }), "{error}");
    assert!(error.to_string().contains("allocate"), "{error}");
    // What was too much harmed nobody else.
    assert_eq!(score(&case, &scorer(&case, case.rows).unwrap()).unwrap(), expected);
}
