//! Typed access to a document: every value knows its path, so that every error names it.

use std::path::Path;

use super::document::Node;
use super::near;
use super::variables::{self, Lookup};
use crate::{Error, Result};

/// No layer is wider: keeps every product of two widths, and every sum of them, far from overflow.
pub(crate) const MAX_WIDTH: usize = 1 << 24;

/// The document that fields belong to.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) lookup: Lookup<'a>,
}

/// A value and its path from the document's root.
#[derive(Clone)]
pub(super) struct Field<'a> {
    source: Source<'a>,
    path: String,
    node: &'a Node,
}

/// A map and its path.
pub(super) struct Fields<'a> {
    source: Source<'a>,
    path: String,
    entries: &'a [(String, Node)],
}

impl<'a> Field<'a> {
    pub(super) fn root(source: Source<'a>, node: &'a Node) -> Self {
        Self { source, path: String::new(), node }
    }

    /// An error about this value.
    pub(super) fn error(&self, problem: impl Into<String>) -> Error {
        let path = if self.path.is_empty() { "document" } else { &self.path };
        Error::config(self.source.file, path, problem)
    }

    fn wrong(&self, expected: &str) -> Error {
        self.error(format!("expected {expected}, found {}", self.node.kind()))
    }

    /// The text with its variables expanded.
    fn expanded(&self, text: &str) -> Result<String> {
        variables::expand(text, self.source.lookup)
            .map(std::borrow::Cow::into_owned)
            .map_err(|name| self.error(format!("the environment variable {name} is not set")))
    }

    /// A text that holds variables, expanded and read as the number or truth value that it then spells.
    fn scalar(&self) -> Result<Node> {
        let Node::Text(text) = self.node else { return Ok(self.node.clone()) };
        if !text.contains('$') {
            return Ok(self.node.clone());
        }
        let text = self.expanded(text)?;
        let trimmed = text.trim();
        Ok(match (trimmed.parse::<i128>(), trimmed.parse::<f64>(), trimmed) {
            (Ok(value), ..) => Node::Int(value),
            (_, Ok(value), _) => Node::Float(value),
            (.., "true") => Node::Bool(true),
            (.., "false") => Node::Bool(false),
            _ => Node::Text(text),
        })
    }

    pub(super) fn is_null(&self) -> bool {
        *self.node == Node::Null
    }

    pub(super) fn fields(&self) -> Result<Fields<'a>> {
        match self.node {
            Node::Map(entries) => Ok(Fields { source: self.source, path: self.path.clone(), entries }),
            _ => Err(self.wrong("a map")),
        }
    }

    pub(super) fn items(&self) -> Result<Vec<Self>> {
        let Node::List(items) = self.node else { return Err(self.wrong("a list")) };
        let item =
            |(index, node)| Field { source: self.source, path: format!("{}[{index}]", self.path), node };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// `true` or `false`, or what YAML 1.1 (the released loader's) also takes for them.
    pub(super) fn boolean(&self) -> Result<bool> {
        match self.scalar()? {
            Node::Bool(value) => Ok(value),
            Node::Text(text) if ["yes", "on"].contains(&text.to_ascii_lowercase().as_str()) => Ok(true),
            Node::Text(text) if ["no", "off"].contains(&text.to_ascii_lowercase().as_str()) => Ok(false),
            found => Err(self.error(format!("expected true or false, found {}", found.kind()))),
        }
    }

    /// A whole number from 1 to [`MAX_WIDTH`].
    pub(super) fn width(&self) -> Result<usize> {
        let found = self.scalar()?;
        match found {
            Node::Int(value) if (1..=MAX_WIDTH as i128).contains(&value) => Ok(value as usize),
            _ => {
                Err(self
                    .error(format!("expected a whole number from 1 to {MAX_WIDTH}, found {}", found.kind())))
            }
        }
    }

    /// A finite number for which `accept` holds; `expected` says in words what that is.
    pub(super) fn number(&self, expected: &str, accept: impl Fn(f64) -> bool) -> Result<f64> {
        let found = self.scalar()?;
        let value = match &found {
            Node::Int(value) => Some(*value as f64),
            Node::Float(value) => Some(*value),
            _ => None,
        };
        match value {
            Some(value) if value.is_finite() && accept(value) => Ok(value),
            _ => Err(self.error(format!("expected {expected}, found {}", found.kind()))),
        }
    }

    /// A number rounded to f32, in which it is finite and `accept` holds for it.
    pub(super) fn f32(&self, expected: &str, accept: impl Fn(f32) -> bool) -> Result<f32> {
        let accept = |value: f64| (value as f32).is_finite() && accept(value as f32);
        self.number(&format!("{expected} that fits f32"), accept).map(|value| value as f32)
    }

    /// A text that is not empty, its variables expanded.
    pub(super) fn text(&self) -> Result<String> {
        match self.node {
            Node::Text(text) => match self.expanded(text)? {
                text if text.is_empty() => Err(self.error("expected a text, found an empty one")),
                text => Ok(text),
            },
            _ => Err(self.wrong("a text")),
        }
    }

    /// A text as it is written: its value may never be used.
    pub(super) fn raw_text(&self) -> Result<String> {
        if let Node::Text(text) = self.node { Ok(text.clone()) } else { Err(self.wrong("a text")) }
    }
}

