//! Parquet, written: the table's columns as columns, lists in the standard three levels, ids as 64-bit integers.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Encoding, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};

use super::columns::{Chunk, Column, Field, Kind, Shape, Values};

/// Writes chunks as row groups.
pub(super) struct Writer<W: Write + Send> {
    inner: SerializedFileWriter<W>,
}

impl<W: Write + Send> Writer<W> {
    /// Starts a file of a table.
    pub(super) fn new(out: W, fields: &[Field]) -> Result<Self, ParquetError> {
        let columns = fields.iter().map(column_type).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("table").with_fields(columns).build()?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_created_by("maskrank-timeline".to_owned());
        for field in fields {
            let mut parts = vec![field.name.to_owned()];
            if field.shape == Shape::List {
                parts.extend(["list".to_owned(), "element".to_owned()]);
            }
            let path = ColumnPath::new(parts);
            properties = match field.kind {
                // Neighbours are close to each other: ids ascend, times too.
                Kind::Int | Kind::Id => properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
                // Numbers of embeddings do not compress.
                Kind::Float => properties.set_column_compression(path, Compression::UNCOMPRESSED),
                Kind::Text => properties.set_column_dictionary_enabled(path, true),
                Kind::Flag => properties,
            };
        }
        let inner = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build()))?;
        Ok(Self { inner })
    }

    /// Writes a chunk.
    pub(super) fn write(&mut self, chunk: &Chunk) -> Result<(), ParquetError> {
        let mut group = self.inner.next_row_group()?;
        for (field, column) in chunk.fields.iter().zip(&chunk.columns) {
            let (definitions, repetitions) = levels(field.shape, column, chunk.rows);
            let definitions = (field.shape != Shape::Required).then_some(definitions.as_slice());
            let repetitions = (field.shape == Shape::List).then_some(repetitions.as_slice());
            let Some(mut writer) = group.next_column()? else { break };
            match &column.values {
                Values::Flag(values) => {
                    writer.typed::<BoolType>().write_batch(values, definitions, repetitions)?
                }
                Values::Int(values) => {
                    writer.typed::<Int64Type>().write_batch(values, definitions, repetitions)?
                }
                Values::Float(values) => {
                    writer.typed::<FloatType>().write_batch(values, definitions, repetitions)?
                }
                Values::Text(..) => {
                    let text = |position| column.values.text(position).unwrap_or_default();
                    let values: Vec<ByteArray> =
                        (0..column.values.len()).map(|position| ByteArray::from(text(position))).collect();
                    writer.typed::<ByteArrayType>().write_batch(&values, definitions, repetitions)?
                }
            };
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<W, ParquetError> {
        self.inner.into_inner()
    }
}

/// Definition and repetition levels of a column, as its schema from [`column_type`] has them.
fn levels(shape: Shape, column: &Column, rows: usize) -> (Vec<i16>, Vec<i16>) {
    let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
    match shape {
        Shape::Required => {}
        Shape::Optional => definitions.extend((0..rows).map(|row| column.range(row).len().min(1) as i16)),
        Shape::List => {
            for row in 0..rows {
                let length = column.range(row).len();
                // An empty list has one level and no value.
                definitions.extend(std::iter::repeat_n(i16::from(length > 0), length.max(1)));
                repetitions.extend((0..length.max(1)).map(|position| i16::from(position > 0)));
            }
        }
    }
    (definitions, repetitions)
}

fn column_type(field: &Field) -> Result<Arc<Type>, ParquetError> {
    let physical = match field.kind {
        Kind::Flag => Physical::BOOLEAN,
        Kind::Int | Kind::Id => Physical::INT64,
        Kind::Float => Physical::FLOAT,
        Kind::Text => Physical::BYTE_ARRAY,
    };
    let leaf = |name: &str, repetition| {
        let logical = (field.kind == Kind::Text).then_some(LogicalType::String);
        Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    };
    match field.shape {
        Shape::Required => leaf(field.name, Repetition::REQUIRED),
        Shape::Optional => leaf(field.name, Repetition::OPTIONAL),
        Shape::List => {
            let elements = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![leaf("element", Repetition::REQUIRED)?])
                .build()?;
            Type::group_type_builder(field.name)
                .with_repetition(Repetition::REQUIRED)
                .with_converted_type(ConvertedType::LIST)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(elements)])
                .build()
                .map(Arc::new)
        }
    }
}
