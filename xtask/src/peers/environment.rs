//! The peers' Python environment: exact versions with their hashes, in an ignored folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

const REQUIREMENTS: &str = "benches/peers/requirements.txt";
const FOLDER: &str = ".venv/peers";

/// The environment's interpreter; makes the environment where it is missing or another one than is pinned.
///
/// # Errors
/// No Python, or packages that cannot be installed: in words that say what to do.
pub(super) fn ensure(root: &Path) -> Result<PathBuf, String> {
    let requirements = root.join(REQUIREMENTS);
    let text = fs::read(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let pinned: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = root.join(FOLDER);
    let stamp = folder.join("pinned");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if fs::read_to_string(&stamp).is_ok_and(|found| found == pinned) && python.exists() {
        return Ok(python);
    }
    println!("making the peers' environment in {}: several GB, once", folder.display());
    if !python.exists() {
        let base = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        call(Command::new(&base).args(["-m", "venv"]).arg(&folder)).map_err(|problem| {
            format!("{problem}: install Python 3.11 or later with venv, or name one in PYTHON")
        })?;
    }
    let install = ["-m", "pip", "install", "--no-cache-dir", "--require-hashes", "-r"];
    call(Command::new(&python).args(install).arg(&requirements))?;
    fs::write(&stamp, pinned).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

fn call(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}")),
        Err(error) => Err(format!("cannot run {program}: {error}")),
    }
}
