//! A Parquet file as a table: one list column an input (any nesting with one repeated level), row group by row group.
//!
//! The format is read by the `parquet` crate, whose memory is a few pages a column. It is trusted less than our own
//! readers: what it throws is caught and becomes an error of the file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use maskrank::Error;
use maskrank::config::Widths;
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::input::{FEATURES, IDS, Table, Values, read_ahead};

pub(super) struct ParquetTable {
    path: PathBuf,
    file: SerializedFileReader<File>,
    rows: u64,
    /// Leaf of each column: ids, then features.
    leaves: [Option<usize>; 8],
    widths: [usize; 5],
    group: usize,
    /// Row of the file that is read next.
    row: u64,
    left_in_group: u64,
    columns: [Option<ColumnReader>; 8],
}

/// The numbers of one row of one column.
enum Cells<'a> {
    Id(&'a mut i64),
    Features(&'a mut Vec<f32>),
}

impl ParquetTable {
    pub(super) fn open(path: &Path, widths: Widths) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Io {
            operation: "open",
            path: path.to_owned(),
            source,
        })?;
        read_ahead(&file);
        let file = guard(path, 0, || SerializedFileReader::new(file))?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let [user, user_eng, author] = widths.embeddings();
        let widths = [widths.continuous, widths.binary, user, user_eng, author];
        let mut leaves = [None; 8];
        for (slot, name) in leaves.iter_mut().zip(IDS.iter().chain(&FEATURES)) {
            let is_named =
                |leaf: &usize| schema.column(*leaf).path().parts().first().is_some_and(|p| p == name);
            *slot = (0..schema.num_columns()).find(is_named);
        }
        for ((name, leaf), width) in FEATURES.iter().zip(&leaves[3..]).zip(widths) {
            if leaf.is_none() && width > 0 {
                return Err(wrong(
                    path,
                    0,
                    format!("{name}: expected a column of {width} numbers, found none"),
                ));
            }
        }
        let rows = u64::try_from(file.metadata().file_metadata().num_rows()).unwrap_or(0);
        let columns = [const { None }; 8];
        Ok(Self {
            path: path.to_owned(),
            file,
            rows,
            leaves,
            widths,
            group: 0,
            row: 0,
            left_in_group: 0,
            columns,
        })
    }

    /// Opens the columns of the next row group that has rows.
    fn next_group(&mut self) -> Result<(), Error> {
        while self.left_in_group == 0 {
            let (file, index, leaves) = (&self.file, self.group, self.leaves);
            if index >= file.num_row_groups() {
                return Err(wrong(
                    &self.path,
                    self.row,
                    format!("expected {} rows, the row groups have fewer", self.rows),
                ));
            }
            let (rows, columns) = guard(&self.path, self.row, || {
                let group = file.get_row_group(index)?;
                let rows = group.metadata().num_rows();
                let mut columns = [const { None }; 8];
                for (slot, leaf) in columns.iter_mut().zip(leaves) {
                    *slot = leaf.map(|leaf| group.get_column_reader(leaf)).transpose()?;
                }
                Ok((rows, columns))
            })?;
            self.left_in_group = u64::try_from(rows).unwrap_or(0);
            self.columns = columns;
            self.group += 1;
        }
        Ok(())
    }
}

impl Table for ParquetTable {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn seek(&mut self, row: u64) -> Result<(), Error> {
        let mut left = row;
        while left > 0 {
            self.next_group()?;
            let skipped = left.min(self.left_in_group);
            if skipped < self.left_in_group {
                for column in self.columns.iter_mut().flatten() {
                    guard(&self.path, self.row, || skip(column, skipped as usize))?;
                }
            }
            left -= skipped;
            self.left_in_group -= skipped;
            self.row += skipped;
        }
        Ok(())
    }

    fn read(&mut self, values: &mut Values) -> Result<(), Error> {
        self.next_group()?;
        let Values { ids, features, .. } = values;
        let cells = ids.iter_mut().map(Cells::Id).chain(features.iter_mut().map(Cells::Features));
        let names = IDS.iter().chain(&FEATURES);
        for (index, ((column, mut cells), name)) in self.columns.iter_mut().zip(cells).zip(names).enumerate()
        {
            let width = index.checked_sub(IDS.len()).map_or(1, |feature| self.widths[feature]);
            if let Cells::Features(values) = &mut cells {
                values.clear();
            }
            let (Some(column), true) = (column, width > 0) else { continue };
            let found = guard(&self.path, self.row, || read(column, &mut cells))?;
            if found != width {
                return Err(wrong(
                    &self.path,
                    self.row,
                    format!("{name}: expected {width} numbers, found {found}"),
                ));
            }
        }
        self.row += 1;
        self.left_in_group -= 1;
        Ok(())
    }
}

fn skip(column: &mut ColumnReader, rows: usize) -> Result<(), ParquetError> {
    match column {
        ColumnReader::BoolColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::FloatColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::DoubleColumnReader(reader) => reader.skip_records(rows),
        _ => Ok(0),
    }
    .map(drop)
}

/// Reads one row's numbers; nulls are not numbers, and are not counted.
fn read(column: &mut ColumnReader, cells: &mut Cells<'_>) -> Result<usize, ParquetError> {
    macro_rules! read {
        ($reader:expr, $element:ty, $to_f32:expr, $to_i64:expr) => {{
            let mut values: Vec<$element> = Vec::new();
            let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
            $reader.read_records(1, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
            match cells {
                Cells::Features(into) => into.extend(values.iter().map($to_f32)),
                Cells::Id(id) => match values.first().map($to_i64) {
                    Some(Some(value)) => **id = value,
                    _ => return Ok(0),
                },
            }
            Ok(values.len())
        }};
    }
    match column {
        ColumnReader::BoolColumnReader(r) => read!(r, bool, |&v| f32::from(u8::from(v)), |_| None),
        ColumnReader::Int32ColumnReader(r) => read!(r, i32, |&v| v as f32, |&v| Some(i64::from(v))),
        ColumnReader::Int64ColumnReader(r) => read!(r, i64, |&v| v as f32, |&v| Some(v)),
        ColumnReader::FloatColumnReader(r) => read!(r, f32, |&v| v, |_| None),
        ColumnReader::DoubleColumnReader(r) => read!(r, f64, |&v| v as f32, |_| None),
        _ => Err(ParquetError::General("expected a column of booleans, integers or floats".into())),
    }
}

/// Runs a call of the `parquet` crate; whatever it fails with is about the file.
fn guard<T>(path: &Path, row: u64, call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(wrong(path, row, error.to_string())),
        Err(_) => Err(wrong(path, row, "the file is damaged".into())),
    }
}

fn wrong(path: &Path, row: u64, problem: String) -> Error {
    Error::Record { file: path.to_owned(), index: row, offset: 0, problem }
}
