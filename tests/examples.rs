//! Every example runs and says what it should. Cargo builds examples for a plain `cargo test`, beside the tests; before this
//! test alone run `cargo build --examples`.

use std::path::{Path, PathBuf};
use std::process::Command;

mod common;

/// Each example, and what its output must contain.
const EXAMPLES: [(&str, &[&str]); 7] = [
    ("score_a_batch", &["candidate ", ": score ", " of ["]),
    ("ragged_requests", &["3 candidates: [", "0 candidates: []", "17 candidates: [", "1 candidates: ["]),
    ("request_columns", &["["]),
    ("lent_staging", &["weights + 2 × ", "request 0: best [", "request 1: best ["]),
    ("device_buffers", &["device buffers on CUDA: "]),
    ("batching", &["caller 7: in a batch of (", "future: [", "9 jobs in ", "compute"]),
    ("hot_reload", &["generation 0: [", "generation 1: [", "the old model goes on serving: cannot"]),
];

fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.parent().and_then(Path::parent).expect("target/PROFILE").join("examples")
}

#[test]
fn every_example_runs() {
    for (name, expected) in EXAMPLES {
        let program = folder().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let output = Command::new(&program).output();
        let output = output.unwrap_or_else(|error| {
            panic!("{}: {error}: build it with `cargo build --examples`", program.display())
        });
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        for words in expected {
            assert!(text.contains(words), "{name}: expected \"{words}\" in: {text}");
        }
    }
}

/// With a driver the example that needs one shows its scores: on the interpreter, as it would on a GPU.
#[cfg(all(feature = "cuda", target_os = "linux"))]
#[test]
fn device_buffers_are_scored() {
    let driver = common::interpreter::driver();
    let program = folder().join("device_buffers");
    let output = Command::new(&program).env("LD_LIBRARY_PATH", driver.path()).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let scores = text.split_once("PTX interpreter (CUDA 13.0): [").expect("the device and scores").1;
    let scores: Vec<f32> =
        scores.trim_end().trim_end_matches(']').split(", ").map(|v| v.parse().expect("a number")).collect();
    assert!(scores.len() == 5 && scores.iter().all(|score| score.is_finite()), "{text}");
}

#[test]
fn none_is_forgotten() {
    let listed: Vec<&str> = EXAMPLES.iter().map(|(name, _)| *name).collect();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).expect("a folder")
    {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            assert!(listed.contains(&name), "examples/{name}.rs is not run by any test");
        }
    }
}
