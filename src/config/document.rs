//! A YAML document as a tree, within bounds, with anchors, aliases and merge keys resolved.
//!
//! An alias repeats what it names, so a small file can stand for an enormous tree. Nodes and text are therefore
//! counted while the tree grows, and a document that exceeds either bound is refused.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

/// Documents above this are refused unread; the released configuration has 14 KB.
pub(super) const MAX_BYTES: u64 = 1 << 20;
/// Opening brackets of a document, and how many of them may be open at once. The parser's work grows with the product
/// of tokens and open brackets.
const MAX_BRACKETS: usize = 5_000;
const MAX_OPEN: usize = 256;
/// Nodes of the tree, aliases followed; the released configuration has about 600.
const MAX_NODES: usize = 200_000;
/// Bytes of text in the tree, aliases followed.
const MAX_TEXT: usize = 16 << 20;

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the file's order, after merging; keys are unique.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => format!("\"{}\"", super::near::shown(text)),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Map(entries) => format!("a map of {}", entries.len()),
        }
    }
}

/// Parses one document. Values of the root's keys named in `skip` become null, unread.
///
/// # Errors
/// What is wrong with the text and, where known, the line and column.
pub(crate) fn parse(text: &str, skip: &[&str]) -> Result<Node, String> {
    check_bounds(text)?;
    let budget = Budget { nodes: Cell::new(MAX_NODES), text: Cell::new(MAX_TEXT) };
    let seed = Seed { budget: &budget, skip };
    seed.deserialize(serde_norway::Deserializer::from_str(text)).map_err(|error| error.to_string())
}

/// Counts brackets wherever they stand, in texts and comments too: a bound on work, not a parser.
fn check_bounds(text: &str) -> Result<(), String> {
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("expected at most {MAX_BYTES} bytes, found {}", text.len()));
    }
    let (mut brackets, mut open) = (0, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => (brackets, open) = (brackets + 1, open + 1),
            b']' | b'}' => open = open.saturating_sub(1),
            _ => continue,
        }
        if brackets > MAX_BRACKETS || open > MAX_OPEN {
            return Err(format!(
                "expected at most {MAX_BRACKETS} opening brackets, {MAX_OPEN} of them open at once, found more"
            ));
        }
    }
    Ok(())
}

struct Budget {
    nodes: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    fn spend<E: Error>(&self, text: usize) -> Result<(), E> {
        let nodes = self.nodes.get().checked_sub(1);
        let left = self.text.get().checked_sub(text);
        let (Some(nodes), Some(left)) = (nodes, left) else {
            return Err(E::custom(format!(
                "the document, with its aliases followed, has more than {MAX_NODES} values or {MAX_TEXT} bytes of text"
            )));
        };
        self.nodes.set(nodes);
        self.text.set(left);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Seed<'b> {
    budget: &'b Budget,
    skip: &'b [&'b str],
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.budget.spend(0).map(|()| Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.budget.spend(0).map(|()| Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.budget.spend(0).map(|()| Node::Int(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.budget.spend(0).map(|()| Node::Int(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.budget.spend(0).map(|()| Node::Int(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.budget.spend(0)?;
        Ok(i128::try_from(value).map_or(Node::Float(value as f64), Node::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.budget.spend(0).map(|()| Node::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.budget.spend(value.len()).map(|()| Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        self.budget.spend(0)?;
        let inner = Seed { skip: &[], ..self };
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        self.budget.spend(0)?;
        let inner = Seed { skip: &[], ..self };
        let mut map = Entries::default();
        let mut merged = None;
        while let Some(key) = entries.next_key_seed(inner)? {
            let key = key_text(key).map_err(A::Error::custom)?;
            let value = if self.skip.contains(&key.as_str()) {
                entries.next_value::<IgnoredAny>()?;
                Node::Null
            } else {
                entries.next_value_seed(inner)?
            };
            if key == "<<" {
                if merged.replace(value).is_some() {
                    return Err(A::Error::custom(
                        "duplicate merge key \"<<\": write one with a list of maps",
                    ));
                }
            } else if let Some(key) = map.insert(key, value) {
                return Err(A::Error::custom(format!("duplicate key \"{}\"", super::near::shown(&key))));
            }
        }
        match merged {
            None => Ok(Node::Map(map.list)),
            Some(value) => merge(value, map).map_err(A::Error::custom),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        // A tag of the file's own: the value counts, as nothing that this crate reads has a tag.
        let (_, value) = data.variant::<String>()?;
        value.newtype_variant_seed(Seed { skip: &[], ..self })
    }
}

/// Entries in order, with an index.
#[derive(Default)]
struct Entries {
    list: Vec<(String, Node)>,
    index: std::collections::HashMap<String, usize>,
}

impl Entries {
    /// Appends; a key that is there already comes back.
    fn insert(&mut self, key: String, value: Node) -> Option<String> {
        if self.index.contains_key(&key) {
            return Some(key);
        }
        self.index.insert(key.clone(), self.list.len());
        self.list.push((key, value));
        None
    }

    /// Appends, or replaces the value in its place.
    fn set(&mut self, key: String, value: Node) {
        match self.index.get(&key) {
            Some(&at) => self.list[at].1 = value,
            None => {
                self.insert(key, value);
            }
        }
    }
}

/// `<<`: the merged maps' keys come first, later ones of a list before earlier ones, as PyYAML orders them; the map's
/// own keys win, then those of the earlier map. The order matters: tasks are read in the order of the file.
fn merge(value: Node, own: Entries) -> Result<Node, String> {
    let wrong =
        |found: &Node| format!("merge key \"<<\": expected a map or a list of maps, found {}", found.kind());
    let maps = match value {
        Node::Map(map) => vec![map],
        Node::List(items) => items
            .into_iter()
            .rev()
            .map(|item| if let Node::Map(map) = item { Ok(map) } else { Err(wrong(&item)) })
            .collect::<Result<_, _>>()?,
        other => return Err(wrong(&other)),
    };
    let mut merged = Entries::default();
    for (key, value) in maps.into_iter().flatten().chain(own.list) {
        merged.set(key, value);
    }
    Ok(Node::Map(merged.list))
}

fn key_text(key: Node) -> Result<String, String> {
    match key {
        Node::Text(text) => Ok(text),
        Node::List(_) | Node::Map(_) => Err(format!("expected a name as key, found {}", key.kind())),
        scalar => Ok(scalar.kind()),
    }
}
