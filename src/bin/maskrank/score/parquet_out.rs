//! Rows as a Parquet file: ids, status, score and one column a task, all required, in row groups of a fixed size.
//!
//! A Parquet file cannot be gone on with: its index comes last, and its row groups hold more rows than a run should lose.
//! So rows are first kept packed, one size each, in a file that is appended to as text would be; the table is made of it
//! when the last row is there, in one pass with one row group in memory. It depends on the packed rows alone, so making it
//! again gives the same bytes.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::rows::Line;

/// Rows that are held until a row group is written.
const GROUP: usize = 1 << 16;

/// The rows of the group to come, column by column.
#[derive(Default)]
struct Group {
    ids: [Vec<i64>; 3],
    statuses: Vec<ByteArray>,
    scores: Vec<f32>,
    /// One column a task.
    probabilities: Vec<Vec<f32>>,
}

/// Makes a table of packed rows; `tasks` name the columns of probabilities. What is at `table` is replaced.
pub(super) fn convert(packed: &Path, table: &Path, tasks: &[String]) -> io::Result<()> {
    let size = Line::packed_bytes(tasks.len());
    let mut rows = BufReader::with_capacity(1 << 20, File::open(packed)?);
    let mut left = rows.get_ref().metadata()?.len() / size as u64;
    let mut rest = ParquetRows::new(table, tasks)?;
    let (mut bytes, mut line) = (vec![0; size], Line::default());
    while left > 0 {
        rows.read_exact(&mut bytes)?;
        line.unpack(&bytes);
        rest.push(&line)?;
        left -= 1;
    }
    rest.finish()
}

/// Rows of a table, from its own index; an error where it is none.
pub(super) fn count(table: &Path) -> io::Result<u64> {
    let reader = SerializedFileReader::new(File::open(table)?).map_err(failed)?;
    u64::try_from(reader.metadata().file_metadata().num_rows()).map_err(io::Error::other)
}

type Writer = SerializedFileWriter<BufWriter<File>>;

struct ParquetRows {
    writer: Writer,
    group: Group,
}

impl ParquetRows {
    fn new(path: &Path, tasks: &[String]) -> io::Result<Self> {
        let column = |name: &str, physical, converted| {
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::REQUIRED)
                .with_converted_type(converted)
                .build()
                .map(Arc::new)
        };
        let fixed = [
            ("user_id", Physical::INT64, ConvertedType::NONE),
            ("author_id", Physical::INT64, ConvertedType::NONE),
            ("tweet_id", Physical::INT64, ConvertedType::NONE),
            ("status", Physical::BYTE_ARRAY, ConvertedType::UTF8),
            ("score", Physical::FLOAT, ConvertedType::NONE),
        ];
        let probabilities = tasks.iter().map(|task| (task.as_str(), Physical::FLOAT, ConvertedType::NONE));
        let fields = fixed.into_iter().chain(probabilities);
        let fields: Result<Vec<_>, _> =
            fields.map(|(name, physical, kind)| column(name, physical, kind)).collect();
        let schema = Type::group_type_builder("scores")
            .with_fields(fields.map_err(failed)?)
            .build()
            .map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let writer = Writer::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        let group = Group { probabilities: vec![Vec::new(); tasks.len()], ..Group::default() };
        Ok(Self { writer, group })
    }

    fn push(&mut self, line: &Line) -> io::Result<()> {
        let group = &mut self.group;
        group.ids.iter_mut().zip(line.ids).for_each(|(column, id)| column.push(id));
        group.statuses.push(line.status().into());
        group.scores.push(line.score());
        group.probabilities.iter_mut().zip(line.probabilities()).for_each(|(column, p)| column.push(p));
        if group.scores.len() < GROUP { Ok(()) } else { self.write_group() }
    }

    /// The file is on the disk, whole, when this returns.
    fn finish(mut self) -> io::Result<()> {
        self.write_group()?;
        // Writes the index.
        let file = self.writer.into_inner().map_err(failed)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    fn write_group(&mut self) -> io::Result<()> {
        let group = &mut self.group;
        if group.scores.is_empty() {
            return Ok(());
        }
        let mut rows = self.writer.next_row_group().map_err(failed)?;
        group.ids.iter_mut().try_for_each(|column| write_column::<Int64Type>(&mut rows, column))?;
        write_column::<ByteArrayType>(&mut rows, &mut group.statuses)?;
        write_column::<FloatType>(&mut rows, &mut group.scores)?;
        group.probabilities.iter_mut().try_for_each(|column| write_column::<FloatType>(&mut rows, column))?;
        rows.close().map_err(failed)?;
        Ok(())
    }
}

fn write_column<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, BufWriter<File>>,
    values: &mut Vec<T::T>,
) -> io::Result<()> {
    let column = rows.next_column().map_err(failed)?;
    let mut column = column.ok_or_else(|| io::Error::other("the Parquet schema has too few columns"))?;
    column.typed::<T>().write_batch(values, None, None).map_err(failed)?;
    values.clear();
    column.close().map_err(failed)
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(format!("cannot write Parquet: {error}"))
}
