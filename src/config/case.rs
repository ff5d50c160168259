//! `case.json`: the facts of a golden case that its configuration does not hold.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{EMBEDDINGS, MAX_WIDTH, Widths, file::read_text};
use crate::{Error, Result};

/// Cases above this are refused unread.
const MAX_BYTES: u64 = 4 << 20;

/// What a `case.json` says. Fields that it does not name here are ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The file that was read.
    pub file: PathBuf,
    /// `shapes`; an embedding that it does not name is 0 wide.
    pub widths: Widths,
    /// `seed` of weights and inputs.
    pub seed: Option<u64>,
    /// `rows`: candidates of the case.
    pub rows: Option<usize>,
    /// `weights: recipe`: the weights are seeded, not stored.
    pub seeded_weights: bool,
    /// `tasks`, in order; empty where the file does not list them.
    pub tasks: Vec<String>,
    /// `score_weights`, one a task; empty where the file does not list them.
    pub score_weights: Vec<f64>,
}

impl Case {
    /// Reads a `case.json`.
    ///
    /// # Errors
    /// The file cannot be read, is not JSON, or a field is of the wrong kind; the error names it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_json(&read_text(path, MAX_BYTES)?, path)
    }

    /// The same from memory; `file` names it in errors.
    ///
    /// # Errors
    /// As [`Case::read`].
    pub fn from_json(text: &str, file: &Path) -> Result<Self> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| Error::config(file, "document", format!("not JSON: {error}")))?;
        let wrong = |field: &str, expected: &str, found: &Value| {
            let found: String = found.to_string().chars().take(80).collect();
            Error::config(file, field, format!("expected {expected}, found {found}"))
        };
        let Value::Object(document) = document else { return Err(wrong("document", "an object", &document)) };
        let widths = match document.get("shapes") {
            Some(Value::Object(shapes)) => widths(shapes).map_err(|name| {
                let found = shapes.get(name).unwrap_or(&Value::Null);
                wrong(&format!("shapes.{name}"), &format!("a width of 0 to {MAX_WIDTH}"), found)
            })?,
            other => return Err(wrong("shapes", "an object of widths", other.unwrap_or(&Value::Null))),
        };
        let whole = |name: &str| match document.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                value.as_u64().map(Some).ok_or_else(|| wrong(name, "a whole number of at least 0", value))
            }
        };
        let list = |name: &str| match document.get(name) {
            None | Some(Value::Null) => Ok([].as_slice()),
            Some(Value::Array(items)) => Ok(items.as_slice()),
            Some(other) => Err(wrong(name, "a list", other)),
        };
        let tasks = list("tasks")?.iter().map(|task| {
            task.as_str().map(str::to_owned).ok_or_else(|| wrong("tasks", "a list of names", task))
        });
        let score_weights = list("score_weights")?
            .iter()
            .map(|weight| weight.as_f64().ok_or_else(|| wrong("score_weights", "a list of numbers", weight)));
        Ok(Self {
            file: file.to_owned(),
            widths,
            seed: whole("seed")?,
            rows: whole("rows")?.map(|rows| rows as usize),
            seeded_weights: document.get("weights").and_then(Value::as_str) == Some("recipe"),
            tasks: tasks.collect::<Result<_>>()?,
            score_weights: score_weights.collect::<Result<_>>()?,
        })
    }
}

/// Widths by the names of the inputs; the error is the name of a field that is missing, unknown or no width.
fn widths(shapes: &Map<String, Value>) -> Result<Widths, &str> {
    let known = |name: &str| name == "continuous" || name == "binary" || EMBEDDINGS.contains(&name);
    if let Some(name) = shapes.keys().find(|name| !known(name)) {
        return Err(name);
    }
    let width = |name: &'static str, required: bool| match shapes.get(name) {
        None | Some(Value::Null) if !required => Ok(0),
        Some(value) => value.as_u64().filter(|&w| w <= MAX_WIDTH as u64).map(|w| w as usize).ok_or(name),
        None => Err(name),
    };
    let [user, user_eng, author] = EMBEDDINGS;
    Ok(Widths {
        continuous: width("continuous", true)?,
        binary: width("binary", true)?,
        user_embedding: width(user, false)?,
        user_eng_embedding: width(user_eng, false)?,
        author_embedding: width(author, false)?,
    })
}
