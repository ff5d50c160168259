//! Rows as a Parquet file: ids, status, score and one column a task, all required, in row groups of a fixed size.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::rows::Line;

/// Rows that are held until a row group is written.
const GROUP: usize = 1 << 16;

/// Where the file's bytes wait for the sink, which the writer cannot own.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Vec<u8>>>);

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The rows of the group to come, column by column.
#[derive(Default)]
struct Group {
    ids: [Vec<i64>; 3],
    statuses: Vec<ByteArray>,
    scores: Vec<f32>,
    /// One column a task.
    probabilities: Vec<Vec<f32>>,
}

pub(crate) struct ParquetRows {
    writer: Option<SerializedFileWriter<Waiting>>,
    waiting: Waiting,
    group: Group,
}

impl ParquetRows {
    pub(crate) fn new(tasks: &[String]) -> io::Result<Self> {
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
        let waiting = Waiting::default();
        let writer = SerializedFileWriter::new(waiting.clone(), Arc::new(schema), Arc::new(properties));
        let group = Group { probabilities: vec![Vec::new(); tasks.len()], ..Group::default() };
        Ok(Self { writer: Some(writer.map_err(failed)?), waiting, group })
    }

    pub(super) fn push(&mut self, line: &Line, out: &mut impl Write) -> io::Result<()> {
        let group = &mut self.group;
        group.ids.iter_mut().zip(line.ids).for_each(|(column, id)| column.push(id));
        group.statuses.push(line.status().into());
        group.scores.push(line.score());
        group.probabilities.iter_mut().zip(line.probabilities()).for_each(|(column, p)| column.push(p));
        if group.scores.len() < GROUP {
            return Ok(());
        }
        self.write_group()?;
        self.pass_on(out)
    }

    pub(super) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.write_group()?;
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(failed)?;
        }
        self.pass_on(out)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let (Some(writer), false) = (&mut self.writer, self.group.scores.is_empty()) else { return Ok(()) };
        let group = &mut self.group;
        let mut rows = writer.next_row_group().map_err(failed)?;
        group.ids.iter_mut().try_for_each(|column| write_column::<Int64Type>(&mut rows, column))?;
        write_column::<ByteArrayType>(&mut rows, &mut group.statuses)?;
        write_column::<FloatType>(&mut rows, &mut group.scores)?;
        group.probabilities.iter_mut().try_for_each(|column| write_column::<FloatType>(&mut rows, column))?;
        rows.close().map_err(failed)?;
        Ok(())
    }

    fn pass_on(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut bytes = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&bytes)?;
        bytes.clear();
        Ok(())
    }
}

fn write_column<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, Waiting>,
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
