//! TFRecord framing: length (u64), sum of the length, data, sum of the data; little endian; sums are masked CRC-32C.

use std::path::{Path, PathBuf};

use super::crc32c::masked_crc32c;
use super::source::{HEADER_BYTES, ReadFailure, Source};
use crate::Error;

/// The first allocation for a record of which nothing has arrived yet.
const FIRST_GROWTH_BYTES: usize = 256 << 10;

const SUM_BYTES: usize = 4;

/// One record's data and where it lies.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) data: &'a [u8],
    pub(super) index: u64,
    pub(super) offset: u64,
}

/// What went wrong, by what can still be trusted.
#[derive(Debug)]
pub(super) enum Broken {
    /// This record is broken; the next one can be read.
    Record(Error),
    /// Where the next record starts is not known: the file ends here.
    Rest(Error),
    /// Not the record's fault: the system failed.
    System(Error),
}

/// Reads the frames of one stream.
pub(super) struct FrameReader {
    source: Source,
    file: PathBuf,
    /// Of the next record.
    index: u64,
    /// Of the next record, in the uncompressed stream.
    offset: u64,
    /// The record being read; grows to the longest record seen, never above `max_record_bytes` and its sum.
    buffer: Vec<u8>,
    max_record_bytes: usize,
    /// What is left of a record that was too long to be read.
    undiscarded: u64,
    is_ended: bool,
}

impl FrameReader {
    /// Reads `source`, whose next record is number `index` at byte `offset`.
    pub(super) fn new(source: Source, file: &Path, at: (u64, u64), max_record_bytes: usize) -> Self {
        let (index, offset) = at;
        Self {
            source,
            file: file.to_owned(),
            index,
            offset,
            buffer: Vec::new(),
            // Room for the sum behind the data, whatever the caller asked for.
            max_record_bytes: max_record_bytes.min(isize::MAX as usize - SUM_BYTES),
            undiscarded: 0,
            is_ended: false,
        }
    }

    /// Uses the memory of another reader.
    pub(super) fn with_buffer(mut self, buffer: Vec<u8>) -> Self {
        self.buffer = buffer;
        self
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Number and byte of the next record.
    pub(super) fn next_record(&self) -> (u64, u64) {
        (self.index, self.offset)
    }

    /// The next record; `None` at the stream's end.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, Broken> {
        let (index, offset) = (self.index, self.offset);
        match self.next_length() {
            Ok(Some(length)) => Ok(Some(Frame { data: &self.buffer[..length], index, offset })),
            Ok(None) => {
                self.is_ended = true;
                Ok(None)
            }
            Err(broken) => {
                self.is_ended |= !matches!(broken, Broken::Record(_));
                Err(broken)
            }
        }
    }

    /// Reads the next record's data to the front of the buffer.
    fn next_length(&mut self) -> Result<Option<usize>, Broken> {
        if self.is_ended {
            return Ok(None);
        }
        self.discard_rest()?;
        let mut header = [0; HEADER_BYTES];
        let found = self.source.read(&mut header).map_err(|failure| self.failure(failure))?;
        if found == 0 {
            return Ok(None);
        }
        if found < HEADER_BYTES {
            return Err(self.rest(format!("expected {HEADER_BYTES} bytes of length and sum, found {found}")));
        }
        let (length, sum) = header.split_at(8);
        let expected = masked_crc32c(length);
        let found = le_u32(sum);
        if found != expected {
            return Err(self.rest(format!(
                "the sum of the length is wrong: expected {expected:#010x}, found {found:#010x}"
            )));
        }
        let length = length.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        let Some(short) = usize::try_from(length).ok().filter(|&l| l <= self.max_record_bytes) else {
            self.undiscarded = length.saturating_add(SUM_BYTES as u64);
            let expected = self.max_record_bytes;
            let broken =
                self.record(format!("expected at most {expected} bytes, found a length of {length}"));
            self.step(length);
            return Err(broken);
        };
        self.fill(short + SUM_BYTES)?;
        let expected = masked_crc32c(&self.buffer[..short]);
        let found = le_u32(&self.buffer[short..short + SUM_BYTES]);
        if found != expected {
            let broken = self.record(format!(
                "the sum of the data is wrong: expected {expected:#010x}, found {found:#010x}"
            ));
            self.step(length);
            return Err(broken);
        }
        self.step(length);
        Ok(Some(short))
    }

    /// Reads `wanted` bytes to the front of the buffer. A length is only a claim: the buffer grows as bytes arrive.
    fn fill(&mut self, wanted: usize) -> Result<(), Broken> {
        let mut filled = 0;
        while filled < wanted {
            let target = if wanted <= self.buffer.len() {
                wanted
            } else {
                let target = wanted.min((2 * filled).max(FIRST_GROWTH_BYTES)).max(self.buffer.len());
                self.buffer.reserve_exact(target - self.buffer.len());
                self.buffer.resize(target, 0);
                target
            };
            let found = self
                .source
                .read(&mut self.buffer[filled..target])
                .map_err(|failure| failure_at(&self.file, self.index, self.offset, failure))?;
            filled += found;
            if filled < target {
                return Err(self.rest(format!(
                    "the file is cut: expected {wanted} bytes of data and sum, found {filled}"
                )));
            }
        }
        Ok(())
    }

    fn discard_rest(&mut self) -> Result<(), Broken> {
        let wanted = std::mem::take(&mut self.undiscarded);
        if wanted == 0 {
            return Ok(());
        }
        let found = self.source.discard(wanted).map_err(|failure| self.failure(failure))?;
        if found < wanted {
            let left = wanted - found;
            return Err(self.rest(format!("the file is cut: {left} bytes of the record before are missing")));
        }
        Ok(())
    }

    fn step(&mut self, length: u64) {
        self.index += 1;
        self.offset = self.offset.saturating_add(length).saturating_add((HEADER_BYTES + SUM_BYTES) as u64);
    }

    fn record(&self, problem: String) -> Broken {
        Broken::Record(error_at(&self.file, self.index, self.offset, problem))
    }

    fn rest(&self, problem: String) -> Broken {
        Broken::Rest(error_at(&self.file, self.index, self.offset, problem))
    }

    fn failure(&self, failure: ReadFailure) -> Broken {
        failure_at(&self.file, self.index, self.offset, failure)
    }
}

pub(super) fn error_at(file: &Path, index: u64, offset: u64, problem: String) -> Error {
    Error::Record { file: file.to_owned(), index, offset, problem }
}

fn failure_at(file: &Path, index: u64, offset: u64, failure: ReadFailure) -> Broken {
    match failure {
        ReadFailure::Damaged(problem) => Broken::Rest(error_at(file, index, offset, problem)),
        ReadFailure::System(source) => Broken::System(Error::io("read", file, source)),
    }
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}
