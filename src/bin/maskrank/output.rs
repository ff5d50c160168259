//! Writing results: CSV or JSON lines, to a file or to standard output.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Whether an error is a reader that went away.
pub(crate) fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

const BUFFER_BYTES: usize = 1 << 20;

/// A file's name with something behind it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes renames in a file's folder outlive a crash.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A file beside the one that appears whole or not at all, or standard output.
pub(crate) enum Sink {
    /// Written beside its final place.
    File(BufWriter<File>),
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
}

impl Sink {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::Standard(BufWriter::new(io::stdout()))) };
        let partial = beside(path, ".partial");
        let file = File::create(&partial)
            .map_err(|error| format!("cannot create {}: {error}", partial.display()))?;
        Ok(Self::File(BufWriter::with_capacity(BUFFER_BYTES, file)))
    }

    /// Goes on after the first `length` bytes of a partial file; what lies behind them is cut off.
    pub(crate) fn resume(path: &Path, length: u64) -> Result<Self, String> {
        let partial = beside(path, ".partial");
        let failed = |error: io::Error| format!("cannot go on with {}: {error}", partial.display());
        let mut file = File::options().write(true).open(&partial).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        if found < length {
            return Err(format!(
                "cannot go on with {}: expected at least the {length} bytes that were written, found {found}; remove \
                 {} to begin anew",
                partial.display(),
                beside(path, ".state").display()
            ));
        }
        file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        Ok(Self::File(BufWriter::with_capacity(BUFFER_BYTES, file)))
    }

    /// Makes all that was written outlive a crash; returns how much it is. Nothing for standard output.
    pub(crate) fn checkpoint(&mut self) -> io::Result<Option<u64>> {
        match self {
            Self::Standard(_) => Ok(None),
            Self::File(writer) => {
                writer.flush()?;
                let file = writer.get_mut();
                file.sync_data()?;
                file.stream_position().map(Some)
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(writer) => writer.write(bytes),
            Self::Standard(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(writer) => writer.flush(),
            Self::Standard(writer) => writer.flush(),
        }
    }
}

/// The engagement's short name: what follows the last dot, without `is_`.
pub(crate) fn short_name(task: &str) -> &str {
    let name = task.rsplit('.').next().unwrap_or(task);
    name.strip_prefix("is_").unwrap_or(name)
}
