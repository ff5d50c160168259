//! A small schema, records of it with values that say where they come from, and a reader that collects rows.

use std::io::Cursor;
use std::path::Path;

use maskrank::records::{
    BlockReader, Dtype, LayoutSpec, ReadOptions, RecordBlock, RecordLayout, Schema, SchemaEntry, Values,
    encode_example,
};
use maskrank::{Error, Result};

pub(crate) const CONTINUOUS: &str = "home_recap_2022_cont__segdense_vals";
pub(crate) const BINARY: &str = "home_recap_2022_binary__segdense_vals";
pub(crate) const USER_EMBEDDING: &str =
    "user.timelines.twhin_user_follow_embeddings.twhin_user_follow_embeddings";
pub(crate) const LABEL: &str = "recap.engagement.is_favorited";

pub(crate) fn schema() -> Schema {
    let entry = |name: &str, dtype, length| SchemaEntry { name: name.into(), dtype, length: Some(length) };
    let entries = vec![
        entry(CONTINUOUS, Dtype::Float, 4),
        entry(BINARY, Dtype::Int64, 3),
        entry(USER_EMBEDDING, Dtype::Float, 2),
        entry("meta.user_id", Dtype::Int64, 1),
        entry("meta.author_id", Dtype::Int64, 1),
        entry("meta.tweet_id", Dtype::Int64, 1),
        entry(LABEL, Dtype::Int64, 1),
    ];
    Schema::new(entries, Path::new("schema.json")).unwrap()
}

/// Three of four continuous features, two of three binary ones.
pub(crate) fn layout() -> RecordLayout {
    let spec = LayoutSpec {
        continuous_truncation: Some(3),
        binary_truncation: Some(2),
        labels: vec![LABEL.into()],
        ..LayoutSpec::default()
    };
    let schema = schema();
    RecordLayout::new(&schema, &spec, maskrank::config::Widths::from_schema(&schema, &spec).unwrap()).unwrap()
}

/// The features of record `tweet` of `user`, to be changed before they are encoded.
pub(crate) struct Features(pub(crate) Vec<(String, Owned)>);

#[derive(Clone)]
pub(crate) enum Owned {
    Bytes(Vec<Vec<u8>>),
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

impl Features {
    pub(crate) fn of(user: i64, tweet: i64) -> Self {
        let t = tweet as f32;
        let features = [
            (CONTINUOUS, Owned::Floats(vec![t + 0.25, -t, 0.5, 99.0])),
            (BINARY, Owned::Integers(vec![tweet % 256, 255, 1000])),
            (USER_EMBEDDING, Owned::Floats(vec![user as f32, 1.0])),
            ("meta.user_id", Owned::Integers(vec![user])),
            ("meta.author_id", Owned::Integers(vec![-tweet])),
            ("meta.tweet_id", Owned::Integers(vec![tweet])),
            (LABEL, Owned::Integers(vec![tweet % 2])),
        ];
        Self(features.map(|(name, values)| (name.to_owned(), values)).into())
    }

    pub(crate) fn with(mut self, name: &str, values: Owned) -> Self {
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.to_owned(), values));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let bytes: Vec<Vec<&[u8]>> = self
            .0
            .iter()
            .map(|(_, values)| match values {
                Owned::Bytes(values) => values.iter().map(Vec::as_slice).collect(),
                _ => Vec::new(),
            })
            .collect();
        let features: Vec<(&str, Values<'_>)> = self
            .0
            .iter()
            .zip(&bytes)
            .map(|((name, values), bytes)| {
                let values = match values {
                    Owned::Bytes(_) => Values::Bytes(bytes),
                    Owned::Floats(values) => Values::Floats(values),
                    Owned::Integers(values) => Values::Integers(values),
                };
                (name.as_str(), values)
            })
            .collect();
        let mut out = Vec::new();
        encode_example(&features, &mut out);
        out
    }
}

/// The masked sum, from its definition: shares nothing with the library.
pub(crate) fn masked_sum(bytes: &[u8]) -> u32 {
    let mut sum = !0_u32;
    for &byte in bytes {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0x82F6_3B78 & (sum & 1).wrapping_neg());
        }
    }
    let sum = !sum;
    sum.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// A TFRecord file of these records.
pub(crate) fn file_of(records: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for data in records {
        let length = (data.len() as u64).to_le_bytes();
        file.extend(length);
        file.extend(masked_sum(&length).to_le_bytes());
        file.extend(data);
        file.extend(masked_sum(data).to_le_bytes());
    }
    file
}

/// A file of good records of these users, tweets 0, 1, …
pub(crate) fn records_of(users: &[i64]) -> Vec<Vec<u8>> {
    users.iter().enumerate().map(|(tweet, &user)| Features::of(user, tweet as i64).encode()).collect()
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) user: i64,
    pub(crate) author: i64,
    pub(crate) tweet: i64,
    pub(crate) continuous: Vec<f32>,
    pub(crate) binary: Vec<u8>,
    pub(crate) user_embedding: Vec<f32>,
    pub(crate) labels: Vec<i64>,
    pub(crate) index: u64,
    pub(crate) offset: u64,
}

pub(crate) fn rows_of(block: &RecordBlock) -> Vec<Row> {
    let widths = block.widths();
    let num_labels = block.labels().len().checked_div(block.len()).unwrap_or(0);
    let row = |r: usize| Row {
        user: block.user_ids()[r],
        author: block.author_ids()[r],
        tweet: block.tweet_ids()[r],
        continuous: block.continuous()[r * widths.continuous..][..widths.continuous].to_vec(),
        binary: block.binary()[r * widths.binary..][..widths.binary].to_vec(),
        user_embedding: block.user_embedding()[r * widths.user_embedding..][..widths.user_embedding].to_vec(),
        labels: block.labels()[r * num_labels..][..num_labels].to_vec(),
        index: block.origins()[r].index,
        offset: block.origins()[r].offset,
    };
    (0..block.len()).map(row).collect()
}

/// All rows that a reader gives, and how it ends.
pub(crate) fn read_all(reader: &mut BlockReader, capacity: usize) -> (Vec<Row>, Result<()>) {
    let mut block = RecordBlock::new(reader.layout(), capacity).unwrap();
    let mut rows = Vec::new();
    loop {
        match reader.read_into(&mut block) {
            Ok(true) => rows.extend(rows_of(&block)),
            Ok(false) => return (rows, Ok(())),
            Err(error) => {
                assert!(
                    !reader.read_into(&mut block).unwrap(),
                    "after an error there is nothing more to read"
                );
                return (rows, Err(error));
            }
        }
    }
}

pub(crate) fn reader_of(bytes: &[u8], options: ReadOptions) -> BlockReader {
    BlockReader::from_stream(Cursor::new(bytes.to_vec()), Path::new("memory"), layout(), options).unwrap()
}

/// Record, byte and problem of a [`Error::Record`].
pub(crate) fn record_error(error: Error) -> (u64, u64, String) {
    match error {
        Error::Record { index, offset, problem, .. } => (index, offset, problem),
        other => panic!("expected an error of a record, found: {other}"),
    }
}
