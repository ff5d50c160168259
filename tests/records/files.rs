//! Files on disk: gzip, what cannot be opened, what we write.

use std::io::Write;
use std::path::Path;

use flate2::write::GzEncoder;
use maskrank::Error;
use maskrank::records::{
    BlockReader, Compression, Dtype, LayoutSpec, OnBad, RandomRecords, ReadOptions, RecordBlock,
    RecordLayout, RecordWriter, Schema, TweetIds,
};

use crate::support::{file_of, layout, read_all, reader_of, record_error, records_of};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_members_are_joined_wherever_they_are_cut() {
    let plain = file_of(&records_of(&[1, 1, 2]));
    let (expected, ended) = read_all(&mut reader_of(&plain, ReadOptions::default()), 8);
    ended.unwrap();
    for cut in [0, 1, 11, 12, plain.len() / 2, plain.len() - 1, plain.len()] {
        let members = [gzip(&plain[..cut]), gzip(&plain[cut..])].concat();
        let (rows, ended) = read_all(&mut reader_of(&members, ReadOptions::default()), 8);
        ended.unwrap();
        assert_eq!(rows, expected, "cut at {cut}");
    }
}

#[test]
fn gzip_cut_or_damaged_is_reported_and_ends_the_file() {
    let packed = gzip(&file_of(&records_of(&[1; 9])));
    for end in 2..packed.len() {
        let (rows, ended) = read_all(&mut reader_of(&packed[..end], ReadOptions::default()), 4);
        let (index, _, problem) = record_error(ended.unwrap_err());
        assert!(index <= 9 && rows.len() as u64 <= index, "cut at {end}");
        assert_eq!(problem, "the gzip stream is cut", "cut at {end}");
        let mut skipping =
            reader_of(&packed[..end], ReadOptions { on_bad: OnBad::Skip, ..ReadOptions::default() });
        let (kept, ended) = read_all(&mut skipping, 4);
        ended.unwrap();
        assert_eq!((kept, skipping.skipped().records, skipping.skipped().files_cut), (rows, 1, 1));
    }
    let mut damaged = packed.clone();
    let sum = damaged.len() - 6;
    damaged[sum] ^= 1;
    let (_, ended) = read_all(&mut reader_of(&damaged, ReadOptions::default()), 4);
    let (index, _, problem) = record_error(ended.unwrap_err());
    assert_eq!(index, 9, "all records were read before the sum of the gzip stream");
    assert!(problem.starts_with("the gzip stream is damaged: "), "{problem}");
    let mut trailing = packed;
    trailing.extend(b"more");
    let (_, ended) = read_all(&mut reader_of(&trailing, ReadOptions::default()), 4);
    assert!(record_error(ended.unwrap_err()).2.starts_with("the gzip stream is "));
}

#[test]
fn what_cannot_be_opened_is_an_error_even_when_skipping() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions { on_bad: OnBad::Skip, ..ReadOptions::default() };
    for (path, operation) in [(folder.path().join("nowhere"), "open"), (folder.path().to_owned(), "read")] {
        let (_, ended) = read_all(&mut BlockReader::new(vec![path.clone()], layout(), options), 4);
        let error = ended.unwrap_err();
        assert!(
            matches!(&error, Error::Io { operation: o, path: p, .. } if *o == operation && *p == path),
            "{error}"
        );
    }
    let error = RecordWriter::create(&folder.path().join("no/folder"), Compression::None).unwrap_err();
    assert!(matches!(error, Error::Io { operation: "create", .. }), "{error}");
}

#[test]
fn what_the_writer_writes_is_framed_by_definition() {
    let folder = tempfile::tempdir().unwrap();
    let records = vec![vec![], b"one".to_vec(), vec![0xA5; 100_000]];
    let path = folder.path().join("a.tfrecord");
    let mut writer = RecordWriter::create(&path, Compression::from_path(&path)).unwrap();
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), file_of(&records));
}

