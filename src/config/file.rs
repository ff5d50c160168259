//! Small text files, read within a bound.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::{Error, Result};

/// The whole of a regular file of at most `max` bytes, as text.
pub(crate) fn read_text(path: &Path, max: u64) -> Result<String> {
    let metadata = fs::metadata(path).map_err(|source| Error::io("open", path, source))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(Error::config(path, "document", format!("expected a regular file, found {found}")));
    }
    let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(|source| Error::io("read", path, source))?;
    if bytes.len() as u64 > max {
        let problem = format!("expected at most {max} bytes, found more");
        return Err(Error::config(path, "document", problem));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::config(path, "document", format!("expected UTF-8 text, found another byte at offset {at}"))
    })
}
