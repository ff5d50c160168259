//! Every command with `--backend cuda`, as a user runs it: the real binary, which opens a driver's library. Here that
//! library is the PTX interpreter's, so that the shipped kernels, graphs and all, give the answers without a GPU.
#![cfg(all(feature = "cuda", target_os = "linux"))]

use std::path::{Path, PathBuf};
use std::process::Command;

mod common;

use common::command::text;
use common::interpreter::driver;

/// Largest difference of logits from the truth that `golden` allows for `tiny-parallel` in f32, rounded up.
const LOGIT_BOUND: f64 = 3.1e-5;

fn golden(case: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case).display().to_string()
}

/// Runs a command that must succeed with the driver; gives both its streams.
fn succeed(driver: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maskrank"));
    let output = command.args(arguments).env("LD_LIBRARY_PATH", driver).output().expect("the binary runs");
    let all = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {all}");
    all
}

#[test]
fn devices_and_golden_cases() {
    let driver = driver();
    let all = succeed(driver.path(), &["devices"]);
    for words in ["PTX interpreter (CUDA 13.0)", "compute capability 10.0", "sm_100 (exact cubin"] {
        assert!(all.contains(words), "\"{words}\" is not in: {all}");
    }
    for case in ["tiny-parallel", "serial"] {
        let all = succeed(driver.path(), &["golden", &golden(case), "--backend", "cuda"]);
        assert!(all.contains("4 passed, 0 failed"), "{case}: {all}");
        // What ran is the PTX: the interpreter refuses machine code, and the next in order is taken.
        assert_eq!(all.matches(" cuda ").count(), 4, "{case}: {all}");
    }
}

/// Scores and probabilities of a file that `score` wrote, by candidate.
fn scored(path: &Path) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).expect("scores were written");
    let rows = text.lines().skip(1).map(|line| {
        let mut cells = line.split(',').skip(3);
        assert_eq!(cells.next(), Some("ok"), "{line}");
        cells.map(|cell| cell.parse().expect("a number")).collect()
    });
    rows.collect()
}

#[test]
fn records_are_scored_as_on_the_cpu() {
    let driver = driver();
    let model = golden("tiny-parallel");
    let records = PathBuf::from(&model).join("inputs.safetensors").display().to_string();
    let scores = ["cuda", "cpu"].map(|backend| {
        let out = driver.path().join(format!("{backend}.csv"));
        let out_text = out.display().to_string();
        let all = succeed(
            driver.path(),
            &["score", "--model", &model, "--records", &records, "--out", &out_text, "--backend", backend],
        );
        assert!(
            all.contains(&format!("backend {backend} on ")) && all.contains("candidates scored"),
            "{all}"
        );
        scored(&out)
    });
    let [cuda, cpu] = scores;
    assert!(cuda.len() == cpu.len() && !cuda.is_empty());
    for (row, (cuda, cpu)) in cuda.iter().zip(&cpu).enumerate() {
        assert!(cuda.len() == cpu.len() && cuda.len() > 1);
        // Each is within the bound of the truth; a probability moves by at most a quarter of what its logit moves.
        for (task, (a, b)) in cuda.iter().zip(cpu).enumerate().skip(1) {
            assert!((a - b).abs() <= 2.0 * LOGIT_BOUND / 4.0, "candidate {row}, task {task}: {a} and {b}");
        }
    }
}

#[test]
fn demo_ranks_a_candidate_of_the_production_model() {
    let driver = driver();
    let cache = driver.path().join("cache").display().to_string();
    let arguments =
        ["demo", "--cache", &cache, "--candidates", "1", "--precision", "bf16", "--backend", "cuda"];
    let all = succeed(driver.path(), &arguments);
    for words in ["backend cuda on PTX interpreter", "candidates/s: 1 candidates", "(within bounds)"] {
        assert!(all.contains(words), "\"{words}\" is not in: {all}");
    }
}
