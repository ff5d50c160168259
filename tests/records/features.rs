//! What protobuf allows in an example beyond what we write, and what does not fit the layout.

use maskrank::records::ReadOptions;

use crate::support::{
    BINARY, CONTINUOUS, Features, LABEL, Owned, Row, USER_EMBEDDING, file_of, read_all, reader_of,
    record_error,
};

/// A delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 1 << 14);
    let length = content.len();
    let mut bytes = vec![number << 3 | 2];
    if length < 0x80 {
        bytes.push(length as u8);
    } else {
        bytes.extend([(length & 0x7F) as u8 | 0x80, (length >> 7) as u8]);
    }
    bytes.extend(content);
    bytes
}

fn packed_floats(values: &[f32]) -> Vec<u8> {
    field(1, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

fn single_floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| [&[0x0D][..], &value.to_le_bytes()].concat()).collect()
}

/// Values below 128, one field each.
fn single_integers(values: &[u8]) -> Vec<u8> {
    values.iter().flat_map(|&value| [0x08, value]).collect()
}

fn entry(name: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, name.as_bytes()), field(2, value)].concat())
}

/// Record 7 of user 1 with these map entries after its own, inside a second `features` message, which protobuf merges.
fn read_with(entries: &[Vec<u8>]) -> Result<Row, String> {
    let mut example = Features::of(1, 7).encode();
    example.extend(field(1, &entries.concat()));
    let (mut rows, ended) = read_all(&mut reader_of(&file_of(&[example]), ReadOptions::default()), 2);
    ended.map_err(|error| record_error(error).2).map(|()| rows.remove(0))
}

#[test]
fn every_encoding_of_a_list_is_read() {
    let lists = [
        packed_floats(&[1.0, 2.0, 3.0, 4.0]),
        single_floats(&[1.0, 2.0, 3.0, 4.0]),
        [packed_floats(&[1.0]), single_floats(&[2.0, 3.0]), packed_floats(&[]), packed_floats(&[4.0])]
            .concat(),
        // Unknown fields between the values: a varint, a text, a fixed64, a group.
        [
            single_floats(&[1.0]),
            vec![0x10, 0x05],
            field(9, b"unknown"),
            vec![0x19, 1, 2, 3, 4, 5, 6, 7, 8],
            vec![0x23, 0x08, 0x01, 0x24],
            single_floats(&[2.0, 3.0, 4.0]),
        ]
        .concat(),
    ];
    for list in lists {
        let row = read_with(&[entry(CONTINUOUS, &field(2, &list))]).unwrap();
        assert_eq!(row.continuous, [1.0, 2.0, 3.0], "{list:02x?}");
    }
    for list in [
        field(1, &[4, 5, 6]),
        single_integers(&[4, 5, 6]),
        [field(1, &[4]), single_integers(&[5, 6])].concat(),
    ] {
        let row = read_with(&[entry(BINARY, &field(3, &list))]).unwrap();
        assert_eq!(row.binary, [4, 5], "{list:02x?}");
    }
    let minus_two = [vec![0xFE], vec![0xFF; 8], vec![0x01]].concat();
    let row = read_with(&[entry("meta.author_id", &field(3, &field(1, &minus_two)))]).unwrap();
    assert_eq!(row.author, -2);
}

#[test]
fn repeated_pieces_follow_protobuf() {
    let one = |value: u8| field(3, &field(1, &[value]));
    // The last entry of a key wins.
    let row = read_with(&[entry("meta.user_id", &one(3)), entry("meta.user_id", &one(4))]).unwrap();
    assert_eq!(row.user, 4);
    // Within one entry, lists of one kind are merged: in one value, or over two values.
    let halves = [field(2, &packed_floats(&[1.0, 2.0])), field(2, &packed_floats(&[3.0, 4.0]))];
    let row = read_with(&[entry(CONTINUOUS, &halves.concat())]).unwrap();
    assert_eq!(row.continuous, [1.0, 2.0, 3.0]);
    let values = [field(1, CONTINUOUS.as_bytes()), field(2, &halves[0]), field(2, &halves[1])].concat();
    assert_eq!(read_with(&[field(1, &values)]).unwrap().continuous, [1.0, 2.0, 3.0]);
    // Of two kinds the last one stays, without what was there before it.
    let kinds = [one(9), field(2, &packed_floats(&[9.0])), one(5)].concat();
    assert_eq!(read_with(&[entry("meta.user_id", &kinds)]).unwrap().user, 5);
    // The last key of an entry counts; a value may come before its key.
    let turned = [field(2, &one(6)), field(1, b"other"), field(1, b"meta.user_id")].concat();
    assert_eq!(read_with(&[field(1, &turned)]).unwrap().user, 6);
    // Features that nobody asked for are skipped, whatever they hold.
    assert_eq!(read_with(&[entry("unknown", &[0xFF; 40])]).unwrap().user, 1);
    // A feature without a list is missing, and hides an earlier one.
    let problem = read_with(&[entry("meta.user_id", &[])]).unwrap_err();
    assert_eq!(problem, "feature \"meta.user_id\": expected 1 int64_list, found none");
}

