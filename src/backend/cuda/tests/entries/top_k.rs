//! `top_k_by_rank`: against sorting, with ties, non-finite scores, and requests of every size.

use maskrank_ptx::Gpu;

use super::{Random, kernels, rows_word};
use crate::backend::cuda::params::TopKParams;

const NUM_THREADS: usize = 128;
const NO_CANDIDATE: u32 = u32::MAX;

#[test]
fn top_k() {
    for kernel in kernels("top_k") {
        for (sizes, k) in [(vec![1], 1), (vec![0, 127, 0, 1, 129, 3], 5), (vec![40], 40), (vec![7, 2], 9)] {
            let gpu = &mut Gpu::new();
            let mut random = Random(k as u64);
            let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            let rows: usize = sizes.iter().sum();
            // Few different values: ties.
            let scores: Vec<f32> = (0..rows)
                .map(|i| if i % 11 == 3 { odd[i % 3] } else { random.below(9) as f32 - 4.0 })
                .collect();
            let begin: Vec<u32> = std::iter::once(0)
                .chain(sizes.iter().scan(0, |sum, n| {
                    *sum += n;
                    Some(*sum as u32)
                }))
                .collect();
            let request: Vec<u32> =
                sizes.iter().enumerate().flat_map(|(r, &n)| std::iter::repeat_n(r as u32, n)).collect();
            let top = gpu.output::<u32>("top", sizes.len() * k);
            let (score, request, begin_at) =
                (gpu.input("score", &scores), gpu.input("request", &request), gpu.input("begin", &begin));
            let params = TopKParams {
                rows: rows_word(gpu, rows),
                score: gpu.address::<f32>(score, 0),
                candidate_request: gpu.address::<u32>(request, 0),
                request_begin: gpu.address::<u32>(begin_at, 0),
                top: gpu.address::<u32>(top, 0),
                requests: sizes.len() as u32,
                k: k as u32,
            };
            let blocks = rows.max(sizes.len()).div_ceil(NUM_THREADS) as u32;
            kernel.run(gpu, [blocks, 1, 1], 0, bytemuck::bytes_of(&params));

            let found = gpu.read::<u32>(top);
            for (r, &n) in sizes.iter().enumerate() {
                let slate = &scores[begin[r] as usize..begin[r] as usize + n];
                let sinking = |i: usize| if slate[i].is_finite() { slate[i] } else { f32::NEG_INFINITY };
                let mut order: Vec<usize> = (0..n).collect();
                order.sort_by(|&a, &b| sinking(b).total_cmp(&sinking(a)));
                let expected: Vec<u32> =
                    (0..k).map(|place| order.get(place).map_or(NO_CANDIDATE, |&i| i as u32)).collect();
                assert_eq!(found[r * k..(r + 1) * k], expected, "{} request {r} of {sizes:?}", kernel.target);
            }
        }
    }
}