#[test]
fn random_records_are_what_the_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::released();
    let spec = LayoutSpec {
        labels: schema
            .entries()
            .iter()
            .filter(|e| e.name.starts_with("recap.engagement."))
            .map(|e| e.name.clone())
            .collect(),
        ..LayoutSpec::default()
    };
    let layout =
        RecordLayout::new(&schema, &spec, maskrank::config::Widths::from_schema(&schema, &spec).unwrap())
            .unwrap();
    let plan =
        RandomRecords { seed: 42, records: 23, records_per_request: 10, tweet_ids: TweetIds::Numbered };
    let mut blocks = Vec::new();
    for name in ["a.tfrecord", "b.tfrecord.gz"] {
        let path = folder.path().join(name);
        plan.write(&schema, &path, Compression::from_path(&path)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().starts_with(&[0x1F, 0x8B]), name.ends_with("gz"));
        let mut block = RecordBlock::new(&layout, 100).unwrap();
        let mut reader = BlockReader::new(vec![path], layout.clone(), ReadOptions::default());
        assert!(reader.read_into(&mut block).unwrap());
        blocks.push(block);
    }
    let block = &blocks[0];
    assert_eq!(block.continuous(), blocks[1].continuous());
    assert_eq!((block.len(), block.request_offsets()), (23, &[0, 10, 20, 23][..]));
    assert_eq!(block.tweet_ids(), (0..23).collect::<Vec<_>>());
    assert!(block.user_ids().iter().chain(block.author_ids()).all(|id| (0..10).contains(id)));
    assert!(block.continuous().iter().all(|value| (0.0..1.0).contains(value)));
    // Mean of n uniform draws: 6 standard deviations, σ = 1/√12 of a float, √(99/12) of a digit.
    let near = |mean: f64, expected: f64, sigma: f64, n: usize| {
        assert!((mean - expected).abs() <= 6.0 * sigma / (n as f64).sqrt(), "mean {mean} of {n}");
    };
    let n = block.continuous().len();
    near(
        block.continuous().iter().map(|&v| f64::from(v)).sum::<f64>() / n as f64,
        0.5,
        12_f64.sqrt().recip(),
        n,
    );
    let n = block.binary().len();
    near(
        block.binary().iter().map(|&v| f64::from(v)).sum::<f64>() / n as f64,
        4.5,
        (99_f64 / 12.0).sqrt(),
        n,
    );
    for digit in 0..10 {
        let share = block.binary().iter().filter(|&&v| v == digit).count() as f64 / n as f64;
        near(share, 0.1, 0.3, n);
    }
    // The viewer's embeddings belong to the request, the author's to the candidate.
    let row = |column: &[f32], r: usize| column[200 * r..][..200].to_vec();
    assert_eq!(row(block.user_embedding(), 0), row(block.user_embedding(), 9));
    assert_eq!(row(block.user_eng_embedding(), 10), row(block.user_eng_embedding(), 19));
    assert_ne!(row(block.user_embedding(), 9), row(block.user_embedding(), 10));
    assert_ne!(row(block.author_embedding(), 0), row(block.author_embedding(), 1));
    assert_ne!(row(block.user_embedding(), 0), row(block.user_eng_embedding(), 0));
}

#[test]
fn neighbouring_random_requests_never_merge() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let schema = crate::support::schema();
    let plan = RandomRecords { seed: 1, records: 500, records_per_request: 1, tweet_ids: TweetIds::Drawn };
    plan.write(&schema, &path, Compression::None).unwrap();
    let mut block = RecordBlock::new(&layout(), 500).unwrap();
    BlockReader::new(vec![path], layout(), ReadOptions::default()).read_into(&mut block).unwrap();
    assert_eq!(block.requests().len(), 500);
    assert_eq!((0..10).filter(|id| block.user_ids().contains(id)).count(), 10, "every id occurs");
    let none = RandomRecords { records_per_request: 0, ..plan };
    assert!(none.write(&schema, Path::new("/nowhere/a"), Compression::None).is_err());
}

#[test]
fn every_kind_of_feature_is_drawn() {
    let text = br#"{"schema": [{"dtype": "bytes_list", "feature_name": "b", "length": 3},
                               {"dtype": "bytes_list", "feature_name": "v", "length": -1}]}"#;
    let schema = Schema::parse(text, Path::new("s.json")).unwrap();
    assert_eq!(schema.entries()[1].dtype, Dtype::Bytes);
    let plan = RandomRecords { seed: 1, records: 1, records_per_request: 1, tweet_ids: TweetIds::Drawn };
    let mut example = Vec::new();
    assert!(plan.examples(&schema).unwrap().next_into(&mut example));
    // Example { Features { "b": [digit, digit, digit], "v": [] } }, lengths by hand.
    assert_eq!(example.len(), 2 + (2 + 3 + 2 + 2 + 3 * 3) + (2 + 3 + 2 + 2));
    let digits = [13, 16, 19].map(|place| example[place]);
    assert!(digits.iter().all(u8::is_ascii_digit), "{digits:?}");
}
