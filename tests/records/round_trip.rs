//! Any values, written and read back to the bit.

use maskrank::records::ReadOptions;
use proptest::prelude::*;

use crate::support::{
    BINARY, CONTINUOUS, Features, LABEL, Owned, USER_EMBEDDING, file_of, read_all, reader_of,
};

fn floats(count: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(any::<u32>().prop_map(f32::from_bits), count)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_values_survive(
        rows in prop::collection::vec(
            (floats(4), prop::array::uniform3(any::<u8>()), floats(2), prop::array::uniform4(any::<i64>())),
            0..6,
        ),
        capacity in 1..7_usize,
        is_gzip in any::<bool>(),
    ) {
        let records: Vec<Vec<u8>> = rows
            .iter()
            .map(|(continuous, binary, embedding, [user, author, tweet, label])| {
                Features(Vec::new())
                    .with(LABEL, Owned::Integers(vec![*label]))
                    .with("meta.tweet_id", Owned::Integers(vec![*tweet]))
                    .with(CONTINUOUS, Owned::Floats(continuous.clone()))
                    .with("a feature that is not in the schema", Owned::Bytes(vec![vec![0xFF; 200], vec![]]))
                    .with(BINARY, Owned::Integers(binary.iter().map(|&value| value.into()).collect()))
                    .with("meta.author_id", Owned::Integers(vec![*author]))
                    .with("meta.user_id", Owned::Integers(vec![*user]))
                    .with(USER_EMBEDDING, Owned::Floats(embedding.clone()))
                    .encode()
            })
            .collect();
        let file = file_of(&records);
        let file = if is_gzip { crate::files::gzip(&file) } else { file };
        let (read, ended) = read_all(&mut reader_of(&file, ReadOptions::default()), capacity);
        prop_assert!(ended.is_ok());
        prop_assert_eq!(read.len(), rows.len());
        for (read, (continuous, binary, embedding, ids)) in read.iter().zip(&rows) {
            prop_assert_eq!(bits(&read.continuous), bits(&continuous[..3]));
            prop_assert_eq!(&read.binary, &binary[..2]);
            prop_assert_eq!(bits(&read.user_embedding), bits(embedding));
            prop_assert_eq!([read.user, read.author, read.tweet, read.labels[0]], *ids);
        }
    }
}
