//! Files that Python's `tfrecord` package wrote: see `tests/data/records/make.py`.

use std::path::{Path, PathBuf};

use maskrank::records::{BlockReader, LayoutSpec, ReadOptions, RecordBlock, RecordLayout, Schema};
use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/records").join(name)
}

fn floats(row: &Value, column: &str) -> Vec<u32> {
    let value = |v: &Value| (v.as_f64().expect("a number") as f32).to_bits();
    row[column].as_array().expect("a list").iter().map(value).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn python_records_are_read_to_the_bit() {
    let schema = Schema::open(&data("schema.json")).unwrap();
    let spec = LayoutSpec {
        labels: ["recap.engagement.is_favorited", "recap.engagement.is_replied"].map(String::from).into(),
        ..LayoutSpec::default()
    };
    let widths = maskrank::config::Widths::from_schema(&schema, &spec).unwrap();
    let layout = RecordLayout::new(&schema, &spec, widths).unwrap();
    let expected: Value = serde_json::from_slice(&std::fs::read(data("expected.json")).unwrap()).unwrap();
    let expected = expected.as_array().unwrap();
    for file in ["python.tfrecord", "python.tfrecord.gz"] {
        let mut block = RecordBlock::new(&layout, 64).unwrap();
        let mut reader = BlockReader::new(vec![data(file)], layout.clone(), ReadOptions::default());
        assert!(reader.read_into(&mut block).unwrap());
        assert_eq!(block.len(), expected.len(), "{file}");
        assert_eq!(block.request_offsets(), [0, 3, 4, 5], "{file}");
        for (r, row) in expected.iter().enumerate() {
            let binary: Vec<u64> = block.binary()[6 * r..][..6].iter().map(|&v| v.into()).collect();
            assert_eq!(bits(&block.continuous()[9 * r..][..9]), floats(row, "continuous"), "{file} row {r}");
            assert_eq!(Value::from(binary), row["binary"], "{file} row {r}");
            assert_eq!(bits(&block.user_embedding()[2 * r..][..2]), floats(row, "user_embedding"));
            assert_eq!(bits(&block.user_eng_embedding()[2 * r..][..2]), floats(row, "user_eng_embedding"));
            assert_eq!(bits(&block.author_embedding()[2 * r..][..2]), floats(row, "author_embedding"));
            assert_eq!(Value::from(block.user_ids()[r]), row["user_id"], "{file} row {r}");
            assert_eq!(Value::from(block.author_ids()[r]), row["author_id"], "{file} row {r}");
            assert_eq!(Value::from(block.tweet_ids()[r]), row["tweet_id"], "{file} row {r}");
            assert_eq!(Value::from(&block.labels()[2 * r..][..2]), row["labels"], "{file} row {r}");
        }
        assert!(!reader.read_into(&mut block).unwrap() && block.is_empty());
    }
}
