//! The best candidates of each request.

use std::cmp::Ordering;

use crate::scores::Scores;

/// Fills `top_k` and its offsets from the scores of requests of these sizes. `order` is scratch memory.
pub(super) fn select(
    sizes: impl Iterator<Item = usize>,
    k: usize,
    order: &mut Vec<u32>,
    scores: &mut Scores,
) {
    scores.top_k_offsets.push(0);
    let mut start = 0;
    for candidates in sizes {
        let slate = &scores.scores[start..start + candidates];
        start += candidates;
        order.clear();
        order.extend(0..slate.len() as u32);
        let better = |&a: &u32, &b: &u32| better_first(slate, a, b);
        let kept = k.min(slate.len());
        if kept < slate.len() && kept > 0 {
            order.select_nth_unstable_by(kept - 1, better);
        }
        order.truncate(kept);
        order.sort_unstable_by(better);
        scores.top_k.extend_from_slice(order);
        scores.top_k_offsets.push(scores.top_k.len());
    }
}

/// Higher scores first, non-finite ones last, ties in the order of the batch: a total order.
fn better_first(slate: &[f32], a: u32, b: u32) -> Ordering {
    let (left, right) = (slate[a as usize], slate[b as usize]);
    match (left.is_finite(), right.is_finite()) {
        // Finite numbers always compare; +0 and −0 tie.
        (true, true) => right.partial_cmp(&left).unwrap_or(Ordering::Equal).then(a.cmp(&b)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(scores: &[f32], sizes: &[usize], k: usize) -> (Vec<u32>, Vec<usize>) {
        let mut out = Scores { scores: scores.to_vec(), ..Scores::default() };
        select(sizes.iter().copied(), k, &mut Vec::new(), &mut out);
        (out.top_k, out.top_k_offsets)
    }

    #[test]
    fn best_first_per_request_and_ties_keep_their_order() {
        let (best, offsets) = top(&[1.0, 3.0, 3.0, 2.0, 5.0], &[4, 0, 1], 3);
        assert_eq!(best, [1, 2, 3, 0]);
        assert_eq!(offsets, [0, 3, 3, 4]);
    }

    #[test]
    fn non_finite_scores_sink() {
        let (best, _) = top(&[f32::NAN, -5.0, f32::INFINITY, -0.0, 0.0, f32::NEG_INFINITY], &[6], 6);
        assert_eq!(best, [3, 4, 1, 0, 2, 5]);
    }

    #[test]
    fn agrees_with_a_full_sort() {
        let scores: Vec<f32> = (0..997u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32).collect();
        let mut all: Vec<u32> = (0..997).collect();
        all.sort_by(|&a, &b| better_first(&scores, a, b));
        for k in [1, 2, 50, 996, 997, 2000] {
            assert_eq!(top(&scores, &[997], k).0, all[..k.min(997)]);
        }
    }
}
