//! Parquet, read. What [`super::parquet_write`] writes, and files of other writers as well: 32-bit integers and doubles where they fit, nullable columns, lists in two
//! or three levels, uncompressed or Snappy.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::basic::{Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, Type};

use super::columns::{Chunk, Column, Field, Kind, Shape, Values};
use super::error::ImportError;
use crate::stores::RowProblem;

/// Reads a file in chunks of at most `chunk_rows` rows and hands each to `take` with the number of its first row.
pub(super) fn read(
    file: &str,
    input: File,
    fields: &'static [Field],
    chunk_rows: usize,
    mut take: impl FnMut(u64, &Chunk) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let damaged = |error: ParquetError| ImportError::format(file, None, error);
    let reader = guard(file, || SerializedFileReader::new(input))?.map_err(damaged)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let leaves = match_columns(file, fields, schema.columns(), schema.root_schema())?;
    let mut chunk = Chunk::new(fields);
    let mut first_row = 1;
    for group in 0..reader.num_row_groups() {
        let open = || -> Result<Vec<Option<ColumnReader>>, ParquetError> {
            let group = reader.get_row_group(group)?;
            let column =
                |leaf: &Option<Leaf>| leaf.map(|leaf| group.get_column_reader(leaf.position)).transpose();
            leaves.iter().map(column).collect()
        };
        let mut columns = guard(file, open)?.map_err(damaged)?;
        loop {
            chunk.clear();
            guard(file, || fill(file, &leaves, &mut columns, &mut chunk, first_row, chunk_rows))??;
            if chunk.rows == 0 {
                break;
            }
            take(first_row, &chunk)?;
            first_row += chunk.rows as u64;
        }
    }
    Ok(())
}

/// Where a field's values lie in a file.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    /// Position among the file's leaf columns.
    position: usize,
    /// Definition level of a value that is there.
    max_definition: i16,
    /// For a list the definition level of an element, be it null; else 0.
    element_definition: i16,
}

impl Leaf {
    fn is_list(self) -> bool {
        self.element_definition > 0
    }

    fn new(position: usize, column: &ColumnDescriptor, root: &Type) -> Self {
        let (mut depth, mut element_definition) = (0, 0);
        let mut node = root;
        for part in column.path().parts() {
            let Some(child) = node
                .is_group()
                .then(|| node.get_fields())
                .and_then(|children| children.iter().find(|child| child.name() == part))
            else {
                break;
            };
            node = child.as_ref();
            let info = node.get_basic_info();
            if info.has_repetition() && info.repetition() != Repetition::REQUIRED {
                depth += 1;
                if info.repetition() == Repetition::REPEATED {
                    element_definition = depth;
                }
            }
        }
        Self { position, max_definition: column.max_def_level(), element_definition }
    }
}

/// Runs a part of the Parquet reader. It is meant to return errors for whatever bytes it is given; should it still
/// panic over a damaged file, that is the file's fault and no reason to end the process.
fn guard<T>(file: &str, part: impl FnOnce() -> T) -> Result<T, ImportError> {
    catch_unwind(AssertUnwindSafe(part))
        .map_err(|_| ImportError::format(file, None, "the file is damaged: the Parquet reader gave up"))
}

/// For each field the position of its leaf column, if the file has it.
fn match_columns(
    file: &str,
    fields: &[Field],
    columns: &[Arc<ColumnDescriptor>],
    root_type: &Type,
) -> Result<Vec<Option<Leaf>>, ImportError> {
    let root = |column: &ColumnDescriptor| column.path().parts().first().cloned().unwrap_or_default();
    if let Some(unknown) =
        columns.iter().map(|column| root(column)).find(|root| fields.iter().all(|field| field.name != root))
    {
        return Err(ImportError::column(file, &unknown, "the table has no such column"));
    }
    fields
        .iter()
        .map(|field| {
            let mut found = columns.iter().enumerate().filter(|(_, column)| root(column) == field.name);
            let Some((position, column)) = found.next() else {
                return match field.shape {
                    Shape::Required => Err(ImportError::column(file, field.name, "is missing")),
                    Shape::Optional | Shape::List => Ok(None),
                };
            };
            let is_list = column.max_rep_level() == 1;
            if found.next().is_some() || column.max_rep_level() > 1 || is_list != (field.shape == Shape::List)
            {
                let expected = if field.shape == Shape::List { "a list of values" } else { "one value" };
                return Err(ImportError::column(
                    file,
                    field.name,
                    format!("expected {expected} in each row"),
                ));
            }
            let physical = column.physical_type();
            let fits = match field.kind {
                Kind::Flag => physical == Physical::BOOLEAN,
                Kind::Int | Kind::Id => matches!(physical, Physical::INT32 | Physical::INT64),
                Kind::Float => matches!(physical, Physical::FLOAT | Physical::DOUBLE),
                Kind::Text => physical == Physical::BYTE_ARRAY,
            };
            if !fits {
                let problem = format!("expected {}, found {physical}", field.kind.name());
                return Err(ImportError::column(file, field.name, problem));
            }
            Ok(Some(Leaf::new(position, column, root_type)))
        })
        .collect()
}

