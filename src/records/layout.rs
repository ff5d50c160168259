//! Which features of a record become which columns.
//!
//! The training configuration renames record features (`renamed_features`: column → feature) and truncates the
//! continuous and binary ones; the schema gives types and lengths; the model says how wide each column must be.
//! [`RecordLayout::new`] checks that the three agree, so that reading a record only has to compare it with the layout.

use std::collections::{BTreeMap, HashMap};

use super::schema::{Dtype, Schema, SchemaEntry};
use crate::config::Widths;
use crate::{Error, Result};

/// What the training configuration says about records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayoutSpec {
    /// `train_data.seg_dense_schema.renamed_features`: column (`continuous`, `binary`, `user_embedding`,
    /// `user_eng_embedding`, `author_embedding`, `meta__user_id`, `meta__author_id`, `meta__tweet_id`) to the feature's
    /// name in the record. A column that is not in it has the released name; other keys are not used.
    pub renames: BTreeMap<String, String>,
    /// `train_data.preprocess.truncate_and_slice.continuous_feature_truncation`; `None` or 0 keeps all.
    pub continuous_truncation: Option<usize>,
    /// `train_data.preprocess.truncate_and_slice.binary_feature_truncation`; `None` or 0 keeps all.
    pub binary_truncation: Option<usize>,
    /// `train_data.tasks`, in order: the labels to read. May be empty.
    pub labels: Vec<String>,
}

impl Widths {
    /// The widths that schema and truncations give; 0 for a column whose feature the schema does not have.
    ///
    /// # Errors
    /// A column's feature has another type than the column, or no fixed length.
    pub fn from_schema(schema: &Schema, spec: &LayoutSpec) -> Result<Self> {
        let width = |column: Column| match schema.get(spec.feature(column)) {
            Some(entry) => check_entry(schema, column, entry).map(|length| spec.truncated(column, length)),
            None if spec.renames.contains_key(column.key()) => Err(spec.not_in_schema(schema, column)),
            None => Ok(0),
        };
        Ok(Self {
            continuous: width(Column::Continuous)?,
            binary: width(Column::Binary)?,
            user_embedding: width(Column::UserEmbedding)?,
            user_eng_embedding: width(Column::UserEngEmbedding)?,
            author_embedding: width(Column::AuthorEmbedding)?,
        })
    }
}

/// A column of a block of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    UserId,
    AuthorId,
    TweetId,
    Continuous,
    Binary,
    UserEmbedding,
    UserEngEmbedding,
    AuthorEmbedding,
    Label,
}

impl Column {
    /// The key in `renamed_features`.
    fn key(self) -> &'static str {
        match self {
            Self::UserId => "meta__user_id",
            Self::AuthorId => "meta__author_id",
            Self::TweetId => "meta__tweet_id",
            Self::Continuous => "continuous",
            Self::Binary => "binary",
            Self::UserEmbedding => "user_embedding",
            Self::UserEngEmbedding => "user_eng_embedding",
            Self::AuthorEmbedding => "author_embedding",
            Self::Label => "label",
        }
    }

    /// The feature that the released configuration reads the column from.
    fn released_feature(self) -> &'static str {
        match self {
            Self::UserId => "meta.user_id",
            Self::AuthorId => "meta.author_id",
            Self::TweetId => "meta.tweet_id",
            Self::Continuous => "home_recap_2022_cont__segdense_vals",
            Self::Binary => "home_recap_2022_binary__segdense_vals",
            Self::UserEmbedding => "user.timelines.twhin_user_follow_embeddings.twhin_user_follow_embeddings",
            Self::UserEngEmbedding => {
                "user.timelines.twhin_user_engagement_embeddings.twhin_user_engagement_embeddings"
            }
            Self::AuthorEmbedding => {
                "original_author.timelines.twhin_author_follow_embeddings.twhin_author_follow_embeddings"
            }
            Self::Label => "",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::Continuous | Self::UserEmbedding | Self::UserEngEmbedding | Self::AuthorEmbedding => {
                Dtype::Float
            }
            Self::UserId | Self::AuthorId | Self::TweetId | Self::Binary | Self::Label => Dtype::Int64,
        }
    }
}

impl LayoutSpec {
    fn feature(&self, column: Column) -> &str {
        self.renames.get(column.key()).map_or_else(|| column.released_feature(), String::as_str)
    }

    fn truncated(&self, column: Column, length: usize) -> usize {
        let truncation = match column {
            Column::Continuous => self.continuous_truncation,
            Column::Binary => self.binary_truncation,
            _ => None,
        };
        // As in the released preprocessing, 0 means none and more than there is keeps all.
        truncation.filter(|&kept| kept > 0).map_or(length, |kept| kept.min(length))
    }

    fn not_in_schema(&self, schema: &Schema, column: Column) -> Error {
        let problem = format!("feature \"{}\" is not in the schema", self.feature(column));
        Error::config(schema.file(), field_of(column), problem)
    }
}

