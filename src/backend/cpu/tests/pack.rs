//! Packed orders against plain formulas.

use half::bf16;

use super::super::element::Element;
use super::super::isa::Portable;
use super::super::micro::{F32, Kernel, STRIP};
use super::super::pack::pack;

fn is_permutation<K: Kernel>(depth: usize) {
    let mut seen = vec![false; depth * STRIP];
    for k in 0..depth {
        for column in 0..STRIP {
            let at = K::weight_index(k, column);
            assert!(!seen[at], "k {k} column {column}: place {at} is taken");
            seen[at] = true;
            // A chunk of K is a stretch of the strip, whatever its start.
            assert_eq!(at / (STRIP * STRIP), k / STRIP, "k {k} column {column}");
        }
    }
}

#[test]
fn every_order_is_a_permutation_in_stretches_of_k() {
    for depth in [32, 64, 2784] {
        is_permutation::<F32<Portable, f32>>(depth);
        #[cfg(target_arch = "x86_64")]
        {
            is_permutation::<super::super::micro::AmxBf16>(depth);
            is_permutation::<super::super::micro::DotBf16>(depth);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn tiles_hold_pairs_of_k() {
    use super::super::micro::AmxBf16;
    // A tile: 16 lines, one a pair of K; each line 16 columns of (even k, odd k). Two tiles side by side, then K + 32.
    let mut expected = 0;
    for line in 0..3 {
        for tile in 0..2 {
            for pair in 0..16 {
                for column in 0..16 {
                    for odd in 0..2 {
                        let found = AmxBf16::weight_index(line * 32 + pair * 2 + odd, tile * 16 + column);
                        assert_eq!(found, expected);
                        expected += 1;
                    }
                }
            }
        }
    }
}

#[test]
fn weights_are_rounded_once_where_they_belong() {
    let depth = 64;
    let weight = |column: usize, k: usize| (column * 1000 + k) as f64 / 3.0;
    let mut packed = vec![bf16::NAN; 2 * STRIP * depth];
    pack::<F32<Portable, bf16>>(depth, &mut packed, |column, row| {
        row.iter_mut().enumerate().for_each(|(k, v)| *v = weight(column, k));
    });
    for column in 0..2 * STRIP {
        for k in 0..depth {
            let at = column / STRIP * STRIP * depth + k * STRIP + column % STRIP;
            assert_eq!(packed[at], <bf16 as Element>::from_f64(weight(column, k)), "column {column} k {k}");
        }
    }
}
