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
    let place = folder.join(fault);
    std::fs::create_dir_all(&place).expect("a writable folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stub_driver.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-w", &format!("-DFAULT_{fault}"), "-o"])
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
