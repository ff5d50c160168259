//! What `cargo package` would publish: everything that the library and the binary are compiled from, and less than
//! 10 MiB of it. That it builds by itself is checked in CI, by `cargo package` itself.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

const MAX_BYTES: u64 = 10 << 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Paths of the package, from its root.
fn package() -> BTreeSet<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline", "--package", "maskrank"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("names").lines().map(PathBuf::from).collect()
}

/// `a/b/../c` as `a/c`.
fn straightened(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(straight.pop()),
            part => straight.push(part),
        }
    }
    straight
}

/// Files that a source file includes by `include_str!` or `include_bytes!` with one literal; for `concat!`, the folder.
fn included(source: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(root().join(source)).expect("a source file");
    let mut found = Vec::new();
    for call in ["include_str!(", "include_bytes!("] {
        for (at, _) in text.match_indices(call) {
            let rest = text[at + call.len()..].trim_start();
            let rest = rest.strip_prefix("concat!(").unwrap_or(rest).trim_start();
            let Some(path) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
            let folder = source.parent().expect("a file lies in a folder");
            found.push(straightened(&folder.join(path)));
        }
    }
    found
}

#[test]
fn everything_that_is_compiled_in_is_in_the_package() {
    let package = package();
    let sources: Vec<&PathBuf> = package
        .iter()
        .filter(|path| path.starts_with("src") && path.extension().is_some_and(|e| e == "rs"))
        .collect();
    let mut number = 0;
    for source in &sources {
        for path in included(source) {
            number += 1;
            let is_there = package.iter().any(|packed| packed.starts_with(&path));
            assert!(is_there, "{} includes {}, which is not packed", source.display(), path.display());
        }
    }
    assert!(sources.len() > 100 && number > 15, "{number} inclusions in {} sources", sources.len());
    for needed in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "src/lib.rs"] {
        assert!(package.contains(Path::new(needed)), "{needed}");
    }
}

#[test]
fn the_package_is_small() {
    // Packed, it is smaller still.
    let size = |path: &PathBuf| std::fs::metadata(root().join(path)).map_or(0, |file| file.len());
    let package = package();
    let bytes: u64 = package.iter().map(size).sum();
    println!("{} files, {bytes} bytes", package.len());
    assert!(bytes < MAX_BYTES, "{bytes} bytes");
}
