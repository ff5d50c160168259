//! Widths of the inputs from a segdense schema: `{"schema": [{"dtype", "feature_name", "length"}]}`.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::{EMBEDDINGS, MAX_WIDTH, RecordsConfig, Widths, file::read_text};
use crate::{Error, Result};

/// Schemas above this are refused unread; the released one has 14 KB.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Deserialize)]
struct Schema {
    schema: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    feature_name: String,
    length: i64,
}

/// Released feature of each input, for a configuration that renames nothing.
const RELEASED: [(&str, &str); 5] = [
    ("continuous", "home_recap_2022_cont__segdense_vals"),
    ("binary", "home_recap_2022_binary__segdense_vals"),
    (EMBEDDINGS[0], "user.timelines.twhin_user_follow_embeddings.twhin_user_follow_embeddings"),
    (EMBEDDINGS[1], "user.timelines.twhin_user_engagement_embeddings.twhin_user_engagement_embeddings"),
    (
        EMBEDDINGS[2],
        "original_author.timelines.twhin_author_follow_embeddings.twhin_author_follow_embeddings",
    ),
];

/// Widths that a schema file gives under a configuration's renames and truncations. An embedding that the
/// configuration does not rename is one that the model does not have, as in the released code; a configuration that
/// renames nothing at all reads the released features.
///
/// # Errors
/// The file cannot be read, is not such a schema, or lacks an input's feature or its fixed length.
pub fn widths_from_schema(path: &Path, records: &RecordsConfig) -> Result<Widths> {
    let schema: Schema = serde_json::from_str(&read_text(path, MAX_BYTES)?)
        .map_err(|error| Error::config(path, "schema", format!("not a segdense schema: {error}")))?;
    let mut lengths: HashMap<&str, i64> = HashMap::new();
    for entry in &schema.schema {
        if lengths.insert(&entry.feature_name, entry.length).is_some() {
            let name = super::shown(&entry.feature_name);
            return Err(Error::config(path, "schema", format!("feature \"{name}\" is listed twice")));
        }
    }
    let mut found = [0; 5];
    for (width, (input, released)) in found.iter_mut().zip(RELEASED) {
        let renamed = records.renamed_features.iter().find(|(name, _)| name == input);
        let feature = match renamed {
            Some((_, feature)) => feature.as_str(),
            None if !records.renamed_features.is_empty() && EMBEDDINGS.contains(&input) => continue,
            None if EMBEDDINGS.contains(&input) && !lengths.contains_key(released) => continue,
            None => released,
        };
        let truncation = match input {
            "continuous" => records.continuous_truncation,
            "binary" => records.binary_truncation,
            _ => None,
        };
        *width = match lengths.get(feature) {
            Some(&length) if (1..=MAX_WIDTH as i64).contains(&length) => {
                truncation.map_or(length as usize, |kept| kept.min(length as usize))
            }
            Some(length) => {
                let problem =
                    format!("feature \"{feature}\": expected 1 to {MAX_WIDTH} values, found {length}");
                return Err(Error::config(path, "schema", problem));
            }
            None => {
                let problem = format!("expected the feature \"{feature}\" of the input {input}, found none");
                return Err(Error::config(path, "schema", problem));
            }
        };
    }
    let [continuous, binary, user_embedding, user_eng_embedding, author_embedding] = found;
    Ok(Widths { continuous, binary, user_embedding, user_eng_embedding, author_embedding })
}
