//! Blocks, requests and places to go on from.

use maskrank::records::{BlockReader, Missing, OnBad, ReadOptions, RecordBlock};

use crate::support::{Features, file_of, layout, read_all, reader_of, records_of, rows_of};

const USERS: [i64; 11] = [5, 5, 5, 2, 5, 5, 7, 7, 7, 7, 0];

/// Lengths of the requests, joined over blocks by what the blocks say.
fn requests(reader: &mut BlockReader, capacity: usize) -> Vec<usize> {
    let mut block = RecordBlock::new(reader.layout(), capacity).unwrap();
    let mut lengths = Vec::new();
    let mut goes_on = false;
    while reader.read_into(&mut block).unwrap() {
        assert_eq!(block.continues_from_previous(), goes_on, "capacity {capacity}");
        for (r, rows) in block.requests().enumerate() {
            assert!(!rows.is_empty());
            match lengths.last_mut() {
                Some(length) if r == 0 && goes_on => *length += rows.len(),
                _ => lengths.push(rows.len()),
            }
        }
        assert_eq!(block.requests().map(|rows| rows.len()).sum::<usize>(), block.len());
        goes_on = block.continues();
    }
    assert!(!goes_on, "the last request ends");
    lengths
}

#[test]
fn equal_users_in_a_row_are_one_request_at_every_capacity() {
    let file = file_of(&records_of(&USERS));
    let (whole, ended) = read_all(&mut reader_of(&file, ReadOptions::default()), USERS.len());
    ended.unwrap();
    assert_eq!(whole.iter().map(|row| row.user).collect::<Vec<_>>(), USERS);
    for capacity in 1..=USERS.len() + 1 {
        assert_eq!(requests(&mut reader_of(&file, ReadOptions::default()), capacity), [3, 1, 2, 4, 1]);
        let (rows, ended) = read_all(&mut reader_of(&file, ReadOptions::default()), capacity);
        ended.unwrap();
        assert_eq!(rows, whole, "capacity {capacity}");
    }
}

#[test]
fn a_request_ends_with_its_file_and_origins_name_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "empty", "b"].map(|name| folder.path().join(name));
    std::fs::write(&files[0], file_of(&records_of(&[1, 1]))).unwrap();
    std::fs::write(&files[1], []).unwrap();
    std::fs::write(&files[2], file_of(&records_of(&[1, 2]))).unwrap();
    for capacity in 1..6 {
        let mut reader = BlockReader::new(files.to_vec(), layout(), ReadOptions::default());
        assert_eq!(requests(&mut reader, capacity), [2, 1, 1], "capacity {capacity}");
    }
    let mut reader = BlockReader::new(files.to_vec(), layout(), ReadOptions::default());
    let mut block = RecordBlock::new(&layout(), 9).unwrap();
    assert!(reader.read_into(&mut block).unwrap());
    let origins: Vec<_> = block.origins().iter().map(|origin| (origin.file, origin.index)).collect();
    assert_eq!(origins, [(0, 0), (0, 1), (2, 0), (2, 1)]);
    let on_disk: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(reader.input_bytes(), on_disk);
}

#[test]
fn reading_goes_on_from_every_position() {
    let folder = tempfile::tempdir().unwrap();
    let mut records = records_of(&USERS);
    // A record that is left out: the position counts it.
    records[1] = Features::of(5, 1).without("meta.tweet_id").encode();
    let plain = file_of(&records);
    let files = ["a.tfrecord", "b.tfrecord.gz"].map(|name| folder.path().join(name));
    std::fs::write(&files[0], &plain).unwrap();
    std::fs::write(&files[1], crate::files::gzip(&plain)).unwrap();
    let options = ReadOptions { on_bad: OnBad::Skip, ..ReadOptions::default() };
    let (whole, ended) = read_all(&mut BlockReader::new(files.to_vec(), layout(), options), 64);
    ended.unwrap();
    assert_eq!(whole.len(), 20);
    for capacity in 1..7 {
        let mut reader = BlockReader::new(files.to_vec(), layout(), options);
        let mut block = RecordBlock::new(&layout(), capacity).unwrap();
        let mut given = 0;
        loop {
            let more = reader.read_into(&mut block).unwrap();
            given += block.len();
            let position = block.next_position();
            let saved = serde_json::to_string(&position).unwrap();
            let position = serde_json::from_str(&saved).unwrap();
            let mut again = BlockReader::resume(files.to_vec(), layout(), options, position);
            let mut rest = RecordBlock::new(&layout(), 64).unwrap();
            again.read_into(&mut rest).unwrap();
            assert_eq!(rows_of(&rest), whole[given..], "capacity {capacity} after {given}");
            assert_eq!(
                rest.continues_from_previous(),
                block.continues(),
                "capacity {capacity} after {given}"
            );
            if !more {
                break;
            }
        }
    }
}

