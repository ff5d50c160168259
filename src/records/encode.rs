//! `tf.Example` written by hand, numbers packed.

/// The values of one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// `bytes_list`
    Bytes(&'a [&'a [u8]]),
    /// `float_list`
    Floats(&'a [f32]),
    /// `int64_list`
    Integers(&'a [i64]),
}

/// Wire type 2: a length and that many bytes.
const DELIMITED: u8 = 2;

/// Appends a `tf.Example` with these features, in this order, to `out`. Sizes are computed first, so that nothing is
/// written twice; deterministic.
pub fn encode_example(features: &[(&str, Values<'_>)], out: &mut Vec<u8>) {
    let total: usize = features.iter().map(|(name, values)| delimited_size(entry_size(name, values))).sum();
    out.reserve(delimited_size(total));
    head(1, total, out); // Example.features
    for (name, values) in features {
        head(1, entry_size(name, values), out); // Features.feature
        head(1, name.len(), out); // key
        out.extend_from_slice(name.as_bytes());
        let list = list_size(values);
        head(2, delimited_size(list), out); // value
        match values {
            Values::Bytes(values) => {
                head(1, list, out);
                for value in *values {
                    head(1, value.len(), out);
                    out.extend_from_slice(value);
                }
            }
            Values::Floats(values) => {
                head(2, list, out);
                if !values.is_empty() {
                    head(1, packed_size(&Values::Floats(values)), out);
                }
                for value in *values {
                    out.extend_from_slice(&value.to_le_bytes());
                }
            }
            Values::Integers(values) => {
                head(3, list, out);
                if !values.is_empty() {
                    head(1, packed_size(&Values::Integers(values)), out);
                }
                for &value in *values {
                    varint(value as u64, out);
                }
            }
        }
    }
}

/// Bytes of a map entry: key and value.
fn entry_size(name: &str, values: &Values<'_>) -> usize {
    delimited_size(name.len()) + delimited_size(delimited_size(list_size(values)))
}

/// Bytes of a BytesList, FloatList or Int64List.
fn list_size(values: &Values<'_>) -> usize {
    match values {
        Values::Bytes(values) => values.iter().map(|value| delimited_size(value.len())).sum(),
        Values::Floats([]) | Values::Integers([]) => 0,
        numbers => delimited_size(packed_size(numbers)),
    }
}

/// Bytes of the packed numbers.
fn packed_size(values: &Values<'_>) -> usize {
    match values {
        Values::Bytes(_) => 0,
        Values::Floats(values) => 4 * values.len(),
        Values::Integers(values) => values.iter().map(|&value| varint_size(value as u64)).sum(),
    }
}

/// Bytes of a delimited field with a number below 16.
fn delimited_size(content: usize) -> usize {
    1 + varint_size(content as u64) + content
}

fn varint_size(value: u64) -> usize {
    // 7 bits a byte; 0 takes one byte as well.
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn head(field: u8, content: usize, out: &mut Vec<u8>) {
    out.push(field << 3 | DELIMITED);
    varint(content as u64, out);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_varints() {
        for value in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1]).chain([u64::MAX]) {
            let mut out = Vec::new();
            varint(value, &mut out);
            assert_eq!(out.len(), varint_size(value), "{value}");
        }
    }

    #[test]
    fn bytes_by_hand() {
        let mut out = Vec::new();
        encode_example(
            &[
                ("a", Values::Integers(&[1, 300])),
                ("b", Values::Floats(&[1.0])),
                ("c", Values::Bytes(&[b"xy"])),
                ("d", Values::Floats(&[])),
            ],
            &mut out,
        );
        let expected: Vec<u8> = [
            &[0x0A, 51][..],
            &[0x0A, 12, 0x0A, 1, b'a', 0x12, 7, 0x1A, 5, 0x0A, 3, 1, 0xAC, 2],
            &[0x0A, 13, 0x0A, 1, b'b', 0x12, 8, 0x12, 6, 0x0A, 4, 0, 0, 0x80, 0x3F],
            &[0x0A, 11, 0x0A, 1, b'c', 0x12, 6, 0x0A, 4, 0x0A, 2, b'x', b'y'],
            &[0x0A, 7, 0x0A, 1, b'd', 0x12, 2, 0x12, 0],
        ]
        .concat();
        assert_eq!(out, expected);
    }
}
