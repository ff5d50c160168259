//! The stream of bytes behind a file: the file itself, or what its gzip members hold.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::ahead::Ahead;
use super::crc32c::masked_crc32c;
use crate::{Error, Result};

const FILE_BUFFER_BYTES: usize = 64 << 10;

/// Length and sum of length: what every record starts with.
pub(super) const HEADER_BYTES: usize = 12;

/// Why a stream gave no more bytes.
#[derive(Debug)]
pub(super) enum ReadFailure {
    /// The compressed data are cut or damaged.
    Damaged(String),
    /// The system could not read.
    System(io::Error),
}

/// A stream of records' bytes, decompressed.
pub(super) struct Source {
    stream: Box<dyn Read + Send>,
    is_gzip: bool,
}

impl Source {
    /// Opens `path` at byte `offset` of its uncompressed stream. Bytes read from the file are added to `counter`.
    pub(super) fn open(path: &Path, offset: u64, counter: &Arc<AtomicU64>) -> Result<Self> {
        let mut file = File::open(path).map_err(|source| Error::io("open", path, source))?;
        let mut head = [0; HEADER_BYTES];
        let length = read_full(&mut file, &mut head).map_err(|source| Error::io("read", path, source))?;
        let head = head[..length].to_vec();
        let is_gzip = is_gzip(&head);
        if !is_gzip && offset > 0 {
            let end =
                file.seek(SeekFrom::End(0)).map_err(|source| Error::io("find the end of", path, source))?;
            if end < offset {
                return Err(cannot_go_on(path, offset, end));
            }
            file.seek(SeekFrom::Start(offset)).map_err(|source| Error::io("go on in", path, source))?;
            return Ok(Self::new(counted(file, counter), false));
        }
        // The head was read already: put it in front again, which also works for a pipe.
        let mut source = Self::new(counted(Cursor::new(head).chain(file), counter), is_gzip);
        if offset > 0 {
            let skipped = source.discard(offset).map_err(|failure| match failure {
                ReadFailure::System(source) => Error::io("read", path, source),
                ReadFailure::Damaged(problem) => cannot_resume(path, offset, problem),
            })?;
            if skipped < offset {
                return Err(cannot_go_on(path, offset, skipped));
            }
        }
        Ok(source)
    }

    /// A stream that is no file.
    pub(super) fn from_stream(mut stream: impl Read + Send + 'static, name: &Path) -> Result<Self> {
        let mut head = [0; HEADER_BYTES];
        let length = read_full(&mut stream, &mut head).map_err(|source| Error::io("read", name, source))?;
        let head = head[..length].to_vec();
        let is_gzip = is_gzip(&head);
        Ok(Self::new(Cursor::new(head).chain(stream), is_gzip))
    }

    fn new(stream: impl Read + Send + 'static, is_gzip: bool) -> Self {
        let buffered = BufReader::with_capacity(FILE_BUFFER_BYTES, stream);
        let stream: Box<dyn Read + Send> = if is_gzip {
            // The second buffer keeps the many small reads of headers away from the decompressor.
            Box::new(BufReader::with_capacity(FILE_BUFFER_BYTES, MultiGzDecoder::new(buffered)))
        } else {
            Box::new(buffered)
        };
        Self { stream, is_gzip }
    }

    /// The same stream, read and decompressed by a thread of its own from now on.
    pub(super) fn ahead(self, path: &Path) -> Result<Self> {
        let ahead =
            Ahead::start(self.stream).map_err(|source| Error::io("start a thread for", path, source))?;
        Ok(Self { stream: Box::new(ahead), is_gzip: self.is_gzip })
    }

    /// Fills `into` as far as the stream goes; returns how far.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadFailure> {
        read_full(&mut self.stream, into).map_err(|error| self.failure(error))
    }

    /// Reads past `count` bytes as far as the stream goes; returns how far.
    pub(super) fn discard(&mut self, count: u64) -> Result<u64, ReadFailure> {
        io::copy(&mut self.stream.as_mut().take(count), &mut io::sink()).map_err(|error| self.failure(error))
    }

    fn failure(&self, error: io::Error) -> ReadFailure {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            UnexpectedEof if self.is_gzip => ReadFailure::Damaged("the gzip stream is cut".to_owned()),
            InvalidData | InvalidInput if self.is_gzip => {
                ReadFailure::Damaged(format!("the gzip stream is damaged: {error}"))
            }
            _ => ReadFailure::System(error),
        }
    }
}

/// Whether a stream that starts with `head` is gzip.
///
/// The length of a record can look like gzip's magic bytes (35,615 does), so a head that is the header of a record is
/// never taken for gzip: its sum settles it.
fn is_gzip(head: &[u8]) -> bool {
    let is_record = head.len() == HEADER_BYTES && masked_crc32c(&head[..8]).to_le_bytes() == head[8..12];
    head.starts_with(&[0x1F, 0x8B]) && !is_record
}

fn cannot_go_on(path: &Path, offset: u64, end: u64) -> Error {
    cannot_resume(path, offset, format!("the stream ends at byte {end}"))
}

fn cannot_resume(path: &Path, offset: u64, problem: String) -> Error {
    Error::Argument {
        argument: "position",
        expected: format!("a place in {}", path.display()),
        found: format!("byte {offset}: {problem}"),
    }
}

/// Reads until `into` is full or the stream ends.
fn read_full(stream: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match stream.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

struct Counted<R> {
    stream: R,
    counter: Arc<AtomicU64>,
}

fn counted<R: Read>(stream: R, counter: &Arc<AtomicU64>) -> Counted<R> {
    Counted { stream, counter: Arc::clone(counter) }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(into)?;
        self.counter.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_whose_length_looks_like_gzip_is_a_record() {
        for length in [0x8B1F_u64, 0x0008_8B1F] {
            let mut head = length.to_le_bytes().to_vec();
            head.extend(masked_crc32c(&length.to_le_bytes()).to_le_bytes());
            assert!(head.starts_with(&[0x1F, 0x8B]) && !is_gzip(&head));
            head[8] ^= 1;
            assert!(is_gzip(&head));
        }
        assert!(is_gzip(&[0x1F, 0x8B]));
        assert!(!is_gzip(&[0x1F]) && !is_gzip(&[]));
    }
}
