use std::path::Path;

use super::*;

const CONTINUOUS: &str = "home_recap_2022_cont__segdense_vals";

fn production() -> (Schema, LayoutSpec, Widths) {
    let spec = LayoutSpec {
        continuous_truncation: Some(2117),
        binary_truncation: Some(59),
        labels: vec!["recap.engagement.is_replied".into(), "recap.engagement.is_favorited".into()],
        ..LayoutSpec::default()
    };
    let widths = Widths {
        continuous: 2117,
        binary: 59,
        user_embedding: 200,
        user_eng_embedding: 200,
        author_embedding: 200,
    };
    (Schema::released(), spec, widths)
}

#[test]
fn the_released_schema_and_truncations_give_the_production_widths() {
    let (schema, spec, widths) = production();
    assert_eq!(Widths::from_schema(&schema, &spec).unwrap(), widths);
    let layout = RecordLayout::new(&schema, &spec, widths).unwrap();
    assert_eq!(layout.labels(), spec.labels);
    assert_eq!(layout.slots().len(), 3 + 5 + 2);
    let continuous = layout.slot_of(CONTINUOUS.as_bytes()).map(|slot| &layout.slots()[slot]).unwrap();
    assert_eq!((continuous.length, continuous.kept), (6000, 2117));
}

#[test]
fn truncations_are_those_of_the_released_preprocessing() {
    let (schema, mut spec, _) = production();
    for (truncation, expected) in [(None, 6000), (Some(0), 6000), (Some(1), 1), (Some(9999), 6000)] {
        spec.continuous_truncation = truncation;
        assert_eq!(Widths::from_schema(&schema, &spec).unwrap().continuous, expected);
    }
}

#[test]
fn a_column_that_the_model_does_not_have_is_not_read() {
    let (schema, spec, mut widths) = production();
    widths.author_embedding = 0;
    let layout = RecordLayout::new(&schema, &spec, widths).unwrap();
    assert_eq!(layout.slots().len(), 3 + 4 + 2);
}

#[test]
fn renamed_features_are_found() {
    let entry = |name: &str, dtype, length| SchemaEntry { name: name.into(), dtype, length: Some(length) };
    let entries = vec![
        entry("u", Dtype::Int64, 1),
        entry("a", Dtype::Int64, 1),
        entry("t", Dtype::Int64, 1),
        entry("c", Dtype::Float, 3),
    ];
    let schema = Schema::new(entries, Path::new("s.json")).unwrap();
    let renames =
        [("meta__user_id", "u"), ("meta__author_id", "a"), ("meta__tweet_id", "t"), ("continuous", "c")];
    let renames = renames.map(|(column, feature)| (column.to_owned(), feature.to_owned())).into();
    let spec = LayoutSpec { renames, ..LayoutSpec::default() };
    let widths = Widths::from_schema(&schema, &spec).unwrap();
    assert_eq!(widths, Widths { continuous: 3, ..Widths::default() });
    RecordLayout::new(&schema, &spec, widths).unwrap();
}

#[test]
fn disagreements_are_named() {
    type Change = fn(&mut Vec<SchemaEntry>, &mut LayoutSpec, &mut Widths);
    let cases: [(Change, &str); 9] = [
        (
            |schema, _, _| schema.retain(|e| e.name != "meta.user_id"),
            "feature \"meta.user_id\" is not in the schema",
        ),
        (
            |_, spec, _| spec.labels.push("is_unknown".into()),
            "train_data.tasks: label \"is_unknown\" is not in the schema",
        ),
        (
            |_, spec, _| drop(spec.renames.insert("continuous".into(), "nowhere".into())),
            "renamed_features.continuous: feature \"nowhere\" is not in the schema",
        ),
        (
            |_, spec, _| drop(spec.renames.insert("meta__tweet_id".into(), CONTINUOUS.into())),
            "renamed_features.meta__tweet_id: feature \"home_recap_2022_cont__segdense_vals\": expected int64_list, found \
             float_list",
        ),
        (
            |schema, _, _| schema[1].length = None,
            "feature \"home_recap_2022_cont__segdense_vals\": expected a fixed length, found -1",
        ),
        (
            |_, _, widths| widths.continuous = 2118,
            "expected 2118 values (the model's width), found 2117 (length 6000 in the schema, after truncation)",
        ),
        (|_, _, widths| widths.user_embedding = 199, "expected 199 values (the model's width), found 200"),
        (
            |_, spec, _| spec.labels.push("meta.user_id".into()),
            "feature \"meta.user_id\" is read as meta__user_id already, and cannot be label too",
        ),
        (
            |_, spec, _| spec.labels.push("home_recap_2022_binary__segdense_vals".into()),
            "train_data.tasks: feature \"home_recap_2022_binary__segdense_vals\": expected length 1, found 512",
        ),
    ];
    for (change, expected) in cases {
        let (schema, mut spec, mut widths) = production();
        let mut entries = schema.entries().to_vec();
        change(&mut entries, &mut spec, &mut widths);
        let schema = Schema::new(entries, Path::new("s.json")).unwrap();
        let error = RecordLayout::new(&schema, &spec, widths).unwrap_err().to_string();
        assert!(error.starts_with("s.json: train_data.") && error.contains(expected), "{error}");
    }
}