fn field_of(column: Column) -> String {
    format!("train_data.seg_dense_schema.renamed_features.{}", column.key())
}

/// The fixed length of `column`'s feature in the record.
fn check_entry(schema: &Schema, column: Column, entry: &SchemaEntry) -> Result<usize> {
    let wrong = |problem: String| {
        let field = if column == Column::Label { "train_data.tasks".to_owned() } else { field_of(column) };
        Error::config(schema.file(), field, format!("feature \"{}\": {problem}", entry.name))
    };
    if entry.dtype != column.dtype() {
        return Err(wrong(format!("expected {}, found {}", column.dtype(), entry.dtype)));
    }
    let Some(length) = entry.length else {
        return Err(wrong("expected a fixed length, found -1 (a length that varies)".to_owned()));
    };
    let single = matches!(column, Column::UserId | Column::AuthorId | Column::TweetId | Column::Label);
    if single && length != 1 {
        return Err(wrong(format!("expected length 1, found {length}")));
    }
    Ok(length)
}

/// One feature to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) feature: String,
    pub(super) column: Column,
    pub(super) dtype: Dtype,
    /// Values in the record.
    pub(super) length: usize,
    /// Values that are kept: the first ones.
    pub(super) kept: usize,
}

/// Which features of a record become which columns: schema, renames, truncations and the model's widths, found to
/// agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLayout {
    widths: Widths,
    labels: Vec<String>,
    slots: Vec<Slot>,
    by_name: HashMap<Box<[u8]>, usize>,
}

impl RecordLayout {
    /// The layout of records of `schema` for a model with columns of `widths`.
    ///
    /// # Errors
    /// The schema lacks a feature that is read, has it with another type, with a length that varies, or with another
    /// width (after truncation) than the model's; two columns are read from one feature.
    pub fn new(schema: &Schema, spec: &LayoutSpec, widths: Widths) -> Result<Self> {
        let mut layout =
            Self { widths, labels: spec.labels.clone(), slots: Vec::new(), by_name: HashMap::new() };
        let columns = [
            (Column::UserId, 1),
            (Column::AuthorId, 1),
            (Column::TweetId, 1),
            (Column::Continuous, widths.continuous),
            (Column::Binary, widths.binary),
            (Column::UserEmbedding, widths.user_embedding),
            (Column::UserEngEmbedding, widths.user_eng_embedding),
            (Column::AuthorEmbedding, widths.author_embedding),
        ];
        for (column, width) in columns.into_iter().filter(|&(_, width)| width > 0) {
            let entry = schema.get(spec.feature(column)).ok_or_else(|| spec.not_in_schema(schema, column))?;
            let length = check_entry(schema, column, entry)?;
            let kept = spec.truncated(column, length);
            if kept != width {
                let problem = format!(
                    "feature \"{}\": expected {width} values (the model's width), found {kept} (length {length} in the \
                     schema, after truncation)",
                    entry.name
                );
                return Err(Error::config(schema.file(), field_of(column), problem));
            }
            layout.add(schema, column, entry, length, kept)?;
        }
        for label in &spec.labels {
            let entry = schema.get(label).ok_or_else(|| {
                let problem = format!("label \"{label}\" is not in the schema");
                Error::config(schema.file(), "train_data.tasks", problem)
            })?;
            let length = check_entry(schema, Column::Label, entry)?;
            layout.add(schema, Column::Label, entry, length, length)?;
        }
        Ok(layout)
    }

    fn add(
        &mut self,
        schema: &Schema,
        column: Column,
        entry: &SchemaEntry,
        length: usize,
        kept: usize,
    ) -> Result<()> {
        if let Some(other) = self.by_name.insert(entry.name.as_bytes().into(), self.slots.len()) {
            let problem = format!(
                "feature \"{}\" is read as {} already, and cannot be {} too",
                entry.name,
                self.slots[other].column.key(),
                column.key()
            );
            return Err(Error::config(schema.file(), field_of(column), problem));
        }
        self.slots.push(Slot { feature: entry.name.clone(), column, dtype: entry.dtype, length, kept });
        Ok(())
    }

    /// The widths of the columns.
    #[must_use]
    pub fn widths(&self) -> Widths {
        self.widths
    }

    /// The labels, in column order.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Bytes that one record takes in a [`RecordBlock`](super::RecordBlock), so that a caller can bound a block's
    /// memory.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        let w = &self.widths;
        let floats = w.continuous + w.user_embedding + w.user_eng_embedding + w.author_embedding;
        // Three ids, the origin, and at most one request boundary.
        let fixed = 3 * size_of::<i64>() + size_of::<super::Origin>() + size_of::<usize>();
        4 * floats + w.binary + 8 * self.labels.len() + fixed
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn slot_of(&self, feature: &[u8]) -> Option<usize> {
        self.by_name.get(feature).copied()
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
