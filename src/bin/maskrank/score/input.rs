//! What is scored: record files, or tables (Parquet, safetensors) with one column an input.

use std::path::{Path, PathBuf};

use maskrank::Error;
use maskrank::config::Widths;
use maskrank::records::{BlockReader, Origin, Position, RecordBlock, Row, Skipped};

use super::parquet_in::ParquetTable;
use super::safetensors_in::SafetensorsTable;

/// The columns of features, in the order of [`Values::features`].
pub(super) const FEATURES: [&str; 5] =
    ["continuous", "binary", "user_embedding", "user_eng_embedding", "author_embedding"];
/// Columns that may be absent: ids are then 0, a tweet's its row.
pub(super) const IDS: [&str; 3] = ["user_id", "author_id", "tweet_id"];

/// One row, read from a table. Memory is kept from row to row.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) ids: [i64; 3],
    /// In the order of [`FEATURES`]; binary ones as numbers.
    pub(super) features: [Vec<f32>; 5],
    binary: Vec<u8>,
}

/// A file of rows.
pub(super) trait Table: Send {
    /// Rows in all.
    fn rows(&self) -> u64;

    /// Goes to a row, at most the number of rows.
    fn seek(&mut self, row: u64) -> Result<(), Error>;

    /// Reads the next row, which there is.
    fn read(&mut self, values: &mut Values) -> Result<(), Error>;
}

/// Asks the system to read a table before it is asked for it: the rows of one are decoded while it reads on.
pub(super) fn read_ahead(file: &std::fs::File) {
    // Advice may be ignored, and where there is none to give the system does as it likes.
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

fn kind(path: &Path) -> &str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(table @ ("parquet" | "safetensors")) => table,
        _ => "records",
    }
}

/// Whether the files are tables rather than records.
pub(crate) fn are_tables(files: &[PathBuf]) -> Result<bool, String> {
    let tables = files.iter().filter(|path| kind(path) != "records").count();
    match tables {
        0 => Ok(false),
        all if all == files.len() => Ok(true),
        _ => Err("--records: expected record files or tables (.parquet, .safetensors), found both".into()),
    }
}

pub(crate) enum Input {
    Records(Box<BlockReader>),
    Tables(Box<TableReader>),
}

impl Input {
    pub(crate) fn block(&self, capacity: usize) -> Result<RecordBlock, Error> {
        match self {
            Self::Records(reader) => RecordBlock::new(reader.layout(), capacity),
            Self::Tables(reader) => RecordBlock::of_widths(reader.widths, capacity),
        }
    }

    pub(crate) fn read_into(&mut self, block: &mut RecordBlock) -> Result<bool, Error> {
        match self {
            Self::Records(reader) => reader.read_into(block),
            Self::Tables(reader) => reader.read_into(block),
        }
    }

    pub(crate) fn input_bytes(&self) -> u64 {
        match self {
            Self::Records(reader) => reader.input_bytes(),
            Self::Tables(reader) => reader.input_bytes,
        }
    }

    /// Tables are whole or refused: nothing of them is left out.
    pub(crate) fn skipped(&self) -> Option<&Skipped> {
        match self {
            Self::Records(reader) => Some(reader.skipped()),
            Self::Tables(_) => None,
        }
    }
}

/// Reads tables one after the other into blocks, as [`BlockReader`] does records.
pub(crate) struct TableReader {
    files: Vec<PathBuf>,
    widths: Widths,
    /// `files[file]` and its length in bytes, where it is open.
    table: Option<(Box<dyn Table>, u64)>,
    file: usize,
    row: u64,
    /// A row that was read to learn whether the block's last request goes on, and where it lies.
    staged: Option<(Values, Origin)>,
    spare: Values,
    /// File and user of the row given last.
    open_request: Option<(u32, i64)>,
    /// Bytes of the files that have been read, in proportion to their rows.
    input_bytes: u64,
    input_before_file: u64,
}

