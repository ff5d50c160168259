//! A checksum against damage, as fast as memory is read. It is no defence against a forger: whoever can write a packed
//! file chooses its numbers.

use rayon::prelude::*;

/// Bytes that one task sums.
pub(super) const CHUNK: usize = 1 << 20;

const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;
const LANES: usize = 8;

/// Of one stretch of bytes: eight lanes of multiply and rotate, each of which any changed word changes.
pub(super) fn stretch(bytes: &[u8]) -> u64 {
    let mut lanes: [u64; LANES] = std::array::from_fn(|lane| PRIME.wrapping_mul(2 * lane as u64 + 1));
    let (blocks, rest) = bytes.as_chunks::<{ 8 * LANES }>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let mut last = [0; 8 * LANES];
    last[..rest.len()].copy_from_slice(rest);
    for (lane, word) in lanes.iter_mut().zip(last.as_chunks::<8>().0) {
        *lane = step(*lane, u64::from_le_bytes(*word));
    }
    combine(lanes.into_iter().chain([bytes.len() as u64]))
}

/// Of bytes as a whole: the chunks' own checksums in order, taken on the ambient pool.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let parts: Vec<u64> = bytes.par_chunks(CHUNK).map(stretch).collect();
    combine(parts)
}

/// One checksum of several, in order.
pub(super) fn combine(parts: impl IntoIterator<Item = u64>) -> u64 {
    let mut sum = parts.into_iter().fold(PRIME, step);
    sum = (sum ^ (sum >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    sum = (sum ^ (sum >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    sum ^ (sum >> 31)
}

#[inline(always)]
fn step(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(PRIME).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_and_length_shows() {
        let bytes: Vec<u8> = (0..2 * CHUNK + 77).map(|i| (i * 31 % 251) as u8).collect();
        let whole = checksum(&bytes);
        for at in [0, 1, 63, 64, 65, CHUNK - 1, CHUNK, 2 * CHUNK + 3, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[at] ^= 0x10;
            assert_ne!(checksum(&other), whole, "byte {at}");
        }
        assert_ne!(checksum(&bytes[..bytes.len() - 1]), whole);
        assert_ne!(stretch(&[0; 3]), stretch(&[0; 4]), "zeros count");
        let mut swapped = bytes.clone();
        swapped.swap(8, 72);
        assert_ne!(checksum(&swapped), whole);
    }
}
