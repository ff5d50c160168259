//! The hash that says whether artifacts belong to the sources beside them.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// SHA-256 over name and content of every kernel source and of the pinned compilers.
///
/// A test compares it with the manifest's, so stale artifacts fail without compilers too.
pub(crate) fn hash(root: &Path) -> Result<String, String> {
    let folder = root.join("kernels");
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        let name = file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        digest.update(name.as_bytes());
        digest.update([0]);
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
    }
    Ok(hex(&digest.finalize()))
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| format!("cannot read {}: {e}", folder.display()))?.path();
        if path.is_dir() {
            if !path.ends_with("artifacts") {
                collect(&path, into)?;
            }
        } else if path.extension().is_some_and(|e| e == "cu" || e == "cuh" || e == "txt") {
            into.push(path);
        }
    }
    Ok(())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
