//! The folder where `demo` keeps its model and records.

use std::path::PathBuf;

/// `$MASKRANK_CACHE`, else `$XDG_CACHE_HOME/maskrank`, else `~/.cache/maskrank`.
pub(crate) fn folder() -> Result<PathBuf, String> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("MASKRANK_CACHE") {
        return Ok(path);
    }
    if let Some(path) = variable("XDG_CACHE_HOME") {
        return Ok(path.join("maskrank"));
    }
    if let Some(path) = variable("HOME").or_else(|| variable("USERPROFILE")) {
        return Ok(path.join(".cache").join("maskrank"));
    }
    Err("no cache folder: set MASKRANK_CACHE to a folder that can be written".into())
}