/// Fills the chunk with the next rows of all columns.
fn fill(
    file: &str,
    leaves: &[Option<Leaf>],
    readers: &mut [Option<ColumnReader>],
    chunk: &mut Chunk,
    first_row: u64,
    limit: usize,
) -> Result<(), ImportError> {
    let mut rows = None;
    for (index, (field, column)) in chunk.fields.iter().zip(&mut chunk.columns).enumerate() {
        let (Some(leaf), Some(reader)) = (leaves[index], &mut readers[index]) else { continue };
        let sink = Sink { file, field, column, first_row, limit, leaf };
        let count = sink.read_any(reader)?;
        if *rows.get_or_insert(count) != count {
            let problem = "the column has another number of rows than those before it";
            return Err(ImportError::column(file, field.name, problem));
        }
    }
    chunk.rows = rows.unwrap_or(0);
    for (column, leaf) in chunk.columns.iter_mut().zip(leaves) {
        if leaf.is_none() {
            column.ends.resize(chunk.rows, 0);
        }
    }
    Ok(())
}

/// Where the values of one column go.
struct Sink<'a> {
    file: &'a str,
    field: &'a Field,
    column: &'a mut Column,
    first_row: u64,
    limit: usize,
    leaf: Leaf,
}

impl Sink<'_> {
    /// Reads up to `limit` rows of a column of any type that the field can have.
    fn read_any(mut self, reader: &mut ColumnReader) -> Result<usize, ImportError> {
        let is_id = self.field.kind == Kind::Id;
        let int = |value: i64, values: &mut Values| {
            values.push_int(value);
            if is_id && value < 0 { Err(value.to_string()) } else { Ok(()) }
        };
        match reader {
            ColumnReader::BoolColumnReader(reader) => self.read(reader, |value, values| {
                values.push_flag(*value);
                Ok(())
            }),
            ColumnReader::Int32ColumnReader(reader) => {
                self.read(reader, |value, values| int(i64::from(*value), values))
            }
            ColumnReader::Int64ColumnReader(reader) => self.read(reader, |value, values| int(*value, values)),
            ColumnReader::FloatColumnReader(reader) => self.read(reader, |value, values| {
                values.push_float(*value);
                Ok(())
            }),
            ColumnReader::DoubleColumnReader(reader) => self.read(reader, |value, values| {
                values.push_float(*value as f32);
                Ok(())
            }),
            ColumnReader::ByteArrayColumnReader(reader) => self.read(reader, |value: &ByteArray, values| {
                let text = std::str::from_utf8(value.data()).map_err(|error| error.to_string())?;
                values.push_text(text);
                Ok(())
            }),
            _ => Err(ImportError::column(self.file, self.field.name, "the column's type is not read")),
        }
    }

    /// Reads up to `limit` rows; `push` takes a value or says what it found instead.
    fn read<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        push: impl Fn(&T::T, &mut Values) -> Result<(), String>,
    ) -> Result<usize, ImportError> {
        let (file, field) = (self.file, self.field);
        let damaged = |error: ParquetError| ImportError::column(file, field.name, error);
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (mut rows, mut levels) = (0, 0);
        while rows < self.limit {
            let (more_rows, _, more_levels) = reader
                .read_records(self.limit - rows, Some(&mut definitions), Some(&mut repetitions), &mut values)
                .map_err(damaged)?;
            if more_rows == 0 {
                break;
            }
            rows += more_rows;
            levels += more_levels;
        }
        let mut values = values.iter();
        let mut row = 0;
        for level in 0..levels {
            if self.leaf.is_list() && level > 0 && repetitions.get(level) == Some(&0) {
                self.column.end_row();
                row += 1;
            }
            // A column without definition levels has a value everywhere.
            let depth = definitions.get(level).copied().unwrap_or(self.leaf.max_definition);
            if depth == self.leaf.max_definition {
                let found = match values.next() {
                    Some(value) => push(value, &mut self.column.values).err(),
                    None => Some("none".to_owned()),
                };
                found.map_or(Ok(()), |found| self.refuse(row, found))?;
            } else if self.leaf.is_list() && depth >= self.leaf.element_definition
                || field.shape == Shape::Required
            {
                self.refuse(row, "none".to_owned())?;
            }
            if !self.leaf.is_list() {
                self.column.end_row();
                row += 1;
            }
        }
        if self.leaf.is_list() && levels > 0 {
            self.column.end_row();
            row += 1;
        }
        if row != rows {
            return Err(damaged(ParquetError::General(format!("{row} rows instead of {rows}"))));
        }
        Ok(rows)
    }

    fn refuse(&self, row: usize, found: String) -> Result<(), ImportError> {
        let problem = RowProblem::invalid(self.field.name, self.field.kind.name(), found);
        Err(ImportError::Row { file: self.file.to_owned(), row: self.first_row + row as u64, problem })
    }
}