#[test]
fn positions_and_blocks_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    std::fs::write(&file, file_of(&records_of(&[1]))).unwrap();
    let packed = folder.path().join("b.gz");
    std::fs::write(&packed, crate::files::gzip(&file_of(&records_of(&[1])))).unwrap();
    let position = maskrank::records::Position { offset: 1 << 40, record: 9, ..Default::default() };
    let mut block = RecordBlock::new(&layout(), 2).unwrap();
    for path in [file, packed] {
        let mut reader = BlockReader::resume(vec![path], layout(), ReadOptions::default(), position);
        let error = reader.read_into(&mut block).unwrap_err().to_string();
        assert!(error.contains("byte 1099511627776: the stream ends at byte"), "{error}");
    }
    assert!(RecordBlock::new(&layout(), 0).unwrap_err().to_string().contains("capacity"));
    assert!(RecordBlock::new(&layout(), usize::MAX).unwrap_err().to_string().contains("capacity"));
    let schema = crate::support::schema();
    let other =
        maskrank::records::RecordLayout::new(&schema, &Default::default(), Default::default()).unwrap();
    let mut other = RecordBlock::new(&other, 2).unwrap();
    let error = reader_of(&[], ReadOptions::default()).read_into(&mut other).unwrap_err();
    assert!(error.to_string().contains("a block made for the reader's layout"), "{error}");
}

#[test]
fn a_missing_feature_is_named_or_filled() {
    let features = [
        "meta.user_id",
        "meta.author_id",
        "meta.tweet_id",
        crate::support::CONTINUOUS,
        crate::support::BINARY,
        crate::support::USER_EMBEDDING,
    ];
    for name in features {
        let file = file_of(&[Features::of(1, 3).encode(), Features::of(1, 4).without(name).encode()]);
        let (rows, ended) = read_all(&mut reader_of(&file, ReadOptions::default()), 4);
        let error = ended.unwrap_err().to_string();
        assert_eq!(rows.len(), 1, "records before the broken one are given");
        assert!(error.contains("memory: record 1 at byte") && error.contains(name), "{error}");
        assert!(error.contains("found none"), "{error}");
        let options = ReadOptions { missing: Missing::FillZero, ..ReadOptions::default() };
        let (rows, ended) = read_all(&mut reader_of(&file, options), 4);
        ended.unwrap();
        let zeros = |values: &[f32]| values.iter().all(|&value| value == 0.0);
        let filled = [
            rows[1].user == 0,
            rows[1].author == 0,
            rows[1].tweet == 0,
            rows[1].continuous.len() == 3 && zeros(&rows[1].continuous),
            rows[1].binary == [0, 0],
            rows[1].user_embedding.len() == 2 && zeros(&rows[1].user_embedding),
        ];
        let expected = features.map(|other| other == name);
        assert_eq!(filled, expected, "{name}");
    }
}

#[test]
fn a_missing_label_is_zero_always() {
    let file = file_of(&[Features::of(1, 3).without(crate::support::LABEL).encode()]);
    let (rows, ended) = read_all(&mut reader_of(&file, ReadOptions::default()), 4);
    ended.unwrap();
    assert_eq!(rows[0].labels, [0]);
}
