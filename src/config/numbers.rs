//! A document that maps names to numbers.

use std::path::Path;

use super::document;
use super::field::{Field, Source};
use super::file::read_text;
use super::variables;
use crate::{Error, Result};

/// Reads a YAML or JSON file of names and f32 numbers, in order.
pub(crate) fn read_numbers(path: &Path) -> Result<Vec<(String, f32)>> {
    parse_numbers(&read_text(path, document::MAX_BYTES)?, path)
}

/// The same from memory. JSON is read as the YAML that it is, so that a repeated name is an error in both.
pub(crate) fn parse_numbers(text: &str, file: &Path) -> Result<Vec<(String, f32)>> {
    let root = document::parse(text, &[]).map_err(|problem| Error::config(file, "document", problem))?;
    let root = Field::root(Source { file, lookup: &variables::environment }, &root);
    let entries = root.fields()?.entries()?;
    entries.into_iter().map(|(name, field)| Ok((name, field.f32("a finite number", |_| true)?))).collect()
}