#[test]
fn what_does_not_fit_is_named() {
    let cases = [
        (CONTINUOUS, Owned::Integers(vec![1; 4]), "expected float_list, found int64_list"),
        (CONTINUOUS, Owned::Floats(vec![1.0; 3]), "expected 4 values, found 3"),
        (CONTINUOUS, Owned::Floats(vec![1.0; 5]), "expected 4 values, found 5"),
        (CONTINUOUS, Owned::Floats(vec![]), "expected 4 values, found 0"),
        (USER_EMBEDDING, Owned::Bytes(vec![b"x".to_vec()]), "expected float_list, found bytes_list"),
        (BINARY, Owned::Floats(vec![1.0; 3]), "expected int64_list, found float_list"),
        (BINARY, Owned::Integers(vec![1; 2]), "expected 3 values, found 2"),
        (BINARY, Owned::Integers(vec![1, 256, 0]), "value 1: expected 0 to 255, found 256"),
        (BINARY, Owned::Integers(vec![-1, 256, 0]), "value 0: expected 0 to 255, found -1"),
        (
            BINARY,
            Owned::Integers(vec![1, i64::MAX, 0]),
            "value 1: expected 0 to 255, found 9223372036854775807",
        ),
        ("meta.user_id", Owned::Integers(vec![1, 2]), "expected 1 values, found 2"),
        (LABEL, Owned::Floats(vec![1.0]), "expected int64_list, found float_list"),
        (LABEL, Owned::Integers(vec![]), "expected 1 values, found 0"),
    ];
    for (name, values, expected) in cases {
        let records = [Features::of(1, 0).encode(), Features::of(1, 1).with(name, values).encode()];
        let offset = records[0].len() as u64 + 16;
        let (rows, ended) = read_all(&mut reader_of(&file_of(&records), ReadOptions::default()), 9);
        assert_eq!(rows.len(), 1);
        let problem = format!("feature \"{name}\": {expected}");
        assert_eq!(record_error(ended.unwrap_err()), (1, offset, problem));
    }
}

#[test]
fn malformed_examples_are_refused() {
    let list = |bytes: &[u8]| entry(CONTINUOUS, &field(2, bytes));
    let cases = [
        (entry(BINARY, &field(3, &field(1, &[1, 2, 0x80]))), "a varint is cut"),
        (entry(BINARY, &field(3, &field(1, &[0xFF; 10]))), "a varint does not fit 64 bits"),
        (list(&field(1, &[0; 15])), "a packed list of floats has 15 bytes, not a multiple of 4"),
        (list(&[0x08, 1]), "FloatList.value has wire type 0"),
        (entry(BINARY, &field(3, &[0x0D, 0, 0, 0, 0])), "Int64List.value has wire type 5"),
        (list(&[0x0A, 200, 1]), "a field says 200 bytes where 0 are left"),
        (entry(CONTINUOUS, &[0x10, 1]), "a feature's list has wire type 0"),
        (vec![0x08, 1], "not a tf.Example: Features.feature has wire type 0"),
        (field(1, &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]), "not a tf.Example: a field says 4294967295 bytes"),
        (vec![0x02, 0], "not a tf.Example: a field has number 0"),
    ];
    for (bytes, expected) in cases {
        let problem = read_with(std::slice::from_ref(&bytes)).unwrap_err();
        assert!(problem.contains(expected), "{bytes:02x?}: {problem}");
    }
}
