//! Widths of the inputs from a segdense schema, under a configuration's renames and truncations.

use std::path::Path;

use super::{EMBEDDINGS, RecordsConfig, Widths};
use crate::records::{LayoutSpec, Schema};
use crate::{Error, Result};

impl RecordsConfig {
    /// What the records' reader needs to know of the configuration.
    #[must_use]
    pub fn layout_spec(&self) -> LayoutSpec {
        LayoutSpec {
            renames: self.renamed_features.iter().cloned().collect(),
            continuous_truncation: self.continuous_truncation,
            binary_truncation: self.binary_truncation,
            labels: self.labels.clone(),
        }
    }
}

/// Widths that a schema file gives. An embedding that the configuration does not rename is one that the model does not
/// have, as in the released code; a configuration that renames nothing at all reads the released features.
///
/// # Errors
/// The file cannot be read, is not such a schema, or lacks an input's feature, its type or its fixed length.
pub fn widths_from_schema(path: &Path, records: &RecordsConfig) -> Result<Widths> {
    let schema = Schema::open(path)?;
    let found = Widths::from_schema(&schema, &records.layout_spec())?;
    for (input, width) in [("continuous", found.continuous), ("binary", found.binary)] {
        if width == 0 {
            let problem = format!("expected a feature with values for the input {input}, found none");
            return Err(Error::config(path, "schema", problem));
        }
    }
    let has = |input: &str| {
        records.renamed_features.is_empty() || records.renamed_features.iter().any(|(name, _)| name == input)
    };
    let [user, user_eng, author] = EMBEDDINGS.map(|input| usize::from(has(input)));
    Ok(Widths {
        continuous: found.continuous,
        binary: found.binary,
        user_embedding: user * found.user_embedding,
        user_eng_embedding: user_eng * found.user_eng_embedding,
        author_embedding: author * found.author_embedding,
    })
}