impl TableReader {
    pub(crate) fn new(files: Vec<PathBuf>, widths: Widths, position: Position) -> Self {
        Self {
            files,
            widths,
            table: None,
            file: position.file,
            row: position.record,
            staged: None,
            spare: Values::default(),
            open_request: position.open_request.map(|user| (position.file as u32, user)),
            input_bytes: 0,
            input_before_file: 0,
        }
    }

    fn read_into(&mut self, block: &mut RecordBlock) -> Result<bool, Error> {
        block.clear();
        let mut next = Position { file: self.file, record: self.row, ..Position::default() };
        while !block.is_full() {
            let Some((mut values, origin)) =
                self.staged.take().map_or_else(|| self.next(), |row| Ok(Some(row)))?
            else {
                break;
            };
            values.binary.clear();
            for (column, &value) in values.features[1].iter().enumerate() {
                let byte = value as u8;
                if f32::from(byte) != value {
                    return Err(self.wrong(
                        origin,
                        format!(
                            "binary: expected whole numbers from 0 to 255, found {value} in column {column}"
                        ),
                    ));
                }
                values.binary.push(byte);
            }
            let [continuous, _, user_embedding, user_eng_embedding, author_embedding] = &values.features;
            let [user_id, author_id, tweet_id] = values.ids;
            let row = Row {
                user_id,
                author_id,
                tweet_id,
                continuous,
                binary: &values.binary,
                user_embedding,
                user_eng_embedding,
                author_embedding,
            };
            block.push(origin, &row).map_err(|error| self.wrong(origin, error.to_string()))?;
            next = Position {
                file: origin.file as usize,
                record: origin.index + 1,
                offset: 0,
                open_request: Some(user_id),
            };
            self.spare = values;
        }
        let (Some(first), Some(last)) = (block.origins().first(), block.origins().last()) else {
            return Ok(false);
        };
        let first = (first.file, block.user_ids()[0]);
        let last = (last.file, block.user_ids()[block.len() - 1]);
        let from_previous = self.open_request == Some(first);
        self.open_request = Some(last);
        self.staged = self.next()?;
        let follower = self.staged.as_ref().map(|(values, origin)| (origin.file, values.ids[0]));
        block.link(from_previous, follower == Some(last), next);
        Ok(true)
    }

    fn wrong(&self, origin: Origin, problem: String) -> Error {
        let file = self.files[origin.file as usize].clone();
        Error::Record { file, index: origin.index, offset: 0, problem }
    }

    fn next(&mut self) -> Result<Option<(Values, Origin)>, Error> {
        loop {
            let Some(path) = self.files.get(self.file) else { return Ok(None) };
            let (table, bytes) = match &mut self.table {
                Some(open) => open,
                closed => {
                    let mut table: Box<dyn Table> = match kind(path) {
                        "parquet" => Box::new(ParquetTable::open(path, self.widths)?),
                        _ => Box::new(SafetensorsTable::open(path, self.widths)?),
                    };
                    if self.row > table.rows() {
                        return Err(Error::Argument {
                            argument: "position",
                            expected: format!("a row of {}", path.display()),
                            found: format!("row {} of {}", self.row, table.rows()),
                        });
                    }
                    table.seek(self.row)?;
                    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
                    closed.insert((table, bytes))
                }
            };
            if self.row == table.rows() {
                self.input_before_file += *bytes;
                self.input_bytes = self.input_before_file;
                self.table = None;
                self.file += 1;
                self.row = 0;
                continue;
            }
            let mut values = std::mem::take(&mut self.spare);
            values.ids = [0, 0, self.row as i64];
            table.read(&mut values)?;
            let origin = Origin { file: self.file as u32, index: self.row, offset: 0 };
            self.row += 1;
            let share = self.row as f64 / table.rows() as f64;
            self.input_bytes = self.input_before_file + (*bytes as f64 * share) as u64;
            return Ok(Some((values, origin)));
        }
    }
}
