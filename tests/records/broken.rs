//! Broken framing: what is reported, what is skipped, what ends a file.

use maskrank::records::{OnBad, ReadOptions, Skipped};

use crate::support::{Features, file_of, masked_sum, read_all, reader_of, record_error, records_of};

const SKIP: OnBad = OnBad::Skip;
const USERS: [i64; 5] = [1; 5];

/// Start of every frame, and the end.
fn starts(records: &[Vec<u8>]) -> Vec<usize> {
    let ends = records.iter().scan(0, |end, record| {
        *end += record.len() + 16;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

fn skipping(bytes: &[u8], max_record_bytes: usize) -> (Vec<i64>, u64, u64, Vec<String>) {
    let options = ReadOptions { on_bad: SKIP, max_record_bytes, ..ReadOptions::default() };
    let mut reader = reader_of(bytes, options);
    let (rows, ended) = read_all(&mut reader, 2);
    ended.unwrap();
    let Skipped { records, files_cut, errors, .. } = reader.skipped();
    let errors = errors.iter().map(ToString::to_string).collect();
    (rows.iter().map(|row| row.tweet).collect(), *records, *files_cut, errors)
}

#[test]
fn wrong_sums_are_reported_with_record_and_byte() {
    let records = records_of(&USERS);
    let starts = starts(&records);
    let good = file_of(&records);
    for (r, &start) in starts[..USERS.len()].iter().enumerate() {
        let (length, data) = (start + 3, start + 12 + records[r].len() / 2);
        let places = [
            (length, "the sum of the length is wrong"),
            (start + 8, "the sum of the length is wrong"),
            (data, "the sum of the data is wrong"),
            (starts[r + 1] - 1, "the sum of the data is wrong"),
        ];
        for (place, expected) in places {
            let mut bad = good.clone();
            bad[place] ^= 0x10;
            let (rows, ended) = read_all(&mut reader_of(&bad, ReadOptions::default()), 2);
            assert_eq!(rows.len(), r);
            let (index, offset, problem) = record_error(ended.unwrap_err());
            assert_eq!((index, offset), (r as u64, start as u64), "byte {place}");
            assert!(problem.starts_with(expected), "byte {place}: {problem}");
            let (tweets, skipped, cut, errors) = skipping(&bad, 1 << 20);
            let framing = expected.contains("length");
            let kept = |&tweet: &i64| if framing { tweet < r as i64 } else { tweet != r as i64 };
            assert_eq!(tweets, (0..5).filter(kept).collect::<Vec<_>>(), "byte {place}");
            assert_eq!((skipped, cut), (1, u64::from(framing)), "byte {place}: {errors:?}");
            assert!(
                errors[0].contains(&format!("memory: record {r} at byte {start}: {expected}")),
                "{errors:?}"
            );
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_reported() {
    let records = records_of(&USERS[..3]);
    let starts = starts(&records);
    let good = file_of(&records);
    for end in 0..good.len() {
        let whole = starts.iter().filter(|&&start| start > 0 && start <= end).count();
        let (rows, ended) = read_all(&mut reader_of(&good[..end], ReadOptions::default()), 2);
        assert_eq!(rows.len(), whole, "cut at {end}");
        if starts.contains(&end) {
            // Nothing shows that a plain file is cut between two records.
            ended.unwrap();
            continue;
        }
        let (index, offset, problem) = record_error(ended.unwrap_err());
        assert_eq!((index, offset), (whole as u64, starts[whole] as u64), "cut at {end}: {problem}");
        let found = end - starts[whole];
        let expected = match found.checked_sub(12) {
            None => format!("expected 12 bytes of length and sum, found {found}"),
            Some(found) => {
                format!("expected {} bytes of data and sum, found {found}", records[whole].len() + 4)
            }
        };
        assert!(problem.ends_with(&expected), "cut at {end}: {problem}");
        let (tweets, skipped, cut, _) = skipping(&good[..end], 1 << 20);
        assert_eq!((tweets.len(), skipped, cut), (whole, 1, 1), "cut at {end}");
    }
}

#[test]
fn a_record_above_the_bound_is_passed_over() {
    let mut records = records_of(&USERS);
    records[2] = Features::of(1, 2).with("long", crate::support::Owned::Floats(vec![0.0; 5000])).encode();
    let bound = records[1].len().max(records[3].len());
    let (tweets, skipped, cut, errors) = skipping(&file_of(&records), bound);
    assert_eq!((tweets, skipped, cut), (vec![0, 1, 3, 4], 1, 0));
    let expected = format!("expected at most {bound} bytes, found a length of {}", records[2].len());
    assert!(errors[0].contains(&expected), "{errors:?}");
    assert_eq!(skipping(&file_of(&records), records[2].len()).0.len(), 5, "at the bound it is read");
    // A length with a good sum, and nothing behind it.
    for length in [1 << 30, u64::MAX] {
        let length = u64::to_le_bytes(length);
        let lie = [file_of(&records[..1]), length.into(), masked_sum(&length).to_le_bytes().into()].concat();
        let (tweets, skipped, cut, errors) = skipping(&lie, bound);
        assert_eq!((tweets, skipped, cut), (vec![0], 2, 1), "{errors:?}");
        let (tweets, _, _, errors) = skipping(&lie, usize::MAX);
        assert_eq!(tweets, [0], "{errors:?}");
    }
}

#[test]
fn broken_examples_are_counted_and_the_first_errors_kept() {
    let bad = b"\x0A\x05not".to_vec();
    let mut records = vec![bad; 40];
    records.extend(records_of(&[3, 3]));
    records.insert(20, Features::of(3, 9).encode());
    let (tweets, skipped, cut, errors) = skipping(&file_of(&records), 1 << 20);
    assert_eq!((tweets, skipped, cut), (vec![9, 0, 1], 40, 0));
    assert_eq!(errors.len(), Skipped::MAX_ERRORS);
    assert!(
        errors[1].contains("record 1 at byte 21: not a tf.Example: a field says 5 bytes where 3 are left")
    );
}

#[test]
fn an_error_behind_a_full_block_waits_for_the_next_call() {
    let mut records = records_of(&[4, 4, 4]);
    records[2] = b"\xFF".to_vec();
    for capacity in 1..4 {
        let (rows, ended) = read_all(&mut reader_of(&file_of(&records), ReadOptions::default()), capacity);
        assert_eq!((rows.len(), record_error(ended.unwrap_err()).0), (2, 2), "capacity {capacity}");
    }
}
