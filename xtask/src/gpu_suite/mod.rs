//! `cargo xtask gpu-suite`: a folder that proves and times the CUDA backend on a machine with a driver and nothing else.
//!
//! It holds stripped binaries (the test suite, the timings, the command line), the golden cases, and one script that
//! runs all in parts, each of which ends within eight minutes. What a machine lacks (compute-sanitizer, PyTorch) is
//! said, never passed over in silence.

mod build;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use build::Binaries;

/// Most bytes of a bundle.
const MAX_BYTES: u64 = 40 << 20;

const SCRIPT: &str = include_str!("run.sh");
const PEERS: &str = include_str!("peers.py");
const ABOUT: &str = include_str!("README.md");

/// How the binaries are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// Optimised, the CUDA backend alone: what to measure with.
    Release,
    /// What `cargo test --workspace` has built already: for a look at the bundle itself.
    Dev,
}

/// Makes the bundle; returns where it is.
pub(crate) fn bundle(root: &Path, out: Option<PathBuf>, profile: Profile) -> Result<PathBuf, String> {
    let folder = out.unwrap_or_else(|| root.join("target/gpu-suite"));
    if folder.exists() {
        // Only what an earlier run made is replaced.
        if !folder.join("run.sh").is_file() && fs::read_dir(&folder).is_ok_and(|mut all| all.next().is_some())
        {
            return Err(format!("{} is not empty and no bundle", folder.display()));
        }
        fs::remove_dir_all(&folder).map_err(|e| format!("cannot clear {}: {e}", folder.display()))?;
    }
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).map_err(|e| format!("cannot make {}: {e}", bin.display()))?;
    let Binaries { all, glibc } = build::binaries(root, profile, &bin)?;
    copy_folder(&root.join("tests/golden"), &folder.join("golden"))?;
    let commit = commit(root);
    let script = SCRIPT.replace("@COMMIT@", &commit);
    for (name, text) in [("run.sh", script.as_str()), ("peers.py", PEERS)] {
        let path = folder.join(name);
        write(&path, text)?;
        make_executable(&path)?;
    }
    let is_sent = matches!(profile, Profile::Release);
    let profile = format!("{profile:?}").to_lowercase();
    let about = ABOUT.replace("@COMMIT@", &commit).replace("@GLIBC@", &glibc).replace("@PROFILE@", &profile);
    write(&folder.join("README.md"), &about)?;
    let bytes = size(&folder)?;
    // Nobody sends a look at the bundle anywhere; it has every backend in it, less optimised.
    if is_sent && bytes > MAX_BYTES {
        return Err(format!("the bundle has {bytes} bytes, at most {MAX_BYTES} are meant"));
    }
    println!(
        "{}: {:.1} MiB, {} binaries ({profile}), needs glibc {glibc} and an NVIDIA driver; start run.sh there",
        folder.display(),
        bytes as f64 / f64::from(1 << 20),
        all.len()
    );
    Ok(folder)
}

/// Makes the bundle and runs it here.
pub(crate) fn run(root: &Path, out: Option<PathBuf>, profile: Profile) -> Result<(), String> {
    let folder = bundle(root, out, profile)?;
    let script = folder.join("run.sh");
    let status = Command::new(&script).status().map_err(|e| format!("{}: {e}", script.display()))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed: {status}", script.display())) }
}

fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
    let is_dirty =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    if is_dirty { format!("{commit}-modified") } else { commit }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn make_executable(path: &Path) -> Result<(), String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, mode).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let _ = path;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|e| format!("cannot make {}: {e}", to.display()))?;
    for entry in fs::read_dir(from).map_err(|e| format!("cannot read {}: {e}", from.display()))? {
        let entry = entry.map_err(|e| format!("cannot read {}: {e}", from.display()))?;
        let (path, into) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &into)?;
        } else {
            fs::copy(&path, &into).map_err(|e| format!("cannot copy {}: {e}", path.display()))?;
        }
    }
    Ok(())
}

fn size(folder: &Path) -> Result<u64, String> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))? {
        let entry = entry.map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
        let kind = entry.metadata().map_err(|e| format!("{}: {e}", entry.path().display()))?;
        bytes += if kind.is_dir() { size(&entry.path())? } else { kind.len() };
    }
    Ok(bytes)
}
