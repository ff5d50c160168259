//! What a user without a usable NVIDIA driver sees: a reason, never a panic and never a silent fall back.
//!
//! The binary runs with a driver library that fails in one way (`data/stub_driver.c`, compiled here by the system's C
//! compiler, which Rust needs for linking anyway).
#![cfg(all(feature = "cuda", target_os = "linux"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Fault of the stub, and what the message must name: what was found, and what is needed.
const FAULTS: &[(&str, &[&str])] = &[
    ("STUB", &["stub", "needed", "525"]),
    ("NO_DEVICE", &["sees no GPU"]),
    ("MISMATCH", &["does not start", "unsupported display driver", "803"]),
    ("OLD_DRIVER", &["CUDA 11.4", "12.0", "525"]),
    ("ZERO_DEVICES", &["sees no GPU"]),
    ("OLD_DEVICE", &["Stub 1000", "7.5", "8.0"]),
    ("INCOMPLETE", &["cuGraphExecDestroy", "too old", "525"]),
];

fn stub(folder: &Path, fault: &str) -> PathBuf {
    compile(folder, fault, &[format!("-DFAULT_{fault}")])
}

fn compile(folder: &Path, name: &str, defines: &[String]) -> PathBuf {
    let place = folder.join(name);
    std::fs::create_dir_all(&place).expect("a writable folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stub_driver.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-w"])
        .args(defines)
        .arg("-o")
        .arg(place.join("libcuda.so.1"))
        .arg(source)
        .status()
        .expect("the C compiler runs");
    assert!(status.success(), "the stub compiles");
    place
}

fn maskrank(library: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maskrank"));
    command.args(arguments).env("LD_LIBRARY_PATH", library);
    command.output().expect("the binary runs")
}

/// Both streams as text, after checking that the program ended by itself and did not panic.
fn said(what: &str, output: &Output) -> String {
    let all =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code().is_some(), "{what}: ended by a signal: {all}");
    assert!(!all.contains("panicked"), "{what}: {all}");
    all
}

fn golden(case: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case).display().to_string()
}

#[test]
fn every_fault_of_a_driver_is_a_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (fault, words) in FAULTS {
        let library = stub(folder.path(), fault);
        let output = maskrank(&library, &["devices"]);
        let all = said(fault, &output);
        assert!(output.status.success(), "{fault}: devices lists what is absent: {all}");
        let one_line = all.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in *words {
            assert!(one_line.contains(word), "{fault}: \"{word}\" is not in: {all}");
        }
    }
}

#[test]
fn a_named_backend_never_falls_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // No room for the model; no kernels that load.
    for (fault, words) in [("FULL", ["free", "needed"]), ("NONE", ["no kernels for", "error 209"])] {
        let library = stub(folder.path(), fault);
        let output = maskrank(&library, &["golden", &golden("share-none"), "--backend", "cuda"]);
        let all = said(fault, &output);
        assert!(!output.status.success(), "{fault}: {all}");
        for word in words {
            assert!(all.contains(word), "{fault}: \"{word}\" is not in: {all}");
        }
    }
}

/// What `devices` says would be loaded: for a GPU, and for the CUDA version of a driver.
#[test]
fn devices_shows_which_kernels_would_load() {
    let cases: &[(u32, u32, &str, &str)] = &[
        (90, 12_000, "sm_90 (exact cubin; nvrtc 12.9", "compute_80 (PTX"),
        (87, 12_020, "sm_86 (compatible cubin; nvrtc 12.9", "sm_80 (compatible cubin"),
        (103, 13_000, "sm_100 (compatible cubin; nvcc 13.0", "compute_100 (PTX"),
        (120, 12_080, "compute_80 (PTX, compiled by the driver; nvrtc 12.9", "else nothing"),
        (130, 14_000, "compute_100 (PTX, compiled by the driver; nvcc 13.0", "compute_80 (PTX"),
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (capability, cuda, first, rest) in cases {
        let defines = [format!("-DCAPABILITY={capability}"), format!("-DCUDA={cuda}")];
        let library = compile(folder.path(), &format!("{capability}-{cuda}"), &defines);
        let output = maskrank(&library, &["devices"]);
        let all = said(&format!("{capability} under {cuda}"), &output);
        let one_line = all.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in [format!("kernels {first}"), (*rest).to_owned()] {
            assert!(one_line.contains(&words), "{capability} under {cuda}: \"{words}\" is not in: {all}");
        }
    }
}

/// Every command that takes a backend gives the reason and the next step.
#[test]
fn every_command_says_why_and_what_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = stub(folder.path(), "NO_DEVICE");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (model, scores, cache) = (golden("tiny-parallel"), path("scores.csv"), path("cache"));
    let records = format!("{model}/inputs.safetensors");
    let commands: [&[&str]; 3] = [
        &["golden", &model, "--backend", "cuda"],
        &["score", "--model", &model, "--records", &records, "--out", &scores, "--backend", "cuda"],
        &["demo", "--cache", &cache, "--candidates", "1", "--backend", "cuda"],
    ];
    for arguments in commands {
        let output = maskrank(&library, arguments);
        let all = said(arguments[0], &output);
        assert!(!output.status.success(), "{}: {all}", arguments[0]);
        for words in ["sees no GPU", "next: `maskrank devices`", "--backend cpu"] {
            assert!(all.contains(words), "{}: \"{words}\" is not in: {all}", arguments[0]);
        }
    }
    assert!(!Path::new(&cache).exists(), "nothing is prepared for a backend that cannot run");
}

/// The probe in a program that aborts on panic: it ends by itself, with the reason, whatever the driver is like.
#[test]
fn probing_never_panics_under_abort() {
    let target =
        Path::new(env!("CARGO_BIN_EXE_maskrank")).ancestors().nth(2).expect("target/PROFILE/maskrank");
    let built = Command::new(env!("CARGO"))
        .args(["rustc", "--offline", "--quiet", "-p", "maskrank-abort-probe", "--target-dir"])
        .arg(target)
        .args(["--", "-C", "panic=abort"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = target.join("debug/maskrank-abort-probe");
    let run = |library: &Path, argument: Option<&str>| {
        let mut command = Command::new(&program);
        command.args(argument).env("LD_LIBRARY_PATH", library).env("RUST_BACKTRACE", "0");
        command.output().expect("the program runs")
    };
    // It does abort on a panic: else the rest would show nothing.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aborted = run(folder.path(), Some("panic"));
    assert_eq!(aborted.status.code(), None, "{aborted:?}");

    let absent = [("no library", vec!["no NVIDIA driver", "525"])];
    let faults = FAULTS.iter().map(|(fault, words)| (*fault, words.to_vec()));
    let late = [("FULL", vec!["free", "needed"]), ("NONE", vec!["no kernels for", "error 209"])];
    for (fault, words) in absent.into_iter().chain(faults).chain(late) {
        let library = match fault {
            "no library" => folder.path().to_owned(),
            _ => stub(folder.path(), fault),
        };
        let output = run(&library, None);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "{fault}: {output:?}");
        assert!(text.starts_with("backend cuda is not available: "), "{fault}: {text}");
        for word in words {
            assert!(text.contains(word), "{fault}: \"{word}\" is not in: {text}");
        }
    }
}
