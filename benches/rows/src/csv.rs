//! Rows as comma-separated text. Fields with commas, quotes or line ends are quoted; a column that is missing is empty.

use serde_json::{Map, Value};

use crate::row::{COLUMNS, Row};

/// Columns that hold text; all others hold numbers.
const TEXT: [&str; 12] = [
    "device", "driver", "commit", "date", "op", "backend", "dtype", "shape", "l2", "kind", "baseline", "note",
];

/// Header and rows.
#[must_use]
pub fn to_csv(rows: &[Row]) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for row in rows {
        let value = serde_json::to_value(row).unwrap_or_default();
        let fields: Vec<String> = COLUMNS.iter().map(|column| field(&value[column])).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn field(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains([',', '"', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => {
                format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => number.to_string(),
        },
        _ => String::new(),
    }
}

/// Rows of a text whose first line names the columns.
///
/// # Errors
/// A row of another length than the header, or a number that is none: named by line and column.
pub fn from_csv(text: &str) -> Result<Vec<Row>, String> {
    let mut lines = split(text).into_iter();
    let Some(header) = lines.next() else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for (index, fields) in lines.enumerate() {
        let line = index + 2;
        if fields.len() != header.len() {
            return Err(format!("line {line}: expected {} fields, found {}", header.len(), fields.len()));
        }
        let mut object = Map::new();
        for (column, text) in header.iter().zip(fields) {
            let value = if TEXT.contains(&column.as_str()) {
                Value::from(text)
            } else if text.is_empty() {
                continue;
            } else if column == "samples" {
                Value::from(text.parse::<u64>().map_err(|error| format!("line {line}: {column}: {error}"))?)
            } else {
                Value::from(text.parse::<f64>().map_err(|error| format!("line {line}: {column}: {error}"))?)
            };
            object.insert(column.clone(), value);
        }
        rows.push(
            serde_json::from_value(Value::Object(object)).map_err(|error| format!("line {line}: {error}"))?,
        );
    }
    Ok(rows)
}

/// Lines of fields.
fn split(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut fields, mut current) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut any) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                current.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut current)),
            '\r' if !quoted => continue,
            '\n' if !quoted => {
                if any {
                    fields.push(std::mem::take(&mut current));
                    lines.push(std::mem::take(&mut fields));
                }
                any = false;
                continue;
            }
            other => current.push(other),
        }
        any = true;
    }
    if any {
        fields.push(current);
        lines.push(fields);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_the_way_to_text_and_back() {
        let row = Row {
            device: "a, \"quoted\" device".into(),
            op: "score".into(),
            median_us: 12.5,
            ratio: Some(0.875),
            samples: 7,
            note: "two\nlines".into(),
            ..Row::default()
        };
        let text = to_csv(&[row.clone(), Row::default()]);
        assert_eq!(from_csv(&text).unwrap(), [row, Row::default()]);
    }

    #[test]
    fn every_column_is_a_field_and_every_field_a_column() {
        let value = serde_json::to_value(Row::default()).unwrap();
        let mut fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut columns = COLUMNS.to_vec();
        fields.sort_unstable();
        columns.sort_unstable();
        assert_eq!(fields, columns);
    }

    #[test]
    fn older_files_with_fewer_columns_are_read() {
        let rows = from_csv("op,median_us,baseline\nscore,3.5,none\n").unwrap();
        assert_eq!((rows[0].op.as_str(), rows[0].median_us, rows[0].ratio), ("score", 3.5, None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(from_csv("op,median_us\nscore\n").unwrap_err().contains("line 2: expected 2 fields"));
        assert!(from_csv("op,median_us\nscore,fast\n").unwrap_err().contains("median_us"));
    }
}
