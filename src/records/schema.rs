//! The segdense schema: which features a record holds, of what type and length.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Error, Result};

/// A schema file larger than this is refused before it is read: the released ones have 14 KB.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A fixed length above this is refused: a record of it would not fit any bound on records.
const MAX_LENGTH: u64 = 1 << 24;

/// The kind of list that a feature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// `bytes_list`
    Bytes,
    /// `float_list`: f32 values.
    Float,
    /// `int64_list`
    Int64,
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes_list",
            Self::Float => "float_list",
            Self::Int64 => "int64_list",
        })
    }
}

/// One feature of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaEntry {
    /// The feature's name in the record.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// How many values it has; `None` when that varies (`-1` in the file).
    pub length: Option<usize>,
}

/// The features of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    file: PathBuf,
    entries: Vec<SchemaEntry>,
}

impl Schema {
    /// Reads a schema file: `{"schema": [{"dtype": …, "feature_name": …, "length": …}, …]}`.
    ///
    /// # Errors
    /// The file cannot be read or is above 16 MiB; it is not JSON of that form (the error names the entry).
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
        let mut text = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(|source| Error::io("read", path, source))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            let problem = format!("expected a file of at most {MAX_FILE_BYTES} bytes, found a larger one");
            return Err(Error::config(path, "schema", problem));
        }
        Self::parse(&text, path)
    }

    /// Reads a schema from memory; `file` names it in errors.
    ///
    /// # Errors
    /// The text is not JSON of the form of [`Schema::open`]; the error names the entry.
    pub fn parse(text: &[u8], file: &Path) -> Result<Self> {
        let document: Value = serde_json::from_slice(text)
            .map_err(|e| Error::config(file, "schema", format!("not JSON: {e}")))?;
        let Some(Value::Array(list)) = document.get("schema") else {
            let found = document.get("schema").unwrap_or(&Value::Null);
            let problem = format!("expected a list of features, found {}", kind_of(found));
            return Err(Error::config(file, "schema", problem));
        };
        let entries = list
            .iter()
            .enumerate()
            .map(|(index, value)| {
                parse_entry(value).map_err(|(field, problem)| {
                    Error::config(file, format!("schema[{index}]{field}"), problem)
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Self::new(entries, file)
    }

    /// A schema of these entries; `file` names it in errors.
    ///
    /// # Errors
    /// Two entries have one name.
    pub fn new(entries: Vec<SchemaEntry>, file: &Path) -> Result<Self> {
        let mut seen = std::collections::HashMap::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if let Some(first) = seen.insert(entry.name.as_str(), index) {
                let problem = format!("\"{}\" is already entry {first}", entry.name);
                return Err(Error::config(file, format!("schema[{index}].feature_name"), problem));
            }
        }
        Ok(Self { file: file.to_owned(), entries })
    }

    /// The schema that the Heavy Ranker was released with (`config/home_recap_2022/segdense.json`): the features that
    /// its training configuration reads, and their lengths.
    #[must_use]
    pub fn released() -> Self {
        let label = |name: &'static str| (name, Dtype::Int64, 1);
        let features = [
            ("home_recap_2022_discrete__segdense_vals", Dtype::Int64, 320),
            ("home_recap_2022_cont__segdense_vals", Dtype::Float, 6000),
            ("home_recap_2022_binary__segdense_vals", Dtype::Int64, 512),
            label("recap.engagement.is_tweet_detail_dwelled_15_sec"),
            label("recap.engagement.is_profile_clicked_and_profile_engaged"),
            label("recap.engagement.is_replied_reply_engaged_by_author"),
            label("recap.engagement.is_video_playback_50"),
            label("recap.engagement.is_report_tweet_clicked"),
            label("recap.engagement.is_replied"),
            ("meta.author_id", Dtype::Int64, 1),
            label("recap.engagement.is_negative_feedback_v2"),
            label("recap.engagement.is_retweeted"),
            label("recap.engagement.is_favorited"),
            label("recap.engagement.is_good_clicked_convo_desc_favorited_or_replied"),
            ("meta.tweet_id", Dtype::Int64, 1),
            label("recap.engagement.is_good_clicked_convo_desc_v2"),
            ("meta.user_id", Dtype::Int64, 1),
            label("recap.engagement.is_bookmarked"),
            label("recap.engagement.is_shared"),
            (
                "user.timelines.twhin_user_engagement_embeddings.twhin_user_engagement_embeddings",
                Dtype::Float,
                200,
            ),
            (
                "original_author.timelines.twhin_author_follow_embeddings.twhin_author_follow_embeddings",
                Dtype::Float,
                200,
            ),
            ("user.timelines.twhin_user_follow_embeddings.twhin_user_follow_embeddings", Dtype::Float, 200),
        ];
        let entry = |(name, dtype, length): (&str, Dtype, usize)| SchemaEntry {
            name: name.to_owned(),
            dtype,
            length: Some(length),
        };
        Self { file: PathBuf::from("released segdense schema"), entries: features.map(entry).into() }
    }

    /// The schema as the text of a schema file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let entries: Vec<Value> = self
            .entries
            .iter()
            .map(|entry| {
                let length = entry.length.map_or_else(|| json!(-1), |length| json!(length));
                json!({"dtype": entry.dtype.to_string(), "feature_name": entry.name, "length": length})
            })
            .collect();
        format!("{:#}\n", json!({ "schema": entries }))
    }

    /// The features, in file order.
    #[must_use]
    pub fn entries(&self) -> &[SchemaEntry] {
        &self.entries
    }

    /// The feature of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SchemaEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The file that the schema came from, or the name that was given for it.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// An entry, or which field of it is wrong and how.
fn parse_entry(value: &Value) -> Result<SchemaEntry, (&'static str, String)> {
    if !value.is_object() {
        return Err(("", format!("expected an object, found {}", kind_of(value))));
    }
    let field = |name: &str| value.get(name).unwrap_or(&Value::Null);
    let name = match field("feature_name") {
        Value::String(name) if !name.is_empty() => name.clone(),
        other => return Err((".feature_name", format!("expected a name, found {}", kind_of(other)))),
    };
    let dtype = match field("dtype") {
        Value::String(dtype) => match dtype.as_str() {
            "bytes_list" => Dtype::Bytes,
            "float_list" => Dtype::Float,
            "int64_list" => Dtype::Int64,
            other => {
                let problem = format!(
                    "feature \"{name}\": expected bytes_list, float_list or int64_list, found \"{other}\""
                );
                return Err((".dtype", problem));
            }
        },
        other => {
            return Err((".dtype", format!("feature \"{name}\": expected a type, found {}", kind_of(other))));
        }
    };
    let length = match field("length") {
        Value::Number(number) if number.as_i64() == Some(-1) => None,
        Value::Number(number) if number.as_u64().is_some_and(|length| length <= MAX_LENGTH) => {
            number.as_u64().map(|length| length as usize)
        }
        other => {
            let found = if other.is_number() { other.to_string() } else { kind_of(other).to_owned() };
            let problem =
                format!("feature \"{name}\": expected -1 or a length of 0 to {MAX_LENGTH}, found {found}");
            return Err((".length", problem));
        }
    };
    Ok(SchemaEntry { name, dtype, length })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let released = Schema::released();
        let again = Schema::parse(released.to_json().as_bytes(), released.file()).unwrap();
        assert_eq!(again, released);
        assert_eq!(released.entries().len(), 22);
    }

    #[test]
    fn errors_name_the_entry() {
        let good = r#"{"dtype": "float_list", "feature_name": "f", "length": -1}"#;
        let cases = [
            ("[", "schema: not JSON: "),
            ("{}", "schema: expected a list of features, found nothing"),
            (r#"{"schema": 3}"#, "schema: expected a list of features, found a number"),
            (r#"{"schema": [GOOD, 7]}"#, "schema[1]: expected an object, found a number"),
            (r#"{"schema": [GOOD, {}]}"#, "schema[1].feature_name: expected a name, found nothing"),
            (r#"{"schema": [GOOD, GOOD]}"#, "schema[1].feature_name: \"f\" is already entry 0"),
            (r#"{"schema": [{"feature_name": "f"}]}"#, "schema[0].dtype: feature \"f\": expected a type"),
            (
                r#"{"schema": [{"feature_name": "f", "dtype": "double_list"}]}"#,
                "schema[0].dtype: feature \"f\": expected bytes_list, float_list or int64_list, found \"double_list\"",
            ),
            (
                r#"{"schema": [{"feature_name": "f", "dtype": "float_list", "length": -2}]}"#,
                "schema[0].length: feature \"f\": expected -1 or a length of 0 to 16777216, found -2",
            ),
            (r#"{"schema": [{"feature_name": "f", "dtype": "float_list", "length": 1e30}]}"#, "found 1e+30"),
            (
                r#"{"schema": [{"feature_name": "f", "dtype": "float_list", "length": "6"}]}"#,
                "schema[0].length: feature \"f\": expected -1 or a length of 0 to 16777216, found a text",
            ),
        ];
        for (text, expected) in cases {
            let text = text.replace("GOOD", good);
            let error = Schema::parse(text.as_bytes(), Path::new("s.json")).unwrap_err().to_string();
            assert!(error.starts_with("s.json: schema") && error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there() {
        let error = Schema::open(Path::new("/nowhere/segdense.json")).unwrap_err();
        assert!(matches!(error, Error::Io { operation: "open", .. }), "{error}");
    }
}
