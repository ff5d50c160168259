//! JSON lines: one object a line, the table's columns as keys, ids as strings of digits.

use std::io::{BufRead, Write};

use serde_json::{Map, Value};

use super::columns::{Chunk, Column, Field, Kind, Shape, Values};
use super::error::ImportError;
use crate::stores::RowProblem;

/// Longest line that is read: far longer than any row.
const MAX_LINE_BYTES: usize = 16 << 20;

/// Reads lines into chunks of at most `chunk_rows` rows and hands each to `take` with the number of its first row.
/// Blank lines are skipped but counted, hence a chunk is handed over before each.
pub(super) fn read(
    file: &str,
    mut input: impl BufRead,
    fields: &'static [Field],
    chunk_rows: usize,
    mut take: impl FnMut(u64, &Chunk) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut chunk = Chunk::new(fields);
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let mut limited = std::io::Read::take(&mut input, MAX_LINE_BYTES as u64 + 1);
        let length = limited
            .read_until(b'\n', &mut line)
            .map_err(|error| ImportError::format(file, Some(number + 1), error))?;
        let is_end = length == 0;
        number += u64::from(!is_end);
        let text = line.trim_ascii();
        if chunk.rows > 0 && (is_end || text.is_empty() || chunk.rows == chunk_rows) {
            take(number - u64::from(!is_end) - chunk.rows as u64 + 1, &chunk)?;
            chunk.clear();
        }
        if is_end {
            return Ok(());
        }
        if length > MAX_LINE_BYTES {
            return Err(ImportError::format(file, Some(number), "the line is longer than 16 MiB"));
        }
        if !text.is_empty() {
            read_line(file, number, text, &mut chunk)?;
        }
    }
}

fn read_line(file: &str, number: u64, line: &[u8], chunk: &mut Chunk) -> Result<(), ImportError> {
    let text = std::str::from_utf8(line).map_err(|error| ImportError::format(file, Some(number), error))?;
    let mut object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| ImportError::format(file, Some(number), format!("no JSON object: {error}")))?;
    for (field, column) in chunk.fields.iter().zip(&mut chunk.columns) {
        let value = object.remove(field.name).unwrap_or(Value::Null);
        put(field, column, &value).map_err(|problem| ImportError::Row {
            file: file.to_owned(),
            row: number,
            problem,
        })?;
    }
    chunk.rows += 1;
    match object.keys().next() {
        Some(unknown) => {
            Err(ImportError::column(file, unknown, format!("row {number}: the table has no such column")))
        }
        None => Ok(()),
    }
}

/// Puts a value into a column, as one row.
fn put(field: &Field, column: &mut Column, value: &Value) -> Result<(), RowProblem> {
    match (field.shape, value) {
        (Shape::Required, Value::Null) => {
            return Err(RowProblem::invalid(field.name, field.kind.name(), "none"));
        }
        (_, Value::Null) => {}
        (Shape::List, Value::Array(values)) => {
            values.iter().try_for_each(|value| put_one(field, &mut column.values, value))?;
        }
        (Shape::List, other) => return Err(RowProblem::invalid(field.name, "a list", shorten(other))),
        (_, value) => put_one(field, &mut column.values, value)?,
    }
    column.end_row();
    Ok(())
}

fn put_one(field: &Field, values: &mut Values, value: &Value) -> Result<(), RowProblem> {
    let id = || match value {
        Value::String(digits) => digits.parse().ok().filter(|id: &i64| *id >= 0 && !digits.starts_with('+')),
        other => other.as_i64().filter(|id| *id >= 0),
    };
    // Each arm pushes exactly one value, or none when the value is of another kind.
    let is_taken = match field.kind {
        Kind::Flag => value.as_bool().map(|flag| values.push_flag(flag)),
        Kind::Int => value.as_i64().map(|int| values.push_int(int)),
        Kind::Id => id().map(|id| values.push_int(id)),
        Kind::Float => value.as_f64().map(|float| values.push_float(float as f32)),
        Kind::Text => value.as_str().map(|text| values.push_text(text)),
    };
    is_taken.ok_or_else(|| RowProblem::invalid(field.name, field.kind.name(), shorten(value)))
}

/// A value as it stands in a message.
fn shorten(value: &Value) -> String {
    const MAX_CHARS: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Writes a chunk, one object a line. Empty lists and missing values are left out.
pub(super) fn write(chunk: &Chunk, out: &mut impl Write) -> std::io::Result<()> {
    for row in 0..chunk.rows {
        let mut separator = "{";
        for (field, column) in chunk.fields.iter().zip(&chunk.columns) {
            let range = column.range(row);
            if range.is_empty() {
                continue;
            }
            write!(out, "{separator}\"{}\":", field.name)?;
            separator = ",";
            if field.shape == Shape::List {
                for position in range.clone() {
                    out.write_all(if position == range.start { b"[" } else { b"," })?;
                    write_one(field.kind, &column.values, position, out)?;
                }
                out.write_all(b"]")?;
            } else {
                write_one(field.kind, &column.values, range.start, out)?;
            }
        }
        out.write_all(if separator == "{" { b"{}\n" } else { b"}\n" })?;
    }
    Ok(())
}

fn write_one(kind: Kind, values: &Values, position: usize, out: &mut impl Write) -> std::io::Result<()> {
    match values {
        Values::Flag(flags) => write!(out, "{}", flags[position]),
        Values::Int(ints) if kind == Kind::Id => write!(out, "\"{}\"", ints[position]),
        Values::Int(ints) => write!(out, "{}", ints[position]),
        Values::Float(floats) => serde_json::to_writer(out, &floats[position]).map_err(Into::into),
        Values::Text(..) => {
            serde_json::to_writer(out, values.text(position).unwrap_or_default()).map_err(Into::into)
        }
    }
}
