//! Writing results: CSV or JSON lines, to a file or to standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Whether an error is a reader that went away.
pub(crate) fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A file that appears whole or not at all, or standard output.
pub(crate) enum Sink {
    /// Written beside its final place, renamed by [`Sink::finish`].
    File { writer: BufWriter<File>, partial: PathBuf, path: PathBuf },
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
}

impl Sink {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self::Standard(BufWriter::new(io::stdout()))) };
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial)
            .map_err(|error| format!("cannot create {}: {error}", partial.display()))?;
        Ok(Self::File { writer: BufWriter::with_capacity(1 << 20, file), partial, path: path.to_owned() })
    }

    /// Flushes, and gives a file its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Standard(mut writer) => writer.flush(),
            Self::File { writer, partial, path } => {
                let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.sync_all()?;
                drop(file);
                std::fs::rename(partial, path)
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File { writer, .. } => writer.write(bytes),
            Self::Standard(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File { writer, .. } => writer.flush(),
            Self::Standard(writer) => writer.flush(),
        }
    }
}

/// The engagement's short name: what follows the last dot, without `is_`.
pub(crate) fn short_name(task: &str) -> &str {
    let name = task.rsplit('.').next().unwrap_or(task);
    name.strip_prefix("is_").unwrap_or(name)
}
