//! The components and feature families as a document.

use std::fmt::Write;

use crate::engine::ComponentRow;
use crate::features::{DISCRETE, DISCRETE_SLOTS, FamilyRow, Level};

/// A Markdown document of a product's components in the order of execution, and of the feature families.
pub fn document(components: &[ComponentRow], families: &[FamilyRow]) -> String {
    let mut text = String::from(
        "# Components\n\nGenerated from the declared lists; a test fails when it is stale. To write it anew:\n\
         `UPDATE_GENERATED=1 cargo test -p maskrank-pipeline --lib listing`.\n\n\
         ## For You\n\nIn the order of execution, the mixer before the ranking that it asks.\n\n\
         | pipeline | stage | component | what it does |\n|---|---|---|---|\n",
    );
    for row in components {
        let stage = row.stage.name().replace('_', " ");
        let when = if row.when.is_empty() { String::new() } else { format!(", {}", row.when) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {stage}{when} | `{}` | {} |", row.pipeline, row.name, row.about);
    }
    text.push_str(
        "\n## Feature families\n\nSlots of the record, in order. A model reads the first so many of each kind; what lies \
         beyond is not computed.\n\n| family | of | phase | continuous | binary | what it holds |\n|---|---|---|---|---|---|\n",
    );
    for row in families {
        let of = match row.level {
            Level::Request => "request",
            Level::Candidate => "candidate",
        };
        let slots = |range: &std::ops::Range<usize>| match range.len() {
            0 => String::new(),
            count => format!("{count} ({}..{})", range.start, range.end),
        };
        let (continuous, binary) = (slots(&row.continuous), slots(&row.binary));
        let _ = writeln!(
            text,
            "| `{}` | {of} | {} | {continuous} | {binary} | {} |",
            row.name, row.phase, row.about
        );
    }
    let total = |slots: fn(&FamilyRow) -> usize| families.iter().map(slots).sum::<usize>();
    let (continuous, binary) = (total(|row| row.continuous.len()), total(|row| row.binary.len()));
    let _ = writeln!(text, "| all | | | {continuous} | {binary} | |");
    text.push_str(
        "\n## Discrete slots\n\nIdentities, codes and sequences, written into training records. No loaded model reads \
         them.\n\n| what | slots |\n|---|---|\n",
    );
    for (name, length) in DISCRETE {
        let _ = writeln!(text, "| `{name}` | {length} |");
    }
    let _ = writeln!(text, "| all | {DISCRETE_SLOTS} |");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PipelineConfig;
    use crate::testing::{Answer, MemoryStores, home};

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/COMPONENTS.md");

    #[test]
    fn the_document_lists_what_is_declared() {
        let (home, ..) = home(PipelineConfig::default(), &MemoryStores::with_users([]), &[], Answer::Rows);
        let document = document(&home.components(), &home.parts().registry.rows());
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(FILE, &document).expect("the file can be written");
        }
        let written = std::fs::read_to_string(FILE).expect("the file is there");
        assert!(written == document, "COMPONENTS.md is stale: run with UPDATE_GENERATED=1");
        for name in
            ["`author_visibility`", "`model`", "`cache_scored_posts`", "`shares`", "awaited before scoring"]
        {
            assert!(document.contains(name), "{name}");
        }
    }

    #[test]
    fn no_two_components_of_a_list_have_one_name() {
        let (home, ..) = home(PipelineConfig::default(), &MemoryStores::with_users([]), &[], Answer::Rows);
        let mut names: Vec<_> = home
            .components()
            .iter()
            .map(|row| (row.pipeline, row.stage, row.when.clone(), row.name))
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
