//! The bundle's binaries: built, stripped, and what C library they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::Profile;

/// Cargo's kind and name of a target, and the file's name in the bundle.
const WANTED: [(&str, &str, &str); 3] =
    [("test", "backends", "suite"), ("bench", "gpu", "gpu"), ("bin", "maskrank", "maskrank")];

/// What was put into the bundle.
pub(super) struct Binaries {
    pub(super) all: Vec<PathBuf>,
    /// Newest version of the C library that one of them asks for.
    pub(super) glibc: String,
}

/// Builds, strips and copies every binary into `bin`.
pub(super) fn binaries(root: &Path, profile: Profile, bin: &Path) -> Result<Binaries, String> {
    let built = build(root, profile)?;
    let mut all = Vec::new();
    let mut glibc = (0, 0);
    for (kind, target, name) in WANTED {
        let is_wanted = |built: &Target| built.name == target && built.kind.iter().any(|k| k == kind);
        let found = built.iter().find(|(built, _)| is_wanted(built));
        let (_, from) = found.ok_or_else(|| format!("cargo built no executable {kind} {target}"))?;
        let to = bin.join(name);
        let stripped = Command::new("strip").arg("-o").arg(&to).arg(from).status();
        let stripped = stripped.map_err(|e| format!("strip (of binutils): {e}"))?;
        if !stripped.success() {
            return Err(format!("strip failed on {}", from.display()));
        }
        let bytes = fs::read(&to).map_err(|e| format!("cannot read {}: {e}", to.display()))?;
        glibc = glibc.max(newest_glibc(&bytes));
        all.push(to);
    }
    Ok(Binaries { all, glibc: format!("{}.{}", glibc.0, glibc.1) })
}

/// One line of cargo's messages.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// The executables and what they are.
fn build(root: &Path, profile: Profile) -> Result<Vec<(Target, PathBuf)>, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
    // The plain binary comes with the tests, which run it.
    command.args(["--test", "backends", "--bench", "gpu"]);
    match profile {
        // No wgpu: a machine for this has a driver for CUDA, and the bundle stays small.
        Profile::Release => {
            command.args(["--release", "-p", "maskrank", "--no-default-features", "--features", "cuda,cli"])
        }
        // The selection that `cargo test --workspace` makes, so that nothing is built twice.
        Profile::Dev => command.arg("--workspace"),
    };
    let output =
        command.stderr(std::process::Stdio::inherit()).output().map_err(|e| format!("cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo could not build the suite: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    Ok(messages.filter_map(|message| Some((message.target?, message.executable?))).collect())
}

/// The newest `GLIBC_2.x` that a binary names.
fn newest_glibc(bytes: &[u8]) -> (u32, u32) {
    const PREFIX: &[u8] = b"GLIBC_";
    let mut newest = (0, 0);
    for at in (0..bytes.len().saturating_sub(PREFIX.len())).filter(|&at| bytes[at..].starts_with(PREFIX)) {
        let rest = &bytes[at + PREFIX.len()..];
        let end = rest.iter().position(|b| !b.is_ascii_digit() && *b != b'.').unwrap_or(0);
        let text = String::from_utf8_lossy(&rest[..end]).into_owned();
        let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
        if let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) {
            newest = newest.max((major, minor));
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn the_newest_version_counts_and_others_are_no_numbers() {
        let text = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0GLIBC_2";
        assert_eq!(newest_glibc(text), (2, 34));
        assert_eq!(newest_glibc(b"GLIBC"), (0, 0));
    }
}
