//! TFRecord files written, plain or gzip.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::crc32c::masked_crc32c;
use crate::{Error, Result};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// One gzip member, at the fast level: features hardly compress further.
    Gzip,
}

impl Compression {
    /// What the name of a file asks for: gzip when it ends in `.gz`.
    #[must_use]
    pub fn from_path(path: &Path) -> Self {
        if path.extension() == Some(OsStr::new("gz")) { Self::Gzip } else { Self::None }
    }
}

/// Writes the frames of a TFRecord file. Only [`finish`](Self::finish) makes the file whole.
#[derive(Debug)]
pub struct RecordWriter {
    stream: Stream,
    path: PathBuf,
}

#[derive(Debug)]
enum Stream {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
}

impl RecordWriter {
    /// Creates the file, or empties one that is there.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path, compression: Compression) -> Result<Self> {
        let file = File::create(path).map_err(|source| Error::io("create", path, source))?;
        let file = BufWriter::with_capacity(64 << 10, file);
        let stream = match compression {
            Compression::None => Stream::Plain(file),
            // The header carries no name and no time: equal records give equal files.
            Compression::Gzip => Stream::Gzip(GzEncoder::new(file, flate2::Compression::fast())),
        };
        Ok(Self { stream, path: path.to_owned() })
    }

    /// Appends one record.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        let stream: &mut dyn Write = match &mut self.stream {
            Stream::Plain(stream) => stream,
            Stream::Gzip(stream) => stream,
        };
        write_frame(stream, data).map_err(|source| Error::io("write", &self.path, source))
    }

    /// Writes what is still held back and closes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<()> {
        let flushed = match self.stream {
            Stream::Plain(mut stream) => stream.flush(),
            Stream::Gzip(stream) => stream.finish().and_then(|mut stream| stream.flush()),
        };
        flushed.map_err(|source| Error::io("write", &self.path, source))
    }
}

fn write_frame(stream: &mut dyn Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    stream.write_all(&length)?;
    stream.write_all(&masked_crc32c(&length).to_le_bytes())?;
    stream.write_all(data)?;
    stream.write_all(&masked_crc32c(data).to_le_bytes())
}
