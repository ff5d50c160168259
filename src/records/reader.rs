//! Files of records to blocks of columns, in constant memory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::{Origin, Position, RecordBlock};
use super::decode::Decoder;
use super::frames::{Broken, FrameReader, error_at};
use super::layout::RecordLayout;
use super::source::Source;
use crate::{Error, Result};

/// What a feature that a record does not have means. A missing label is 0 either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The record is broken.
    #[default]
    Refuse,
    /// The feature is zero, as the released training reader has it.
    FillZero,
}

/// What a broken record means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnBad {
    /// Reading ends with its error, after the records before it have been given.
    #[default]
    Stop,
    /// It is counted and left out. Where the start of the next record cannot be known (a wrong sum of a length, a file
    /// or a gzip stream that is cut or damaged) it counts as one, and the file ends there.
    Skip,
}

/// How records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOptions {
    /// What a missing feature means.
    pub missing: Missing,
    /// What a broken record means.
    pub on_bad: OnBad,
    /// A record with more bytes of data is broken. 16 MiB by default; a production record has 28 KB.
    pub max_record_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { missing: Missing::default(), on_bad: OnBad::default(), max_record_bytes: 16 << 20 }
    }
}

/// What [`OnBad::Skip`] left out.
#[derive(Debug, Default)]
pub struct Skipped {
    /// Broken records, those that ended a file early included.
    pub records: u64,
    /// Files that ended early.
    pub files_cut: u64,
    /// The first errors, up to [`Skipped::MAX_ERRORS`].
    pub errors: Vec<Error>,
}

impl Skipped {
    /// How many errors are kept.
    pub const MAX_ERRORS: usize = 16;

