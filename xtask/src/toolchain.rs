//! The CUDA compilers, from pinned and hashed PyPI packages, in an ignored folder.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the compilers and their libraries lie.
pub(crate) struct Toolchain {
    root: PathBuf,
}

impl Toolchain {
    /// The installed toolchain of the repository at `root`.
    pub(crate) fn find(root: &Path) -> Result<Self, String> {
        let found = Self { root: folder(root) };
        for part in [found.nvrtc(), found.nvcc(), found.ptxas_12(), found.cuobjdump()] {
            if !part.exists() {
                return Err(format!("{} is missing: run `cargo xtask cuda-toolchain`", part.display()));
            }
        }
        let pinned = read(&root.join(REQUIREMENTS))?;
        if read(&folder(root).join(STAMP)).ok().as_deref() != Some(pinned.as_str()) {
            return Err(format!(
                "the toolchain is not what {REQUIREMENTS} pins: run `cargo xtask cuda-toolchain`"
            ));
        }
        Ok(found)
    }

    pub(crate) fn nvrtc(&self) -> PathBuf {
        self.root.join("nvidia/cuda_nvrtc/lib/libnvrtc.so.12")
    }

    pub(crate) fn nvcc(&self) -> PathBuf {
        self.root.join("nvidia/cu13/bin/nvcc")
    }

    pub(crate) fn ptxas_12(&self) -> PathBuf {
        self.root.join("nvidia/cuda_nvcc/bin/ptxas")
    }

    pub(crate) fn ptxas_13(&self) -> PathBuf {
        self.root.join("nvidia/cu13/bin/ptxas")
    }

    pub(crate) fn cuobjdump(&self) -> PathBuf {
        self.root.join("nvidia/cu13/bin/cuobjdump")
    }
}

const REQUIREMENTS: &str = "kernels/toolchain.txt";
const STAMP: &str = "installed.txt";

fn folder(root: &Path) -> PathBuf {
    root.join(".toolchain/cuda")
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

/// Installs what `kernels/toolchain.txt` pins. A toolchain that is already there and current is left alone.
pub(crate) fn install(root: &Path) -> Result<(), String> {
    let into = folder(root);
    if Toolchain::find(root).is_ok() {
        println!("{} is current", into.display());
        return Ok(());
    }
    if into.exists() {
        std::fs::remove_dir_all(&into).map_err(|e| format!("cannot remove {}: {e}", into.display()))?;
    }
    let status = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
        ])
        .args(["--only-binary", ":all:", "--root-user-action", "ignore", "--target"])
        .arg(&into)
        .arg("--requirement")
        .arg(root.join(REQUIREMENTS))
        .status()
        .map_err(|e| format!("cannot run python3: {e}"))?;
    if !status.success() {
        return Err(format!("pip ended with {status}: the compilers are not installed"));
    }
    let pinned = read(&root.join(REQUIREMENTS))?;
    std::fs::write(into.join(STAMP), pinned).map_err(|e| format!("cannot write the stamp: {e}"))?;
    Toolchain::find(root)?;
    println!("installed into {}", into.display());
    Ok(())
}