impl<'a> Fields<'a> {
    fn path_of(&self, name: &str) -> String {
        let plain = !name.is_empty() && name.chars().all(|c| c == '_' || c.is_alphanumeric());
        match (plain, self.path.is_empty()) {
            (true, true) => name.to_owned(),
            (true, false) => format!("{}.{name}", self.path),
            (false, _) => format!("{}[\"{}\"]", self.path, near::shown(name)),
        }
    }

    fn field(&self, name: &str, node: &'a Node) -> Field<'a> {
        Field { source: self.source, path: self.path_of(name), node }
    }

    /// An error about the map.
    pub(super) fn error(&self, problem: impl Into<String>) -> Error {
        Error::config(self.source.file, if self.path.is_empty() { "document" } else { &self.path }, problem)
    }

    /// An error about the field of that name.
    pub(super) fn error_at(&self, name: &str, problem: impl Into<String>) -> Error {
        Error::config(self.source.file, self.path_of(name), problem)
    }

    /// The value of a field; null is absent.
    pub(super) fn get(&self, name: &str) -> Option<Field<'a>> {
        let (_, node) = self.entries.iter().find(|(key, _)| key == name)?;
        (*node != Node::Null).then(|| self.field(name, node))
    }

    /// The value of a field that must be there.
    pub(super) fn require(&self, name: &str) -> Result<Field<'a>> {
        self.get(name).ok_or_else(|| self.error_at(name, "expected a value, found none"))
    }

    /// Every entry, null ones too, with its key's variables expanded; keys must stay unique.
    pub(super) fn entries(&self) -> Result<Vec<(String, Field<'a>)>> {
        let mut seen = std::collections::HashSet::new();
        self.entries
            .iter()
            .map(|(key, node)| {
                let field = self.field(key, node);
                let name = field.expanded(key)?;
                if name.is_empty() || !seen.insert(name.clone()) {
                    return Err(field.error("expected a name that is neither empty nor a repetition"));
                }
                Ok((name, field))
            })
            .collect()
    }

    /// Refuses fields that are not `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        match self.entries.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some((key, _)) => {
                let hint = near::suggestion(key, known.iter().copied());
                Err(self.error_at(key, format!("unknown field{hint}")))
            }
        }
    }

    /// Refuses fields that look like a misspelling of one in `used`; others that are not `known` are not this crate's.
    pub(super) fn no_misspelling(&self, used: &[&str], known: &[&str]) -> Result<()> {
        for (key, _) in self.entries {
            if known.contains(&key.as_str()) || used.contains(&key.as_str()) {
                continue;
            }
            if let Some(near) = used.iter().find(|name| near::is_near(key, name)) {
                return Err(self.error_at(key, format!("unknown field; did you mean \"{near}\"?")));
            }
        }
        Ok(())
    }

    /// Refuses fields of the released schema that this crate cannot compute, unless they are null.
    pub(super) fn refuse(&self, unsupported: &[&str]) -> Result<()> {
        match unsupported.iter().find_map(|name| self.get(name)) {
            None => Ok(()),
            Some(field) => Err(field.error("not supported: expected null or no such field")),
        }
    }
}