    fn add(&mut self, error: Error, file_ends: FileEnds) {
        self.records += 1;
        self.files_cut += u64::from(file_ends == FileEnds::Yes);
        if self.errors.len() < Self::MAX_ERRORS {
            self.errors.push(error);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FileEnds {
    Yes,
    No,
}

/// Reads files of records one after the other into a block that the caller owns.
///
/// ```no_run
/// use maskrank::records::{BlockReader, LayoutSpec, ReadOptions, RecordBlock, RecordLayout, Schema};
///
/// # fn main() -> maskrank::Result<()> {
/// let schema = Schema::open("segdense.json".as_ref())?;
/// let spec = LayoutSpec { continuous_truncation: Some(2117), binary_truncation: Some(59), ..Default::default() };
/// let layout = RecordLayout::new(&schema, &spec, maskrank::config::Widths::from_schema(&schema, &spec)?)?;
/// let mut block = RecordBlock::new(&layout, 1500)?;
/// let mut reader = BlockReader::new(vec!["a.tfrecord.gz".into()], layout, ReadOptions::default());
/// while reader.read_into(&mut block)? {
///     for request in block.requests() {
///         println!("user {}: {} candidates", block.user_ids()[request.start], request.len());
///     }
/// }
/// # Ok(()) }
/// ```
pub struct BlockReader {
    files: Vec<PathBuf>,
    layout: Arc<RecordLayout>,
    options: ReadOptions,
    decoder: Decoder,
    /// The file being read, which is `files[current]`; `None` when it is still to be opened, or there is none left.
    frames: Option<FrameReader>,
    current: usize,
    /// Where `current` is to be opened.
    start: (u64, u64),
    spare_buffer: Vec<u8>,
    /// The record after a full block, read to learn whether the block's last request goes on.
    staged: Option<RecordBlock>,
    /// After the record read last, a staged one included.
    position: Position,
    /// What was left out before `position`: records, files cut.
    skipped_before: (u64, u64),
    /// An error that waits until the records before it have been given.
    failed: Option<Error>,
    is_finished: bool,
    /// File and user of the record given last.
    open_request: Option<(u32, i64)>,
    skipped: Skipped,
    input_bytes: Arc<AtomicU64>,
    reads_ahead: bool,
}

impl BlockReader {
    /// A reader of `files`, in order; each is opened when it is its turn. A request ends with its file.
    #[must_use]
    pub fn new(files: Vec<PathBuf>, layout: impl Into<Arc<RecordLayout>>, options: ReadOptions) -> Self {
        Self::resume(files, layout, options, Position::default())
    }

    /// A reader that goes on at `position`, which [`RecordBlock::next_position`] gave for the same files, layout and
    /// options: it gives the records that the first reader would have given next. With [`OnBad::Skip`], broken records
    /// right after `position` are counted again.
    #[must_use]
    pub fn resume(
        files: Vec<PathBuf>,
        layout: impl Into<Arc<RecordLayout>>,
        options: ReadOptions,
        position: Position,
    ) -> Self {
        let layout = layout.into();
        let decoder = Decoder::new(&layout, options.missing);
        Self {
            files,
            layout,
            options,
            decoder,
            frames: None,
            current: position.file,
            start: (position.record, position.offset),
            spare_buffer: Vec::new(),
            staged: None,
            position,
            skipped_before: (0, 0),
            failed: None,
            is_finished: false,
            open_request: position.open_request.map(|user| (position.file as u32, user)),
            skipped: Skipped::default(),
            input_bytes: Arc::default(),
            reads_ahead: false,
        }
    }

    /// Reads, and decompresses, each file on a thread of its own, a few hundred KiB before its records are decoded. What
    /// is read does not change. A thread that waits for a pipe outlives the reader until the pipe gives something.
    #[must_use]
    pub fn read_ahead(mut self) -> Self {
        self.reads_ahead = true;
        self
    }

    /// A reader of one stream that is no file, gzip or not; `name` stands for it in errors.
    ///
    /// # Errors
    /// The first bytes cannot be read.
    pub fn from_stream(
        stream: impl Read + Send + 'static,
        name: &Path,
        layout: impl Into<Arc<RecordLayout>>,
        options: ReadOptions,
    ) -> Result<Self> {
        let source = Source::from_stream(stream, name)?;
        let mut reader = Self::new(vec![name.to_owned()], layout, options);
        reader.frames = Some(FrameReader::new(source, name, (0, 0), options.max_record_bytes));
        Ok(reader)
    }

    /// Fills `block` with the next records; `false` at the end, with an empty block.
    ///
    /// # Errors
    /// A file cannot be opened or read. With [`OnBad::Stop`], a record is broken: the error names file, record, byte,
    /// and the feature. After an error there is nothing more to read. `block` was made for another layout.
    pub fn read_into(&mut self, block: &mut RecordBlock) -> Result<bool> {
        if !block.fits(&self.layout) {
            return Err(Error::Argument {
                argument: "block",
                expected: "a block made for the reader's layout".to_owned(),
                found: "other widths".to_owned(),
            });
        }
        block.clear();
        let read = self.fill(block);
        // Errors end the reading, whether they come now or after this block.
        self.is_finished |= read.is_err();
        if let Err(error) = read {
            if block.is_empty() {
                return Err(error);
            }
            self.failed = Some(error);
        }
        let first = block.first_request();
        block.continues_from_previous = first.is_some() && first == self.open_request;
        self.open_request = block.last_request().or(self.open_request);
        Ok(!block.is_empty())
    }

    /// What was left out so far.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// The files, in order: [`Origin::file`] is an index into them.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The layout of the records.
    #[must_use]
    pub fn layout(&self) -> &RecordLayout {
        &self.layout
    }

    /// Bytes read from the files so far, compressed as they are there: a measure of progress.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        self.input_bytes.load(Ordering::Relaxed)
    }

    fn fill(&mut self, block: &mut RecordBlock) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut staged = match self.staged.take() {
            Some(staged) => staged,
            None => RecordBlock::new(&self.layout, 1)?,
        };
        let filled = self.fill_with(block, &mut staged);
        self.staged = Some(staged);
        filled
    }

    fn fill_with(&mut self, block: &mut RecordBlock, staged: &mut RecordBlock) -> Result<()> {
        block.append(staged);
        staged.clear();
        (block.next_position, block.skipped_before) = (self.position, self.skipped_before);
        while !block.is_full() {
            if !self.next_record(block)? {
                return Ok(());
            }
            (block.next_position, block.skipped_before) = (self.position, self.skipped_before);
        }
        if self.next_record(staged)? {
            block.continues = block.last_request() == staged.first_request();
        }
        Ok(())
    }

    /// Appends the next good record; `false` at the end.
    fn next_record(&mut self, block: &mut RecordBlock) -> Result<bool> {
        loop {
            let Some(file) = self.files.get(self.current).filter(|_| !self.is_finished) else {
                return Ok(false);
            };
            let frames = match &mut self.frames {
                Some(frames) => frames,
                closed => {
                    let (record, offset) = std::mem::take(&mut self.start);
                    let mut source = Source::open(file, offset, &self.input_bytes)?;
                    if self.reads_ahead {
                        source = source.ahead(file)?;
                    }
                    let frames =
                        FrameReader::new(source, file, (record, offset), self.options.max_record_bytes);
                    closed.insert(frames.with_buffer(std::mem::take(&mut self.spare_buffer)))
                }
            };
            let broken = match frames.next() {
                Ok(Some(frame)) => match self.decoder.decode(&self.layout, frame.data, block) {
                    Ok(()) => {
                        let (index, offset) = (frame.index, frame.offset);
                        block.commit(Origin { file: self.current as u32, index, offset });
                        let (record, offset) = frames.next_record();
                        let open_request = block.user_ids.last().copied();
                        self.position = Position { file: self.current, record, offset, open_request };
                        self.skipped_before = (self.skipped.records, self.skipped.files_cut);
                        return Ok(true);
                    }
                    Err(problem) => {
                        block.drop_uncommitted();
                        Broken::Record(error_at(file, frame.index, frame.offset, problem))
                    }
                },
                Ok(None) => {
                    self.spare_buffer = self.frames.take().map(FrameReader::into_buffer).unwrap_or_default();
                    self.current += 1;
                    continue;
                }
                Err(broken) => broken,
            };
            match (broken, self.options.on_bad) {
                (Broken::Record(error), OnBad::Skip) => self.skipped.add(error, FileEnds::No),
                (Broken::Rest(error), OnBad::Skip) => self.skipped.add(error, FileEnds::Yes),
                (Broken::Record(error) | Broken::Rest(error) | Broken::System(error), _) => {
                    return Err(error);
                }
            }
        }
    }
}
