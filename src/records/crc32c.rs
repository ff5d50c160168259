//! CRC-32C (Castagnoli) and the masked form that TFRecord files store.
//!
//! Slicing by 16: sixteen table look-ups advance the sum by sixteen bytes, with no carried dependency between them
//! but the last exclusive-or. The reflected polynomial is 0x82F63B78.

const POLYNOMIAL: u32 = 0x82F6_3B78;
const SLICES: usize = 16;

/// `TABLES[k][b]`: the sum of byte `b` followed by `k` zero bytes.
static TABLES: [[u32; 256]; SLICES] = tables();

const fn tables() -> [[u32; 256]; SLICES] {
    let mut tables = [[0_u32; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[slice - 1][byte];
            tables[slice][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// CRC-32C of `bytes`.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let mut sum = !0_u32;
    let (blocks, rest) = bytes.as_chunks::<SLICES>();
    for block in blocks {
        let head = sum.to_le_bytes();
        sum = 0;
        for (place, &byte) in block.iter().enumerate() {
            // The running sum is added to the block's first four bytes only.
            let byte = if place < 4 { byte ^ head[place] } else { byte };
            sum ^= TABLES[SLICES - 1 - place][usize::from(byte)];
        }
    }
    for &byte in rest {
        sum = (sum >> 8) ^ TABLES[0][((sum ^ u32::from(byte)) & 0xFF) as usize];
    }
    !sum
}

/// The form that TFRecord stores, so that a sum of bytes that hold sums stays a good sum.
pub(super) fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One bit at a time: shares nothing with the tables.
    fn bit_by_bit(bytes: &[u8]) -> u32 {
        let mut sum = !0_u32;
        for &byte in bytes {
            sum ^= u32::from(byte);
            for _ in 0..8 {
                sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            }
        }
        !sum
    }

    #[test]
    fn known_vectors() {
        // The check value of the catalogue of CRCs, and the four of RFC 3720, appendix B.4.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        let cases: [(&[u8], u32); 6] = [
            (b"", 0),
            (b"123456789", 0xE306_9283),
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
            (&descending, 0x113F_DB5C),
        ];
        for (bytes, expected) in cases {
            assert_eq!(crc32c(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn every_length_around_the_slices_agrees_with_the_definition() {
        let bytes: Vec<u8> = (0..100_u32).map(|i| (i * 37 + 11) as u8).collect();
        for length in 0..=bytes.len() {
            assert_eq!(crc32c(&bytes[..length]), bit_by_bit(&bytes[..length]), "length {length}");
        }
    }
}
